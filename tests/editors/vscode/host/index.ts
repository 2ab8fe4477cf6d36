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

  async 'it runs beside the workspace, not beside the screen'() {
    // The browser is the screen here, and this process the far side, as it is with SSH, WSL and containers.
    assert.notEqual(vscode.env.remoteName, undefined)
    assert.equal(vscode.env.uiKind, vscode.UIKind.Web)
    assert.equal(extension().extensionKind, vscode.ExtensionKind.Workspace)
    assert(fs.existsSync(path.join(folder().fsPath, 'first.py')))
    return Promise.resolve()
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

  async 'of very much the beginning and the end are shown, and how much lies between'() {
    const configuration = vscode.workspace.getConfiguration('runpen')
    await configuration.update('outputLimit', '16M', vscode.ConfigurationTarget.Global)
    try {
      const document = await open(
        'for number in range(30000):\n    print(f"{number:05}", "x" * 93)\nprint("the end")\n',
      )
      const before = (await outputDocument('Runpen: Python')).getText().length
      await ran('runpen.runFile', { uri: document.uri.toString() })
      const text = await until(async () => {
        const all = (await outputDocument('Runpen: Python')).getText().slice(before)
        return /the end\n✓/.test(all) ? all : undefined
      }, 'it has ended')
      const [whole, head = '', dropped, tail = ''] =
        /\n(00000 [^]*)\n… (\d+) characters are left out here …\n([^]*the end\n)✓/.exec(text) ?? []
      assert(whole, text.slice(-300))
      assert.equal(head.length + Number(dropped) + tail.length, 30_000 * 100 + 'the end\n'.length)
      assert(tail.startsWith('29'), tail.slice(0, 200))
      await vscode.commands.executeCommand('runpen.clear')
      await until(async () => (await outputDocument('Runpen: Python')).getText() === '' || undefined, 'it is cleared')
    } finally {
      await configuration.update('outputLimit', undefined, vscode.ConfigurationTarget.Global)
    }
  },

  async 'of two programs that speak in turn each says which it is'() {
    const before = (await outputDocument('Runpen: Python')).getText().length
    const said = async (text: RegExp): Promise<string> =>
      await until(async () => {
        const all = (await outputDocument('Runpen: Python')).getText().slice(before)
        return text.test(all) ? all : undefined
      }, `there is ${text.source}`)
    const start = async (name: string): Promise<string> => {
      const uri = vscode.Uri.joinPath(folder(), `${name}.py`)
      fs.writeFileSync(
        uri.fsPath,
        `print("${name} begins", flush=True)\ninput()\nprint("${name} goes on")\nprint(1/0)\n`,
      )
      await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri), { preview: false })
      const runId = await ran('runpen.runFile', { uri: uri.toString() })
      await said(new RegExp(`${name} begins\n`))
      return runId
    }
    const one = await start('one')
    const two = await start('two')
    for (const runId of [one, two]) {
      await vscode.commands.executeCommand('runpen.sendInput', { runId, text: '\n' })
      await said(runId === one ? /one goes on[^]*✗/ : /two goes on[^]*✗/)
    }
    const lines = (await said(/✗[^]*✗/)).split('\n').filter((line) => /begins|goes on|^…|^✗|^▶/.test(line))
    const plain = lines.map((line) => line.replace(/ (\(|exit).*/, ''))
    assert.deepEqual(plain, [
      ...['▶ one.py', 'one begins', '▶ two.py', 'two begins'],
      ...['… one.py', 'one goes on', '✗', '… two.py', 'two goes on', '✗'],
    ])
    // And the places that they name are in their own documents.
    const output = await outputDocument('Runpen: Python')
    const links: vscode.DocumentLink[] = await vscode.commands.executeCommand('vscode.executeLinkProvider', output.uri)
    const named = links.map(({ target }) => target?.toString() ?? '').filter((target) => /(one|two)\.py/.test(target))
    const expected = ['one', 'two'].map((name) =>
      vscode.Uri.joinPath(folder(), `${name}.py`).with({ fragment: 'L4' }).toString(),
    )
    assert.deepEqual(named, expected)
  },

  async 'where no view is wanted none comes up'() {
    const configuration = vscode.workspace.getConfiguration('runpen')
    await configuration.update('output.view', 'none', vscode.ConfigurationTarget.Global)
    try {
      const document = await open('print(missing)\n')
      const before = (await outputDocument('Runpen: Python')).getText()
      await ran('runpen.runFile', { uri: document.uri.toString() })
      await until(() => vscode.languages.getDiagnostics(document.uri).length > 0 || undefined, 'it has ended')
      assert.equal((await outputDocument('Runpen: Python')).getText(), before)
    } finally {
      await configuration.update('output.view', undefined, vscode.ConfigurationTarget.Global)
    }
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

  async 'a server that never answers does not stop the next one'() {
    const configuration = vscode.workspace.getConfiguration('runpen')
    const real = configuration.get('server.path')
    const results = process.env['RUNPEN_TEST_RESULTS'] ?? '.'
    const mute = path.join(results, 'mute')
    const told = path.join(results, 'mute.pid')
    const words = `[ "$1" = languages ] && echo "[]" && exit\necho $$ >${told}\nexec sleep 1000\n`
    fs.writeFileSync(mute, `#!/bin/sh\n${words}`, { mode: 0o755 })
    await configuration.update('server.path', mute, vscode.ConfigurationTarget.Global)
    const pid = await until(
      () => (fs.existsSync(told) && Number(fs.readFileSync(told, 'utf8'))) || undefined,
      'it hangs',
    )
    await configuration.update('server.path', real, vscode.ConfigurationTarget.Global)
    await until(() => !fs.existsSync(`/proc/${String(pid)}`) || undefined, 'it is gone')
    const document = await open('print("after", "all")\n')
    await ran('runpen.runFile', { uri: document.uri.toString() })
    await outputHas('Runpen: Python', /after all\n✓/)
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
