/** Where everything is put together. What it does lives in the server; here it is started, asked, and shown. */

import { randomBytes } from 'node:crypto'
import type MarkdownIt from 'markdown-it'
import * as vscode from 'vscode'
import { Commands, cursor, document, executor, selection } from './commands.ts'
import { Channels } from './output/channel.ts'
import { RunTerminal } from './output/terminal.ts'
import { Router } from './output/view.ts'
import { Clicks } from './preview/click.ts'
import { extend } from './preview/plugin.ts'
import { Progress } from './progress.ts'
import { doctor, Report } from './report.ts'
import { Runs } from './runs.ts'
import { COMMENTED, DOCUMENTS, extensions, names } from './server/languages.ts'
import { Server } from './server/server.ts'
import { layers, type Layers } from './settings.ts'
import { menu, StatusItem } from './status.ts'
import { label } from './words.ts'

/** What other extensions, and the tests, may use. */
export interface Api {
  extendMarkdownIt: (markdown: MarkdownIt) => MarkdownIt
  /** Milliseconds of CPU that activation took. */
  activationMs: number
}

let server: Server | undefined

export function activate(context: vscode.ExtensionContext): Api {
  const before = process.cpuUsage()
  const log = vscode.window.createOutputChannel('Runpen', { log: true })
  const runs = new Runs()
  const token = randomBytes(16).toString('hex')
  // Both are there before the server says or is told a first word.
  const cancel = (runId: string): void => void execute('runpen.cancel', { runId })
  const progress = new Progress(runs, cancel)
  const sandbox = (): Layers => sandboxSettings(context.extension.packageJSON as Manifest)
  const here = new Server({
    extension: context.extensionUri,
    log,
    runs,
    layers: sandbox,
    warned: warn,
    work: (given, work, giveUp) => {
      progress.work(given, work, giveUp)
    },
  })
  server = here
  const execute = executor(here, log)
  const commands = new Commands(execute, runs)
  const channels = new Channels(() => here.languages)
  const terminal = new RunTerminal({
    send: (runId, text, eof) => void execute('runpen.sendInput', { runId, text, eof }),
    cancel,
  })
  const output = new Router(runs, channels, terminal)
  const status = new StatusItem(here, runs, progress, () => commands.status())
  const report = new Report(runs)
  const clicks = new Clicks(token, ({ uri, line }) => {
    void commands.run('runpen.runBlock', { uri, position: { line, character: 0 } }, () => undefined)
  })
  context.subscriptions.push(log, here, channels, terminal, status, report, clicks, progress)
  followContext(here, runs, progress)

  let examination: vscode.OutputChannel | undefined
  const known: Record<string, (argument: unknown) => unknown> = {
    'runpen.runFile': (argument) => commands.run('runpen.runFile', argument, document),
    'runpen.runSelection': (argument) => commands.run('runpen.runSelection', argument, selection),
    'runpen.runBlock': (argument) => commands.run('runpen.runBlock', argument, cursor),
    'runpen.runAllBlocks': (argument) => commands.runAll(argument),
    'runpen.cancel': (argument) => execute('runpen.cancel', (argument ?? {}) as Record<string, unknown>),
    'runpen.stop': () => commands.stop(),
    'runpen.sendInput': (argument) => commands.sendInput(argument),
    'runpen.pullImages': (argument) => commands.pull(argument),
    'runpen.status': () => commands.status(),
    'runpen.clear': async (argument) => {
      output.clear()
      await execute('runpen.clear', argument === undefined ? {} : (argument as Record<string, unknown>))
    },
    'runpen.report': async () => {
      await report.show()
      // For the walkthrough: a command that is run from here is not always seen.
      await vscode.commands.executeCommand('setContext', 'runpen.sawReport', true)
    },
    'runpen.showOutput': () => {
      output.show()
    },
    'runpen.showLog': () => {
      log.show()
    },
    'runpen.restart': () => here.restart(),
    'runpen.choosePath': () => {
      // A setting of the machine: in a remote window the user's own list has none such.
      const list = vscode.env.remoteName === undefined ? 'openSettings' : 'openRemoteSettings'
      return vscode.commands.executeCommand(`workbench.action.${list}`, { query: 'runpen.server.path' })
    },
    'runpen.menu': () => menu(here, runs, status),
    'runpen.doctor': async () => {
      const found = here.binary()
      if ('file' in found) {
        examination ??= vscode.window.createOutputChannel('Runpen Doctor')
        await doctor(found.file, sandbox().user, examination)
      } else {
        await here.ensure()
      }
    },
  }
  for (const [name, handler] of Object.entries(known)) {
    context.subscriptions.push(vscode.commands.registerCommand(name, handler))
  }
  followServer(context, here, execute, new Set(Object.keys(known)))
  followDocuments(context, here, log)
  welcome(context)

  const used = process.cpuUsage(before)
  const activationMs = (used.user + used.system) / 1000
  log.debug(`activated in ${activationMs.toFixed(1)} ms of CPU`)
  const runnable = (word: string): boolean => names(here.languages).includes(word)
  return { extendMarkdownIt: (markdown) => extend(markdown, runnable, token), activationMs }
}

