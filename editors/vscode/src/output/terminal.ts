/** A terminal in which a program is seen with its colours, and answered when it reads. */

import * as vscode from 'vscode'
import type { Finished, Output } from '../protocol.ts'
import type { Run } from '../runs.ts'
import { Filter } from './ansi.ts'
import { Bound } from './bound.ts'
import { ending, findings, heading, resumed } from './heading.ts'
import { InputLine } from './line.ts'
import type { View } from './view.ts'

const DIM = '\u001b[2m'
const RED = '\u001b[31m'
const PLAIN = '\u001b[0m'

/** Asks the server. */
export interface Answers {
  send(runId: string, text: string, eof: boolean): void
  cancel(runId: string): void
}

interface Shown {
  run: Run
  filters: Record<'stdout' | 'stderr', Filter>
  bound: Bound
}

export class RunTerminal implements View, vscode.Disposable {
  private terminal: vscode.Terminal | undefined
  private written = new vscode.EventEmitter<string>()
  /** Before the terminal is there, nothing may be written to it. */
  private waiting: string[] | undefined = []
  /** In flight, oldest first: what is typed goes to the newest. */
  private readonly shown = new Map<string, Shown>()
  private readonly line = new InputLine()
  private column = 0
  /** Who spoke last. */
  private speaker: Run | undefined

  constructor(private readonly answers: Answers) {}

  started(run: Run, reveal: boolean): void {
    const terminal = this.ensure()
    const filters = { stdout: new Filter(true), stderr: new Filter(true) }
    this.shown.set(run.id, { run, filters, bound: new Bound() })
    this.speaker = run
    this.ownLine()
    this.write(`${DIM}${heading(run)}${PLAIN}\n`)
    if (reveal) {
      terminal.show(true)
    }
  }

  output(run: Run, output: Output): void {
    const shown = this.shown.get(run.id)
    if (shown === undefined) {
      return
    }
    const text = shown.bound.pass(shown.filters[output.stream].pass(output.text))
    // A program that chooses colours itself keeps them.
    if (text !== '') {
      this.turn(run)
      this.write(output.stream === 'stderr' && !text.includes('\u001b') ? RED + text + PLAIN : text)
    }
  }

  finished(run: Run, finished: Finished): void {
    const shown = this.shown.get(run.id)
    if (shown === undefined) {
      return
    }
    this.shown.delete(run.id)
    this.line.clear()
    this.turn(run)
    this.write(shown.bound.end() + PLAIN)
    this.ownLine()
    this.write(`${DIM}${[...findings(run, finished), ending(finished)].join('\n')}${PLAIN}\n`)
  }

  show(): void {
    this.ensure().show(true)
  }

  clear(): void {
    if (this.terminal !== undefined && this.shown.size === 0) {
      this.write('\u001b[2J\u001b[3J\u001b[H')
    }
  }

  dispose(): void {
    this.terminal?.dispose()
  }

  private ensure(): vscode.Terminal {
    if (this.terminal !== undefined) {
      return this.terminal
    }
    const written = new vscode.EventEmitter<string>()
    this.written = written
    this.waiting = []
    this.column = 0
    const pty: vscode.Pseudoterminal = {
      onDidWrite: written.event,
      open: () => {
        const waiting = this.waiting ?? []
        this.waiting = undefined
        waiting.forEach((text) => {
          written.fire(text)
        })
      },
      close: () => {
        this.terminal = undefined
        // Nobody sees what it prints, or can answer it.
        this.shown.forEach(({ run }) => {
          this.answers.cancel(run.id)
        })
        this.shown.clear()
        written.dispose()
      },
      handleInput: (data) => {
        this.typed(data)
      },
    }
    const icon = new vscode.ThemeIcon('shield')
    this.terminal = vscode.window.createTerminal({ name: 'Runpen', pty, iconPath: icon, isTransient: true })
    return this.terminal
  }

  private typed(data: string): void {
    const run = [...this.shown.values()].at(-1)?.run
    if (run === undefined) {
      return
    }
    const { echo, typed } = this.line.type(data)
    this.write(echo)
    for (const what of typed) {
      switch (what.kind) {
        case 'line':
          this.answers.send(run.id, what.text, false)
          break
        case 'end':
          this.answers.send(run.id, '', true)
          break
        case 'interrupt':
          this.answers.cancel(run.id)
      }
    }
  }

  /** Lets a run speak: after another one it is said first whose the words are. */
  private turn(run: Run): void {
    if (this.speaker !== run) {
      this.speaker = run
      this.ownLine()
      this.write(`${DIM}${resumed(run)}${PLAIN}\n`)
    }
  }

  private ownLine(): void {
    if (this.column > 0) {
      this.write('\n')
    }
  }

  private write(text: string): void {
    if (text === '') {
      return
    }
    const shown = text.replace(/\r?\n/g, '\r\n')
    // eslint-disable-next-line no-control-regex -- colours take no room
    const last = shown.slice(shown.lastIndexOf('\n') + 1).replace(/\u001b\[[\d;:]*[A-Za-z]/g, '')
    this.column = shown.includes('\n') ? last.length : this.column + last.length
    if (this.waiting === undefined) {
      this.written.fire(shown)
    } else {
      this.waiting.push(shown)
    }
  }
}
