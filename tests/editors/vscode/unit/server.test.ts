/** Where the server is found, when it is started again, what is told it of settings, and what runs become. */

import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { test } from 'node:test'
import { receipt } from '../../../../editors/vscode/src/receipt.ts'
import { Runs, type Run } from '../../../../editors/vscode/src/runs.ts'
import { Backoff, QUICK_DEATHS } from '../../../../editors/vscode/src/server/backoff.ts'
import { findBinary } from '../../../../editors/vscode/src/server/binary.ts'
import { extensions, names, parse } from '../../../../editors/vscode/src/server/languages.ts'
import { layers } from '../../../../editors/vscode/src/settings.ts'
import { label, title } from '../../../../editors/vscode/src/words.ts'
import type { Finished } from '../../../../editors/vscode/src/protocol.ts'

test('the program is the named one, else the bundled one, else the first on PATH', (context) => {
  const top = fs.mkdtempSync(path.join(os.tmpdir(), 'runpen-'))
  context.after(() => {
    fs.rmSync(top, { recursive: true })
  })
  const program = (folder: string, mode = 0o755): string => {
    fs.mkdirSync(path.join(top, folder), { recursive: true })
    const file = path.join(top, folder, 'runpen')
    fs.writeFileSync(file, '', { mode })
    return file
  }
  const onPath = program('bin')
  program('plain', 0o644)
  fs.mkdirSync(path.join(top, 'folder/runpen'), { recursive: true })
  const search = {
    setting: '',
    extension: path.join(top, 'extension'),
    path: ['', '.', 'bin', path.join(top, 'plain'), path.join(top, 'folder'), path.join(top, 'bin')].join(':'),
    windows: false,
    home: top,
  }
  // Neither a relative folder of PATH, nor a folder of that name, nor what cannot be executed.
  assert.deepEqual(findBinary(search), { file: onPath, from: 'path' })
  const bundled = program('extension/server')
  assert.deepEqual(findBinary(search), { file: bundled, from: 'package' })
  assert.deepEqual(findBinary({ ...search, setting: onPath }), { file: onPath, from: 'setting' })
  assert.deepEqual(findBinary({ ...search, setting: '~/bin/runpen' }), { file: onPath, from: 'setting' })
  // A wrong setting is told, not passed over.
  for (const setting of ['bin/runpen', path.join(top, 'nowhere')]) {
    const found = findBinary({ ...search, setting })
    assert('missing' in found && found.missing.includes(setting), setting)
  }
  const nowhere = findBinary({ ...search, extension: top, path: '' })
  assert('missing' in nowhere && nowhere.missing.includes('PATH'))
})

test('deaths in a row are answered later and later, then not at all', () => {
  const backoff = new Backoff()
  const waits: number[] = []
  for (let now = 0; ; now += 1000) {
    backoff.started(now)
    const verdict = backoff.died(now + 10)
    if (!verdict.restart) {
      assert.equal(verdict.deaths, QUICK_DEATHS)
      break
    }
    waits.push(verdict.afterMs)
  }
  assert.deepEqual(waits, [250, 500, 1000])
  backoff.reset()
  assert.equal(backoff.died(0).restart, true)
})

test('a death after a long life is the first again', () => {
  const backoff = new Backoff()
  for (let day = 0; day < 10; day += 1) {
    backoff.started(day * 86_400_000)
    assert.deepEqual(backoff.died(day * 86_400_000 + 3_600_000), { restart: true, afterMs: 250 })
  }
})

test('the settings of user and workspace are told apart', () => {
  const values: Record<string, { globalValue?: unknown; workspaceValue?: unknown }> = {
    timeout: { globalValue: '20s', workspaceValue: '5s' },
    network: { workspaceValue: 'bridge' },
    'warm.enabled': { globalValue: false },
    'warm.perLanguage': { globalValue: 1, workspaceValue: 64 },
    memory: {},
  }
  const keys = [...Object.keys(values), 'unset']
  const inspect = (key: string): { globalValue?: unknown; workspaceValue?: unknown } | undefined => values[key]
  const user = { timeout: '20s', warm: { enabled: false, perLanguage: 1 } }
  const workspace = { timeout: '5s', network: 'bridge', warm: { perLanguage: 64 } }
  assert.deepEqual(layers(keys, inspect, true), { user, workspace })
  assert.deepEqual(layers(keys, inspect, false), { user, workspace: {} })
})

