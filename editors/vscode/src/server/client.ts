/** The language client: what is sent of settings, what is heard of runs. How it lives and dies is `server.ts`. */

import { spawn, type ChildProcess } from 'node:child_process'
import * as os from 'node:os'
import * as vscode from 'vscode'
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  LogMessageNotification,
  MessageType,
  RevealOutputChannelOn,
  type DocumentFilter,
  type DynamicFeature,
  type StaticFeature,
} from 'vscode-languageclient/node'
import type { Finished, Language, Output, Phase, Standing, Started } from '../protocol.ts'
import type { Work } from '../progress.ts'
import type { Runs } from '../runs.ts'
import type { Layers } from '../settings.ts'
import { DOCUMENTS, extensions, names } from './languages.ts'

export interface Wiring {
  binary: string
  /** Ends the program at once. */
  kill: AbortSignal
  languages: Language[]
  log: vscode.LogOutputChannel
  runs: Runs
  layers: () => Layers
  /** A warning of the server's: a setting that is ignored, and why. */
  warned: (text: string) => void
  /** What the server says of its work, and the way to give it up. */
  work: (token: string, work: Work, cancel: () => void) => void
  standing: (standing: Standing) => void
  closed: () => void
}

/**
 * The client without its own commands: a lens carries `runpen.runFile`, which is also the palette's, and ours. And without its
 * own messages: it has one for each start that fails, and only some can be seen at a time. What a user must know of the
 * server's life `server.ts` says once.
 */
class Client extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false)
  }

  override registerFeature(feature: StaticFeature | DynamicFeature<unknown>): void {
    const method = 'registrationType' in feature ? feature.registrationType.method : undefined
    if (method !== 'workspace/executeCommand') {
      super.registerFeature(feature)
    }
  }
}

export function createClient(wiring: Wiring): LanguageClient {
  const { binary, kill, log, runs } = wiring
  const client: LanguageClient = new Client('runpen', 'Runpen', () => launch(binary, kill), {
    documentSelector: selector(wiring.languages),
    diagnosticCollectionName: 'runpen',
    outputChannel: log,
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    initializationOptions: {
      ...wiring.layers().user,
      trustConfiguration: true,
      // The runs have an output of their own, in colours.
      presentation: { output: false },
    },
    initializationFailedHandler: () => false,
    errorHandler: {
      error: () => ({ action: ErrorAction.Continue }),
      closed: () => {
        wiring.closed()
        return { action: CloseAction.DoNotRestart, message: 'the server is gone' }
      },
    },
    middleware: {
      // The client itself would show it without a way to cancel, and each run for a moment.
      handleWorkDoneProgress: (token, work, next) => {
        wiring.work(
          String(token),
          work,
          () => void client.sendNotification('window/workDoneProgress/cancel', { token }),
        )
        if (work.kind === 'end') {
          next(token, work)
        }
      },
      workspace: {
        configuration: (params) => params.items.map((item) => (item.section === 'runpen' ? wiring.layers() : null)),
      },
    },
  })
  client.onNotification(LogMessageNotification.type, ({ type, message }) => {
    switch (type) {
      case MessageType.Error:
        log.error(message)
        wiring.warned(message)
        break
      case MessageType.Warning:
        log.warn(message)
        wiring.warned(message)
        break
      default:
        log.info(message)
    }
  })
  client.onNotification('runpen/started', (event: Started) => {
    runs.started(event)
  })
  client.onNotification('runpen/phase', (event: Phase) => {
    runs.phase(event)
  })
  client.onNotification('runpen/output', (event: Output) => {
    runs.output(event)
  })
  client.onNotification('runpen/finished', (event: Finished) => {
    runs.finished(event)
  })
  client.onNotification('runpen/status', wiring.standing)
  return client
}

/** Not in the workspace's folder: on some systems that is where programs are looked for first. */
function launch(binary: string, signal: AbortSignal): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    // Who is ended this way has not answered: nothing less would do, and its containers end with its streams.
    const child = spawn(binary, ['lsp'], { cwd: os.homedir(), signal, killSignal: 'SIGKILL' })
    child.once('error', reject)
    child.once('spawn', () => {
      resolve(child)
    })
  })
}

/** Files and what was never saved; not the old side of a comparison, and not our own output. */
function selector(languages: Language[]): DocumentFilter[] {
  return ['file', 'untitled'].flatMap((scheme) => [
    ...[...names(languages), ...DOCUMENTS].map((language) => ({ scheme, language })),
    ...extensions(languages).map((extension) => ({ scheme, pattern: `**/*${extension}` })),
  ])
}
