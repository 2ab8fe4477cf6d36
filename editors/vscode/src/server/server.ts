/**
 * The server's life: found, started when a document needs it, started again after a death, given up after too many. Giving
 * up lasts until something changes that may have been wrong: the setting of the program, or a restart by hand.
 */

import * as os from 'node:os'
import * as vscode from 'vscode'
import { State as ClientState, type LanguageClient } from 'vscode-languageclient/node'
import type { Language, Standing } from '../protocol.ts'
import type { Work } from '../progress.ts'
import type { Runs } from '../runs.ts'
import type { Layers } from '../settings.ts'
import { Backoff } from './backoff.ts'
import { findBinary, type Found } from './binary.ts'
import { createClient } from './client.ts'
import { list } from './languages.ts'

export type ServerState = 'off' | 'starting' | 'running' | 'waiting' | 'abandoned' | 'missing'

export interface Context {
  extension: vscode.Uri
  log: vscode.LogOutputChannel
  runs: Runs
  layers: () => Layers
  warned: (text: string) => void
  work: (token: string, work: Work, cancel: () => void) => void
}

export class Server implements vscode.Disposable {
  state: ServerState = 'off'
  languages: Language[] = []
  /** Why it does not run. */
  reason = ''

  private readonly changed = new vscode.EventEmitter<ServerState>()
  readonly onDidChange = this.changed.event
  private readonly told = new vscode.EventEmitter<Standing>()
  /** What the server says of its engine and of what waits. */
  readonly onDidTell = this.told.event
  private readonly backoff = new Backoff()
  private client: LanguageClient | undefined
  private starting: Promise<void> | undefined
  private timer: NodeJS.Timeout | undefined
  /** The start that counts: what belongs to an earlier one has no say any more. Aborted, its program is killed. */
  private life: AbortController | undefined

  constructor(private readonly context: Context) {}

  /** The program, as it would be found now. */
  binary(): Found {
    return findBinary({
      setting: vscode.workspace.getConfiguration('runpen').get('server.path', ''),
      extension: this.context.extension.fsPath,
      path: process.env['PATH'] ?? '',
      windows: process.platform === 'win32',
      home: os.homedir(),
    })
  }

  /** Learns the languages before there is a need for a server. */
  async learn(): Promise<void> {
    const found = this.binary()
    if ('file' in found) {
      try {
        this.languages = await list(found.file)
        this.changed.fire(this.state)
      } catch (error) {
        this.context.log.warn(`${found.file}: ${words(error)}`)
      }
    }
  }

  /** The running server, started where it is not. Nothing when that fails, which has been told then. */
  async ensure(): Promise<LanguageClient | undefined> {
    if (this.state === 'off' || this.state === 'missing') {
      await this.start()
    } else if (this.state === 'abandoned') {
      this.tellAbandoned()
    }
    await this.starting
    return this.state === 'running' ? this.client : undefined
  }

  running(): LanguageClient | undefined {
    return this.state === 'running' ? this.client : undefined
  }

  /** Whether this server has a command; a newer one may. */
  offers(command: string): boolean {
    const provider = this.running()?.initializeResult?.capabilities.executeCommandProvider
    return provider?.commands.includes(command) ?? false
  }

  start(): Promise<void> {
    if (this.starting === undefined) {
      const starting = this.attempt().finally(() => {
        if (this.starting === starting) {
          this.starting = undefined
        }
      })
      this.starting = starting
    }
    return this.starting
  }

  /** Also one that hangs, in its start or later. */
  async restart(): Promise<void> {
    this.backoff.reset()
    await this.stop()
    // Something else may have started it meanwhile.
    if (this.state === 'off') {
      await this.start()
    }
  }

  async stop(): Promise<void> {
    clearTimeout(this.timer)
    const { client, life } = this
    this.client = undefined
    this.life = undefined
    this.starting = undefined
    this.context.runs.lost()
    this.become('off')
    if (client?.state !== ClientState.Running) {
      life?.abort()
      return
    }
    await client.dispose(5000).catch((error: unknown) => {
      this.context.log.warn(words(error))
      life?.abort()
    })
  }

  dispose(): void {
    clearTimeout(this.timer)
    this.changed.dispose()
    this.told.dispose()
  }

  private async attempt(): Promise<void> {
    const life = new AbortController()
    this.life = life
    clearTimeout(this.timer)
    const found = this.binary()
    if ('missing' in found) {
      this.reason = found.missing
      this.become('missing')
      this.tellMissing()
      return
    }
    this.context.log.info(`starting ${found.file} (${found.from})`)
    this.become('starting')
    this.backoff.started(Date.now())
    try {
      this.languages = await list(found.file, life.signal)
      const { log, runs, layers, warned, work } = this.context
      const client = createClient({
        binary: found.file,
        kill: life.signal,
        languages: this.languages,
        log,
        runs,
        layers,
        warned,
        work,
        standing: (standing) => {
          this.told.fire(standing)
        },
        closed: () => {
          // A start that fails says so itself.
          if (this.state === 'running') {
            this.died(life, 'it ended')
          }
        },
      })
      this.client = client
      await client.start()
      if (this.life === life) {
        this.become('running')
      }
    } catch (error) {
      life.abort()
      this.died(life, words(error))
    }
  }

  private died(life: AbortController, reason: string): void {
    if (this.life !== life) {
      return
    }
    this.context.log.error(`the server: ${reason}`)
    this.reason = reason
    this.client = undefined
    this.context.runs.lost()
    const verdict = this.backoff.died(Date.now())
    if (verdict.restart) {
      this.become('waiting')
      this.timer = setTimeout(() => void this.start(), verdict.afterMs)
    } else {
      this.become('abandoned')
      this.tellAbandoned()
    }
  }

  private become(state: ServerState): void {
    this.state = state
    this.changed.fire(state)
  }

  private tellMissing(): void {
    const words = `Runpen: ${this.reason}`
    void vscode.window.showErrorMessage(words, 'Choose the Program', 'How to Install').then((answer) => {
      if (answer === 'Choose the Program') {
        void vscode.commands.executeCommand('runpen.choosePath')
      } else if (answer === 'How to Install') {
        void vscode.commands.executeCommand('workbench.action.openWalkthrough', 'runpen.runpen#start')
      }
    })
  }

  private tellAbandoned(): void {
    const words = `Runpen: the server ended again and again, it is not started any more (${this.reason})`
    void vscode.window.showErrorMessage(words, 'Restart', 'Show Log', 'Choose the Program').then((answer) => {
      if (answer === 'Restart') {
        void this.restart()
      } else if (answer === 'Show Log') {
        this.context.log.show()
      } else if (answer === 'Choose the Program') {
        void vscode.commands.executeCommand('runpen.choosePath')
      }
    })
  }
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
