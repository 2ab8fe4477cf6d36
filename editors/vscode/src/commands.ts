/**
 * The commands. Those of the server have the same names here: a code lens carries them with their argument, from the palette
 * they come without one, and then it is about the active editor.
 */

import * as vscode from 'vscode'
import { ExecuteCommandRequest } from 'vscode-languageclient/node'
import type { PullAnswer, Range, RunAnswer, Status } from './protocol.ts'
import type { Runs } from './runs.ts'
import type { Server } from './server/server.ts'
import { nameOf } from './output/heading.ts'
import { label } from './words.ts'

type Argument = Record<string, unknown>

/** Asks the server for a command; a refusal is told in one line, and answered with nothing. */
export type Execute = <T>(command: string, argument?: Argument) => Promise<T | undefined>

export function executor(server: Server, log: vscode.LogOutputChannel): Execute {
  return async <T>(command: string, argument?: Argument): Promise<T | undefined> => {
    const client = await server.ensure()
    if (client === undefined) {
      return undefined
    }
    if (!server.offers(command)) {
      void vscode.window.showWarningMessage(`Runpen: this server has no ${command}, a newer one may`)
      return undefined
    }
    try {
      const params = { command, arguments: argument === undefined ? [] : [argument] }
      return (await client.sendRequest(ExecuteCommandRequest.type, params)) as T
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error)
      log.warn(`${command}: ${words}`)
      if (server.running() !== client) {
        // It died over it: that is told by itself.
        return undefined
      }
      void vscode.window.showWarningMessage(`Runpen: ${words}`)
      return undefined
    }
  }
}

export class Commands {
  constructor(
    private readonly execute: Execute,
    private readonly runs: Runs,
  ) {}

  /** Those that run something: their answer names the run. */
  async run(command: string, argument: unknown, own: () => Argument | undefined): Promise<string | undefined> {
    const given = isArgument(argument) ? argument : own()
    if (given === undefined) {
      return undefined
    }
    const answer = await this.execute<RunAnswer>(command, given)
    if (typeof answer?.runId !== 'string') {
      return undefined
    }
    this.runs.asked(answer.runId, typeof given['uri'] === 'string' ? given['uri'] : undefined)
    return answer.runId
  }

  async runAll(argument: unknown): Promise<void> {
    const given = isArgument(argument) ? argument : document()
    if (given !== undefined) {
      await this.execute('runpen.runAllBlocks', given)
    }
  }

  async stop(): Promise<void> {
    const running = this.runs.inFlight()
    if (running.length < 2) {
      await this.execute('runpen.cancel', {})
      return
    }
    const all = { label: 'All of them', argument: {} }
    const each = running.map((run) => ({ label: nameOf(run.uri), argument: { runId: run.id } }))
    const chosen = await vscode.window.showQuickPick([all, ...each], { title: 'Stop' })
    if (chosen !== undefined) {
      await this.execute('runpen.cancel', chosen.argument)
    }
  }

  async sendInput(argument: unknown): Promise<void> {
    if (isArgument(argument)) {
      await this.execute('runpen.sendInput', argument)
      return
    }
    const run = this.runs.inFlight().at(-1)
    if (run === undefined) {
      return
    }
    const text = await vscode.window.showInputBox({
      title: `Input for ${nameOf(run.uri)}`,
      prompt: 'A line of standard input',
      ignoreFocusOut: true,
    })
    if (text !== undefined) {
      await this.execute('runpen.sendInput', { runId: run.id, text: text + '\n' })
    }
  }

  /** The server's progress is shown meanwhile, and can be cancelled. */
  async pull(argument: unknown): Promise<void> {
    const given = isArgument(argument) ? argument : {}
    const answer = await this.execute<PullAnswer>('runpen.pullImages', { ...given, wait: true })
    if (answer === undefined) {
      return
    }
    const failed = answer.images.filter((image) => !image.present)
    const words = failed.map(({ image, error = 'it was not fetched' }) =>
      label(error.includes(image) ? error : `${image}: ${error}`),
    )
    if (failed.length > 0) {
      void vscode.window.showWarningMessage(`Runpen: ${words.join('; ')}`)
    } else if (answer.images.length === 0) {
      void vscode.window.showInformationMessage('Runpen: no open document needs an image')
    } else {
      const names = answer.images.map(({ image }) => image).join(', ')
      void vscode.window.showInformationMessage(`Runpen: the images are there: ${names}`)
    }
  }

  async status(): Promise<Status | undefined> {
    return await this.execute<Status>('runpen.status')
  }
}

export function document(): Argument | undefined {
  const editor = vscode.window.activeTextEditor
  return editor === undefined ? undefined : { uri: editor.document.uri.toString() }
}

export function selection(): Argument | undefined {
  const editor = vscode.window.activeTextEditor
  if (editor === undefined) {
    return undefined
  }
  const selected = editor.selection
  const range = selected.isEmpty ? editor.document.lineAt(selected.active.line).range : selected
  return { uri: editor.document.uri.toString(), range: wire(range) }
}

export function cursor(): Argument | undefined {
  const editor = vscode.window.activeTextEditor
  if (editor === undefined) {
    return undefined
  }
  const { line, character } = editor.selection.active
  return { uri: editor.document.uri.toString(), position: { line, character } }
}

function wire({ start, end }: vscode.Range): Range {
  return {
    start: { line: start.line, character: start.character },
    end: { line: end.line, character: end.character },
  }
}

/** The title bar and the context menu pass the document's address instead. */
function isArgument(value: unknown): value is Argument {
  return typeof value === 'object' && value !== null && !(value instanceof vscode.Uri) && !('scheme' in value)
}
