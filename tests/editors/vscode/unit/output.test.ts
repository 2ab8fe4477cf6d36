/** What is shown of a program's output: nothing a terminal obeys, nothing lost, nothing that drowns the editor. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Filter } from '../../../../editors/vscode/src/output/ansi.ts'
import { Bound } from '../../../../editors/vscode/src/output/bound.ts'
import { ending, findings, heading, nameOf, resumed } from '../../../../editors/vscode/src/output/heading.ts'
import { InputLine } from '../../../../editors/vscode/src/output/line.ts'
import { find } from '../../../../editors/vscode/src/output/links.ts'
import type { Finished } from '../../../../editors/vscode/src/protocol.ts'

const finished: Finished = {
  runId: '1',
  outcome: 'exited',
  exitCode: 0,
  phases: [],
  truncated: false,
  diagnostics: [],
}

test('only text and colours pass', () => {
  const cases: [string, string, string][] = [
    ['plain é🎉\ttext\r\n', 'plain é🎉\ttext\r\n', 'plain é🎉\ttext\r\n'],
    ['\x1b[1;31mred\x1b[0m', '\x1b[1;31mred\x1b[0m', 'red'],
    // A title, a link, the clipboard, with both kinds of end.
    ['a\x1b]0;title\x07b', 'ab', 'ab'],
    ['a\x1b]8;;http://example.org\x1b\\b\x1b]8;;\x1b\\c', 'abc', 'abc'],
    ['a\x1b]52;c;aGk=\x07b', 'ab', 'ab'],
    // Questions that a terminal answers as if somebody typed, and moves of the cursor.
    ['a\x1b[6n\x1b[c\x1bP$qm\x1b\\b', 'ab', 'ab'],
    ['a\x1b[2J\x1b[Hb\x1bcc', 'abc', 'abc'],
    // The same in the one-character forms.
    ['a\x9b6nb\x9d0;t\x9cc\x90q\x9cd', 'abcd', 'abcd'],
    ['a\x1b(0b\x07\x08\x00c', 'abc', 'abc'],
    // Private parameters are no colours.
    ['\x1b[>4;2mx\x1b[?1my', 'xy', 'xy'],
    // Broken off: a line end is never swallowed.
    ['a\x1b[31\nb', 'a\nb', 'a\nb'],
    ['a\x1b]0;never ends\nb', 'a\nb', 'a\nb'],
  ]
  for (const [text, coloured, bare] of cases) {
    assert.equal(new Filter(true).pass(text), coloured, JSON.stringify(text))
    assert.equal(new Filter(false).pass(text), bare, JSON.stringify(text))
    // However it is cut.
    for (const colours of [true, false]) {
      const filter = new Filter(colours)
      const pieces = Array.from(text, (character) => filter.pass(character)).join('')
      assert.equal(pieces, colours ? coloured : bare, JSON.stringify(text))
    }
  }
})

test('a sequence that does not end swallows little', () => {
  const filter = new Filter(false)
  filter.pass('\x1b]0;')
  const shown = filter.pass('x'.repeat(1000))
  assert(shown.length > 700, String(shown.length))
})

test('what fits is shown as it comes, and nothing twice', () => {
  const bound = new Bound(100, 10)
  assert.equal(bound.pass('a'.repeat(60)) + bound.pass('b'.repeat(40)), 'a'.repeat(60) + 'b'.repeat(40))
  assert.equal(bound.end(), '')
})

test('of what does not fit the end is shown, and how much is missing', () => {
  const bound = new Bound(10, 20)
  let shown = ''
  for (let number = 0; number < 1000; number += 1) {
    shown += bound.pass(`line ${String(number)}\n`)
  }
  assert.equal(shown, 'line 0\nlin')
  const end = bound.end()
  const [, dropped, tail] = /^\n… (\d+) characters are left out here …\n([^]*)$/.exec(end) ?? []
  assert.equal(tail, 'line 998\nline 999\n')
  const whole = Array.from({ length: 1000 }, (_, number) => `line ${String(number)}\n`).join('').length
  assert.equal(Number(dropped), whole - shown.length - (tail?.length ?? 0))
})

test('no character is cut in two', () => {
  for (let head = 0; head < 6; head += 1) {
    const bound = new Bound(head, 3)
    const shown = ['🎉🎉', '🎉🎉🎉🎉'].map((text) => bound.pass(text)).join('') + bound.end()
    assert(shown.isWellFormed(), `${String(head)}: ${JSON.stringify(shown)}`)
  }
})

test('each tool names places in its own way', () => {
  const cases: [string, string, [number, number?][]][] = [
    ['  File "/runpen/boom.py", line 6, in <module>', 'boom.py', [[6]]],
    ['./a.go:6:15: undefined: x', 'a.go', [[6, 15]]],
    ['\t/runpen/a.go:9 +0x1d', 'a.go', [[9]]],
    ['main.cpp:3:4: error: expected', 'main.cpp', [[3, 4]]],
    ['    at f (/runpen/x.js:2:9)', 'x.js', [[2, 9]]],
    ['    at file:///runpen/x.mjs:2:9', 'x.mjs', [[2, 9]]],
    ['\tat Main.f(Main.java:12)', 'Main.java', [[12]]],
    ['a.ts(2,13): error TS1005', 'a.ts', [[2, 13]]],
    ['a.sh: line 3: nope: not found', 'a.sh', [[3]]],
    ['/runpen/a.sh: 3: nope: not found', 'a.sh', [[3]]],
    // Another file, and no number.
    ['extra-boom.py:3', 'boom.py', []],
    ['boom_py:3', 'boom.py', []],
    ['boom.py', 'boom.py', []],
    ['boom.py:0', 'boom.py', []],
    ['odd (1)+.py:7:1', 'odd (1)+.py', [[7, 1]]],
  ]
  for (const [line, name, places] of cases) {
    const found = find(line, name).map((place) => [place.line, ...(place.column === undefined ? [] : [place.column])])
    assert.deepEqual(found, places, line)
  }
})

test('a line without an end is searched in no time', () => {
  const line = 'boom.py:1 '.repeat(200_000)
  const began = process.cpuUsage()
  find(line, 'boom.py')
  assert(process.cpuUsage(began).user < 500_000)
})

test('a line is edited before it is sent', () => {
  const line = new InputLine()
  assert.deepEqual(line.type('Adx\x7fa'), { echo: 'Adx\b \ba', typed: [] })
  assert.deepEqual(line.type('\r'), { echo: '\r\n', typed: [{ kind: 'line', text: 'Ada\n' }] })
  // Two lines pasted, an arrow in between.
  assert.deepEqual(line.type('one\r\ntw\x1b[Do\r').typed, [
    { kind: 'line', text: 'one\n' },
    { kind: 'line', text: 'two\n' },
  ])
  assert.deepEqual(line.type('\x04').typed, [{ kind: 'end' }])
  assert.deepEqual(line.type('half\x04').typed, [{ kind: 'line', text: 'half' }])
  assert.deepEqual(line.type('never sent\x03'), { echo: 'never sent^C\r\n', typed: [{ kind: 'interrupt' }] })
  assert.deepEqual(line.type('\r').typed, [{ kind: 'line', text: '\n' }])
  assert.deepEqual(line.type('\x7f'), { echo: '', typed: [] })
})

test('documents have names without folders', () => {
  assert.equal(nameOf('file:///home/me/a%20b.py'), 'a b.py')
  assert.equal(nameOf('untitled:Untitled-1'), 'Untitled-1')
  assert.equal(nameOf(undefined), 'code')
  assert.equal(nameOf('file:///x/100%.py'), '100%.py')
})

test('the lines around a run say what ran and how it ended', () => {
  const range = { start: { line: 2, character: 0 }, end: { line: 4, character: 0 } }
  const run = { id: '1', uri: 'file:///a.py', engine: 'docker', image: 'python:3', warm: true }
  assert.equal(heading(run), '▶ a.py (docker, python:3, warm)')
  assert.equal(heading({ ...run, range }), '▶ a.py:3-4 (docker, python:3, warm)')
  assert.equal(resumed({ ...run, range }), '… a.py:3-4')
  assert.equal(ending({ ...finished, phases: [{ name: 'run', wallMs: 12.4 }] }), '✓ 12 ms')
  const phases = [{ name: 'run', wallMs: 12.4, peakMemoryBytes: 9437184 }] as const
  assert.equal(ending({ ...finished, phases: [...phases] }), '✓ 12 ms, 9.0 MB')
  assert.equal(ending({ ...finished, outcome: 'timed_out', error: 'too long\x1b[2J' }), '✗ timed out · too long [2J')
  const at = { start: { line: 3, character: 4 }, end: { line: 3, character: 5 } }
  const diagnostics = [{ range: at, severity: 'error' as const, source: 'python', message: 'no\nway' }]
  assert.deepEqual(findings({ ...run, range }, { ...finished, diagnostics }), ['a.py:4:5: no way'])
  // The tool's own lines are right when all of the document ran.
  assert.deepEqual(findings(run, { ...finished, diagnostics }), [])
})