test('the languages are those of the program', () => {
  const row = { name: 'python', title: 'Python', extensions: ['py', 'pyw'], aliases: ['py', 'python3'], more: 1 }
  const languages = parse(JSON.stringify([row, { name: 'broken' }, null]))
  assert.deepEqual(names(languages), ['python', 'py', 'python3'])
  assert.deepEqual(extensions(languages), ['.py', '.pyw'])
  assert.throws(() => parse('{}'), /does not list/)
})

const finished = (runId: string, more: Partial<Finished> = {}): Finished => ({
  runId,
  outcome: 'exited',
  exitCode: 0,
  phases: [],
  truncated: false,
  diagnostics: [],
  ...more,
})

test('a run is put together from what is told of it', () => {
  const runs = new Runs()
  const told: string[] = []
  runs.watch({
    asked: (run) => told.push(`asked ${run.id}`),
    started: (run) => told.push(`started ${run.language ?? ''}`),
    output: (_, { text }) => told.push(text),
    finished: (run) => told.push(`finished ${run.uri ?? ''}`),
  })
  runs.asked('1', 'file:///a.py')
  runs.started({ runId: '1', language: 'python', engine: 'docker', image: 'i', warm: true })
  runs.phase({ runId: '1', phase: 'run', state: 'begin' })
  assert.equal(runs.inFlight()[0]?.phase, 'run')
  runs.output({ runId: '1', seq: 0, stream: 'stdout', text: 'hi' })
  runs.finished(finished('1'))
  assert.deepEqual(told, ['asked 1', 'started python', 'hi', 'finished file:///a.py'])
  assert.deepEqual(runs.inFlight(), [])
  assert.equal(runs.last()?.finished?.outcome, 'exited')
  // An answer that comes late does not bring it back.
  runs.asked('1', 'file:///a.py')
  assert.deepEqual(runs.inFlight(), [])
})

test('runs end with their server', () => {
  const runs = new Runs()
  const ended: Run[] = []
  runs.watch({ finished: (run) => ended.push(run) })
  runs.asked('1', 'file:///a.py')
  runs.asked('2', undefined)
  runs.lost()
  assert.deepEqual(
    ended.map((run) => run.finished?.error),
    ['the server ended', 'the server ended'],
  )
  runs.lost()
  assert.equal(ended.length, 2)
})

test('the receipt is a text for people', () => {
  const sandbox = {
    engine: 'docker',
    engineVersion: '28',
    runtime: 'runc',
    image: 'python:3.13',
    controls: { network: 'none', user: '65534:65534' },
    missing: ['gVisor: install\x1b[2J runsc'],
  }
  const phases = [{ name: 'run' as const, wallMs: 12.6, cpuMs: 9, peakMemoryBytes: 9 * 1024 * 1024 }]
  const text = receipt({ id: '1', uri: 'file:///a.py', finished: finished('1', { sandbox, phases }) })
  assert.match(text, /^ {2}network {2}none$/m)
  assert.match(text, /^ {2}run +13 ms, 9 ms of CPU, 9\.0 MB at most$/m)
  assert.match(text, /^ {2}gVisor: install \[2J runsc$/m)
  assert.match(receipt(undefined), /Nothing/)
  assert.match(receipt({ id: '1', finished: finished('1', { outcome: 'engine_failure' }) }), /no container/)
})

test('an end in a few words', () => {
  const phases = [
    { name: 'pull' as const, wallMs: 60_000 },
    { name: 'compile' as const, wallMs: 800 },
    { name: 'run' as const, wallMs: 700 },
  ]
  assert.equal(title(finished('1', { phases })), '✓ 1.5 s')
  assert.equal(title(finished('1', { exitCode: 3 })), '✗ exit 3')
  assert.equal(title(finished('1', { outcome: 'signaled', signal: 11 })), '✗ signal 11')
  assert.equal(title(finished('1', { outcome: 'new_end' as 'exited' })), 'new_end')
})

test('a label disguises nothing', () => {
  assert.equal(label('a\u202eb\u2066c\x1bd\ne'), 'abc d e')
  const long = label('🎉'.repeat(200))
  assert.equal(Array.from(long).length, 100)
  assert(long.endsWith('…'))
})