/** The server removes its containers before it goes. */
export async function deactivate(): Promise<void> {
  await server?.stop()
}

interface Manifest {
  contributes: { configuration: { id?: string; properties: Record<string, unknown> }[] }
}

/** The section that is generated from the server's schema holds what concerns the server. */
function sandboxSettings(manifest: Manifest): Layers {
  const section = manifest.contributes.configuration.find(({ id }) => id === 'sandbox')
  const keys = Object.keys(section?.properties ?? {}).map((key) => key.replace(/^runpen\./, ''))
  const configuration = vscode.workspace.getConfiguration('runpen')
  return layers(keys, (key) => configuration.inspect(key), vscode.workspace.isTrusted)
}

const warned = new Set<string>()

/** A word on a setting that is ignored, once. */
function warn(text: string): void {
  if (warned.has(text)) {
    return
  }
  warned.add(text)
  void vscode.window.showWarningMessage(`Runpen: ${label(text)}`, 'Show Log').then((answer) => {
    if (answer !== undefined) {
      void vscode.commands.executeCommand('runpen.showLog')
    }
  })
}

/** What `when` clauses ask for. */
function followContext(server: Server, runs: Runs, progress: Progress): void {
  const set = (key: string, value: unknown): void => {
    void vscode.commands.executeCommand('setContext', `runpen.${key}`, value)
  }
  const draw = (): void => {
    set('running', runs.inFlight().length > 0)
  }
  runs.watch({
    asked: draw,
    started: draw,
    finished: (run, finished) => {
      draw()
      set('hasResult', true)
      if (finished.outcome === 'engine_failure' && run.language === undefined) {
        void vscode.window.showErrorMessage(`Runpen: ${label(finished.error ?? 'nothing could be run')}`)
      } else {
        set('hasRun', true)
      }
    },
  })
  server.onDidChange((state) => {
    if (state !== 'running') {
      progress.lost()
    }
    set('serverRunning', state === 'running')
    set('blocks', server.offers('runpen.runBlock') ? [...DOCUMENTS, ...COMMENTED] : [])
    set('offersPull', server.offers('runpen.pullImages'))
    set('languages', names(server.languages))
    set('extensions', extensions(server.languages))
  })
  set('documents', DOCUMENTS)
}

/** A newer server may put commands into its lenses and actions that this release does not know: they are passed on. */
function followServer(
  context: vscode.ExtensionContext,
  server: Server,
  execute: ReturnType<typeof executor>,
  registered: Set<string>,
): void {
  server.onDidChange((state) => {
    const provider = server.running()?.initializeResult?.capabilities.executeCommandProvider
    for (const name of state === 'running' ? (provider?.commands ?? []) : []) {
      if (!registered.has(name)) {
        registered.add(name)
        const pass = (argument: unknown): unknown => execute(name, argument as Record<string, unknown> | undefined)
        context.subscriptions.push(vscode.commands.registerCommand(name, pass))
      }
    }
  })
  // It asks for them then; those of the workspace count from the moment it is trusted.
  const tellSettings = (): void => {
    void server.running()?.sendNotification('workspace/didChangeConfiguration', { settings: null })
  }
  context.subscriptions.push(
    vscode.workspace.onDidChangeConfiguration((event) => {
      // Also what had been given up is tried again.
      if (event.affectsConfiguration('runpen.server.path') && server.state !== 'off') {
        void server.restart()
      } else if (event.affectsConfiguration('runpen')) {
        tellSettings()
      }
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(tellSettings),
  )
}

/** The server starts with the first document that concerns it. */
function followDocuments(context: vscode.ExtensionContext, server: Server, log: vscode.LogOutputChannel): void {
  const concerns = ({ uri, languageId, fileName }: vscode.TextDocument): boolean =>
    (uri.scheme === 'file' || uri.scheme === 'untitled') &&
    // Without a program that tells, any document is reason enough to look for it.
    (server.languages.length === 0 ||
      names(server.languages).includes(languageId) ||
      DOCUMENTS.includes(languageId) ||
      extensions(server.languages).some((extension) => fileName.endsWith(extension)))
  const look = (document: vscode.TextDocument): void => {
    if (server.state === 'off' && concerns(document)) {
      log.info(`the server is wanted for ${document.uri.toString()}`)
      void server.ensure()
    }
  }
  // Not before it is known which documents those are.
  void server.learn().then(() => {
    context.subscriptions.push(vscode.workspace.onDidOpenTextDocument(look))
    vscode.workspace.textDocuments.forEach(look)
  })
}

/** The walkthrough, the first time, where VS Code's own rule is to open such. */
function welcome(context: vscode.ExtensionContext): void {
  const wanted = vscode.workspace.getConfiguration('workbench.welcomePage').get<boolean>('walkthroughs.openOnInstall')
  if (wanted !== false && context.globalState.get('welcomed') === undefined) {
    void context.globalState.update('welcomed', true)
    void vscode.commands.executeCommand('workbench.action.openWalkthrough', 'runpen.runpen#start', false)
  }
}
