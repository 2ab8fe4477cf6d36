/**
 * The stories inside the extension host, with the real `vscode` API: what has no screen of its own, and what would be slow
 * to do through one. VS Code calls `run`; a promise that fails gives a failing exit code, the story goes into a file.
 */

import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import * as path from 'node:path'
import * as vscode from 'vscode'

const PATIENCE = 90_000

const folder = (): vscode.Uri => {
  const uri = vscode.workspace.workspaceFolders?.[0]?.uri
  assert(uri, 'a folder is open')
  return uri
}

const extension = (): vscode.Extension<{ activationMs: number }> => {
  const found = vscode.extensions.getExtension<{ activationMs: number }>('runpen.runpen')
  assert(found, 'the extension is there')
  return found
}

async function until<T>(ask: () => T | undefined | Thenable<T | undefined>, what: string): Promise<T> {
  const deadline = Date.now() + PATIENCE
  for (;;) {
    const found = await ask()
    if (found !== undefined && found !== false) {
      return found
    }
    if (Date.now() > deadline) {
      throw new Error(`waited in vain: ${what}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function open(content: string, language = 'python'): Promise<vscode.TextDocument> {
  const document = await vscode.workspace.openTextDocument({ language, content })
  await vscode.window.showTextDocument(document, { preview: false })
  return document
}

/** Runs a document to its end; `wait` is the server's. */
async function ran(command: string, argument: Record<string, unknown>): Promise<string> {
  return await until(async () => {
    const id: string | undefined = await vscode.commands.executeCommand(command, argument)
    return id
  }, `${command} starts`)
}

async function outputDocument(title: string): Promise<vscode.TextDocument> {
  return await until(
    () => vscode.workspace.textDocuments.find((each) => decodeURIComponent(each.uri.toString()).endsWith(title)),
    `there is a channel ${title}`,
  )
}

async function outputHas(title: string, text: RegExp): Promise<string> {
  const document = await outputDocument(title)
  return await until(
    () => (text.test(document.getText()) ? document.getText() : undefined),
    `output has ${text.source}`,
  )
}

const results: string[] = []

const stories: Record<string, () => Promise<void>> = {
  async 'activation takes less than 100 ms of CPU'() {
    const { activationMs } = await extension().activate()
    results.push(`        activation: ${activationMs.toFixed(1)} ms of CPU`)
    assert(activationMs > 0 && activationMs < 100, `${String(activationMs)} ms`)
  },

  async 'every command of the manifest is there'() {
    const commands = new Set(await vscode.commands.getCommands(true))
    const manifest = extension().packageJSON as { contributes: { commands: { command: string }[] } }
    const missing = manifest.contributes.commands.filter(({ command }) => !commands.has(command))
    assert.deepEqual(missing, [])
  },

  async 'no key of ours is one of VS Code'() {
    const uri = vscode.Uri.parse('vscode://defaultsettings/keybindings.json')
    const text = (await vscode.workspace.openTextDocument(uri)).getText()
    assert.match(text, /"key": "ctrl\+p"/)
    const taken = [
      ...text.matchAll(/"key": "(ctrl\+alt\+r(?: [^"]*)?)",\s*"command": "([^"]*)"(?:,\s*"when": "([^"]*)")?/g),
    ]
    const others = taken.filter(([, , command, when]) => !command?.startsWith('runpen.') && !when?.includes('terminal'))
    assert(taken.some(([, , command]) => command?.startsWith('runpen.')))
    assert.deepEqual(
      others.map(([, key, command, when]) => `${String(key)} ${String(command)} ${String(when)}`),
      [],
    )
  },

  async 'unsaved text is what runs, and an error is at its word'() {
    const document = await open('count = 3\nprint("é🎉", count, wrong_name)\n')
    await ran('runpen.runFile', { uri: document.uri.toString() })
    const [found] = await until(() => {
      const all = vscode.languages.getDiagnostics(document.uri)
      return all.length > 0 ? all : undefined
    }, 'there is a diagnostic')
    assert.equal(document.getText(found?.range), 'wrong_name')
    assert.equal(found?.severity, vscode.DiagnosticSeverity.Error)
    await outputHas('Runpen: Python', /✗ exit 1/)
    await vscode.commands.executeCommand('runpen.clear')
    await until(() => vscode.languages.getDiagnostics(document.uri).length === 0 || undefined, 'it is cleared')
  },

  async 'places in the output are links to the document'() {
    const uri = vscode.Uri.joinPath(folder(), 'trace.py')
    const document = await vscode.workspace.openTextDocument(uri)
    await vscode.window.showTextDocument(document)
    await ran('runpen.runFile', { uri: uri.toString() })
    await outputHas('Runpen: Python', /ZeroDivisionError[^]*✗ exit 1/)
    const output = await outputDocument('Runpen: Python')
    const targets = await until(async () => {
      const links: vscode.DocumentLink[] = await vscode.commands.executeCommand(
        'vscode.executeLinkProvider',
        output.uri,
      )
      const found = links.map(({ target }) => target?.toString()).filter((target) => target?.includes('trace.py'))
      return found.length > 0 ? found : undefined
    }, 'there are links')
    assert(targets.includes(uri.with({ fragment: 'L5' }).toString()), targets.join(' '))
    assert(targets.includes(uri.with({ fragment: 'L2' }).toString()), targets.join(' '))
  },

  async 'a selection runs by itself, with its error in lines of the document'() {
    const document = await open('ready = False\nif ready:\n    value = 1\n    print(value / 0)\n')
    const editor = vscode.window.activeTextEditor
    assert(editor)
    editor.selection = new vscode.Selection(2, 0, 4, 0)
    const before = (await outputDocument('Runpen: Python')).getText().length
    const id = await until(async () => {
      const started: string | undefined = await vscode.commands.executeCommand('runpen.runSelection')
      return started
    }, 'the selection runs')
    assert(id)
    const text = await until(async () => {
      const all = (await outputDocument('Runpen: Python')).getText().slice(before)
      return /✗ exit 1/.test(all) ? all : undefined
    }, 'it has ended')
    assert.match(text, /:3-4 \(/)
    assert.match(text, /Untitled-\d+:4:\d+: .*division by zero/)
    assert.equal(vscode.languages.getDiagnostics(document.uri)[0]?.range.start.line, 3)
  },

  async 'a flood arrives whole and in order'() {
    const document = await open('for number in range(60000):\n    print(f"line {number:05}")\nprint("the end")\n')
    const before = (await outputDocument('Runpen: Python')).getText().length
    await ran('runpen.runFile', { uri: document.uri.toString() })
    const text = await until(async () => {
      const all = (await outputDocument('Runpen: Python')).getText().slice(before)
      return /the end\n✓/.test(all) ? all : undefined
    }, 'the flood has ended')
    const lines = text.split('\n').filter((line) => line.startsWith('line '))
    assert.equal(lines.length, 60000)
    assert.deepEqual(
      lines.find((line, index) => line !== `line ${String(index).padStart(5, '0')}`),
      undefined,
    )
  },

  async 'what a program says to a terminal does not reach the channel'() {
    const document = await open('print("\\x1b]0;title\\x07\\x1b[31mred\\x1b[0m and plain", end="\\r\\n")\n')
    const before = (await outputDocument('Runpen: Python')).getText().length
    await ran('runpen.runFile', { uri: document.uri.toString() })
    const text = await until(async () => {
      const all = (await outputDocument('Runpen: Python')).getText().slice(before)
      return /✓ \d/.test(all) ? all : undefined
    }, 'it has ended')
    assert.match(text, /^red and plain$/m)
  },

  async 'input is sent, and its end'() {
    const document = await open('import sys\nprint("got", sys.stdin.read().split(), flush=True)\n')
    const before = (await outputDocument('Runpen: Python')).getText().length
    const runId = await ran('runpen.runFile', { uri: document.uri.toString() })
    await vscode.commands.executeCommand('runpen.sendInput', { runId, text: 'one two\n', eof: true })
    await until(async () => {
      const all = (await outputDocument('Runpen: Python')).getText().slice(before)
      return /got \['one', 'two'\]\n✓/.test(all) || undefined
    }, 'it has what was sent')
  },

  async 'a user setting counts at once, and a wish of the workspace does not loosen'() {
    const configuration = vscode.workspace.getConfiguration('runpen')
    const document = await open('import time\ntime.sleep(60)\n')
    await configuration.update('timeout', '1s', vscode.ConfigurationTarget.Global)
    await configuration.update('timeout', '50s', vscode.ConfigurationTarget.Workspace)
    try {
      const before = (await outputDocument('Runpen: Python')).getText().length
      await ran('runpen.runFile', { uri: document.uri.toString() })
      await until(async () => {
        const all = (await outputDocument('Runpen: Python')).getText().slice(before)
        return /✗ timed out.*1s/.test(all) || undefined
      }, 'the program is stopped after the time that the user gave')
    } finally {
      await configuration.update('timeout', undefined, vscode.ConfigurationTarget.Workspace)
      await configuration.update('timeout', '5m', vscode.ConfigurationTarget.Global)
    }
  },

  async 'the report says what enclosed the last run'() {
    await vscode.commands.executeCommand('runpen.report')
    const document = await until(
      () => vscode.workspace.textDocuments.find(({ uri }) => uri.scheme === 'runpen-report'),
      'the report is open',
    )
    const text = document.getText()
    assert.match(text, /^ {2}network +none$/m)
    assert.match(text, /^ {2}engine +docker \d/m)
    assert.match(text, /^ {2}user +65534:65534$/m)
  },

  async 'images that are there need no pull'() {
    await vscode.commands.executeCommand('runpen.pullImages', { languages: ['python'] })
    const status: { images: { language: string; present: boolean }[] } | undefined =
      await vscode.commands.executeCommand('runpen.status')
    assert.equal(status?.images.find(({ language }) => language === 'python')?.present, true)
  },
}

export async function run(): Promise<void> {
  const only = process.env['RUNPEN_TEST_ONLY'] ?? ''
  let failed = 0
  let passed = 0
  await extension().activate()
  // The channel that most of them read.
  const first = await vscode.workspace.openTextDocument(vscode.Uri.joinPath(folder(), 'first.py'))
  await vscode.window.showTextDocument(first)
  await ran('runpen.runFile', { uri: first.uri.toString() })
  await outputHas('Runpen: Python', /first\n✓/)
  for (const [name, story] of Object.entries(stories)) {
    if (!name.includes(only)) {
      continue
    }
    const began = Date.now()
    try {
      await story()
      passed += 1
      results.push(`ok      ${name} (${String(Date.now() - began)} ms)`)
    } catch (error) {
      failed += 1
      results.push(`FAILED  ${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    }
  }
  results.push(`host: ${String(passed)} passed, ${String(failed)} failed`)
  fs.writeFileSync(path.join(process.env['RUNPEN_TEST_RESULTS'] ?? '.', 'host.txt'), results.join('\n') + '\n')
  if (failed > 0) {
    throw new Error(`${String(failed)} stories failed`)
  }
}
