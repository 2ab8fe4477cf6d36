/** The status bar's item: the engine, what waits, what runs; a click gives the receipt and the actions. */

import * as vscode from 'vscode'
import type { Standing, Status } from './protocol.ts'
import type { Progress } from './progress.ts'
import type { Run, Runs } from './runs.ts'
import type { Server, ServerState } from './server/server.ts'
import { nameOf } from './output/heading.ts'
import { duration, title, well } from './words.ts'

export interface Seen {
  state: ServerState
  reason: string
  status: Standing | undefined
  running: readonly Run[]
  /** Images are being fetched ahead of need. */
  pulling: boolean
  last: Run | undefined
}

/** Text, tooltip and whether it is a matter of concern. Pure. */
export function face(seen: Seen): { text: string; tooltip: string; wrong: boolean } {
  const { state, status, running } = seen
  switch (state) {
    case 'off':
      return { text: '$(shield) Runpen off', tooltip: 'Runpen starts with the first document it can run', wrong: false }
    case 'starting':
    case 'waiting':
      return { text: '$(loading~spin) Runpen', tooltip: 'Runpen is starting', wrong: false }
    case 'missing':
    case 'abandoned':
      return { text: '$(shield) Runpen off', tooltip: `Runpen is off: ${seen.reason}`, wrong: true }
    case 'running':
      break
  }
  const pulling = running.find((run) => run.phase === 'pull')
  if (pulling !== undefined) {
    return {
      text: '$(cloud-download) Runpen pulling',
      tooltip: `Fetching an image for ${nameOf(pulling.uri)}`,
      wrong: false,
    }
  }
  if (running.length > 0) {
    const names = running.map((run) => nameOf(run.uri)).join(', ')
    return {
      text: `$(loading~spin) Runpen ${String(running.length)} running`,
      tooltip: `In a sandbox: ${names}`,
      wrong: false,
    }
  }
  if (seen.pulling) {
    return { text: '$(cloud-download) Runpen pulling', tooltip: 'Fetching images ahead of need', wrong: false }
  }
  if (status === undefined) {
    return { text: '$(shield) Runpen', tooltip: 'Runpen is ready', wrong: false }
  }
  if (status.engine === undefined) {
    const why = status.error ?? 'no engine answers'
    return { text: '$(shield) Runpen no engine', tooltip: `Nothing can be run: ${why}`, wrong: true }
  }
  const { name, version, runtime, endpoint } = status.engine
  const waiting = status.pool.reduce((sum, pool) => sum + pool.waiting, 0)
  const lines = [`Engine: ${name} ${version}, ${runtime}, ${endpoint}`]
  for (const pool of status.pool) {
    lines.push(`Waiting for ${pool.language}: ${String(pool.waiting)}`)
  }
  const finished = seen.last?.finished
  if (finished !== undefined) {
    lines.push(`Last run: ${nameOf(seen.last?.uri)} ${title(finished)}`)
  }
  return { text: `$(shield) ${name}${waiting > 0 ? ' warm' : ''}`, tooltip: lines.join('\n'), wrong: false }
}

export class StatusItem implements vscode.Disposable {
  private readonly item: vscode.StatusBarItem
  private status: Standing | undefined

  constructor(
    private readonly server: Server,
    private readonly runs: Runs,
    private readonly progress: Progress,
    private readonly ask: () => Promise<Status | undefined>,
  ) {
    this.item = vscode.window.createStatusBarItem('runpen.status', vscode.StatusBarAlignment.Right, 50)
    this.item.name = 'Runpen'
    this.item.command = 'runpen.menu'
    const draw = (): void => {
      this.draw()
    }
    runs.watch({
      asked: draw,
      started: draw,
      phase: draw,
      finished: draw,
    })
    progress.onDidChange(draw)
    server.onDidChange((state) => {
      if (state !== 'running') {
        this.status = undefined
      }
      draw()
    })
    server.onDidTell((standing) => {
      this.status = standing
      draw()
    })
    draw()
    this.item.show()
  }

  /** Asks now, with all that the server knows. */
  async refresh(): Promise<Status | undefined> {
    // A server that does not run is not started for this.
    const status = this.server.running() === undefined ? undefined : await this.ask()
    this.status = status ?? this.status
    this.draw()
    return status
  }

  dispose(): void {
    this.item.dispose()
  }

  face(): ReturnType<typeof face> {
    const { state, reason } = this.server
    return face({
      state,
      reason,
      status: this.status,
      running: this.runs.inFlight(),
      pulling: this.progress.pulling(),
      last: this.runs.last(),
    })
  }

  private draw(): void {
    const { text, tooltip, wrong } = this.face()
    this.item.text = text
    this.item.tooltip = tooltip
    this.item.accessibilityInformation = { label: `${text.replace(/\$\([^)]*\) ?/g, '')}. ${tooltip}` }
    this.item.backgroundColor = wrong ? new vscode.ThemeColor('statusBarItem.warningBackground') : undefined
  }
}

interface Action extends vscode.QuickPickItem {
  command?: string
  argument?: unknown
}

/** What a click offers. */
export async function menu(server: Server, runs: Runs, item: StatusItem): Promise<void> {
  const actions: Action[] = []
  for (const run of runs.inFlight()) {
    actions.push({
      label: `$(debug-stop) Stop ${nameOf(run.uri)}`,
      command: 'runpen.cancel',
      argument: { runId: run.id },
    })
  }
  const last = runs.last()
  if (last?.finished !== undefined) {
    const icon = well(last.finished) ? '$(pass)' : '$(error)'
    const took = last.finished.phases.map(({ name, wallMs }) => `${name} ${duration(wallMs)}`).join(', ')
    actions.push(
      { label: `${icon} ${nameOf(last.uri)} ${title(last.finished)}`, description: took, command: 'runpen.showOutput' },
      { label: '$(shield) Show Sandbox Report', description: 'what enclosed the last run', command: 'runpen.report' },
    )
  }
  actions.push({ label: '', kind: vscode.QuickPickItemKind.Separator })
  if (server.offers('runpen.pullImages')) {
    actions.push({ label: '$(cloud-download) Pull Images', command: 'runpen.pullImages' })
  }
  actions.push(
    { label: '$(pulse) Doctor', description: 'try every control of the sandbox', command: 'runpen.doctor' },
    { label: '$(output) Show Log', command: 'runpen.showLog' },
    { label: `$(debug-restart) ${server.state === 'off' ? 'Start' : 'Restart'} the Server`, command: 'runpen.restart' },
    { label: '$(gear) Settings', command: 'workbench.action.openSettings', argument: '@ext:runpen.runpen' },
  )
  const engine = (await item.refresh())?.engine
  const placeHolder = engine === undefined ? item.face().tooltip : `${engine.name} ${engine.version}, ${engine.runtime}`
  const chosen = await vscode.window.showQuickPick(actions, { placeHolder, title: 'Runpen' })
  if (chosen?.command !== undefined) {
    await vscode.commands.executeCommand(chosen.command, chosen.argument)
  }
}
