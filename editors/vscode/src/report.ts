/** Documents and channels that say what the sandbox is: the receipt of the last run, and what the doctor sees. */

import { spawn } from 'node:child_process'
import * as os from 'node:os'
import * as vscode from 'vscode'
import { receipt } from './receipt.ts'
import type { Runs } from './runs.ts'
import type { Layers } from './settings.ts'

const SCHEME = 'runpen-report'
const ADDRESS = vscode.Uri.from({ scheme: SCHEME, path: 'Sandbox Report' })

export class Report implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<vscode.Uri>()
  readonly onDidChange = this.changed.event
  private readonly registration: vscode.Disposable

  constructor(private readonly runs: Runs) {
    this.registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this)
    runs.watch({
      finished: () => {
        this.changed.fire(ADDRESS)
      },
    })
  }

  provideTextDocumentContent(): string {
    return receipt(this.runs.last())
  }

  async show(): Promise<void> {
    const document = await vscode.workspace.openTextDocument(ADDRESS)
    await vscode.window.showTextDocument(document, { preview: true })
  }

  dispose(): void {
    this.registration.dispose()
    this.changed.dispose()
  }
}

/** Runs `runpen doctor`, which tries every control of the sandbox live, on the engine that the user's settings name. */
export async function doctor(binary: string, user: Layers['user'], channel: vscode.OutputChannel): Promise<void> {
  const { engine, dockerHost, dockerContext } = user
  const words = typeof engine === 'string' ? ['doctor', '--engine', engine] : ['doctor']
  const env = {
    ...process.env,
    ...(typeof dockerHost === 'string' && { DOCKER_HOST: dockerHost }),
    ...(typeof dockerContext === 'string' && { DOCKER_CONTEXT: dockerContext }),
  }
  channel.clear()
  channel.show(true)
  const location = vscode.ProgressLocation.Notification
  await vscode.window.withProgress({ location, title: 'Runpen: trying the sandbox', cancellable: true }, (_, token) => {
    const child = spawn(binary, words, { cwd: os.homedir(), env, stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      channel.append(text)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      channel.append(text)
    })
    token.onCancellationRequested(() => {
      child.kill()
    })
    return new Promise<void>((resolve) => {
      child.once('error', (error) => {
        channel.appendLine(error.message)
        resolve()
      })
      child.once('close', (code, signal) => {
        channel.appendLine(signal === null ? `runpen doctor: exit code ${String(code)}` : 'runpen doctor: stopped')
        resolve()
      })
    })
  })
}
