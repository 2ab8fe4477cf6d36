/**
 * Notifications with a cancel button, for what takes long: an image that is fetched, a program that goes on. A run that is
 * over in a moment raises none.
 */

import * as vscode from 'vscode'
import type { WorkDoneProgressBegin, WorkDoneProgressEnd, WorkDoneProgressReport } from 'vscode-languageclient/node'
import type { Run, Runs } from './runs.ts'
import { nameOf } from './output/heading.ts'

/** A run that lasts longer than this shows that it can be stopped. */
const LONG_MS = 5000

/** Of the tokens that the server makes: those of pulls, and those of runs, which go on with the run's name. */
const PULL = 'runpen/pull/'
const RUN = 'runpen/'

export type Work = WorkDoneProgressBegin | WorkDoneProgressReport | WorkDoneProgressEnd

interface Shown {
  report: (message: string) => void
  end: () => void
}

export class Progress implements vscode.Disposable {
  private readonly shown = new Map<string, Shown>()
  private readonly timers = new Map<string, NodeJS.Timeout>()
  private readonly changed = new vscode.EventEmitter<void>()
  /** Pulls begin or end. */
  readonly onDidChange = this.changed.event

  constructor(
    runs: Runs,
    private readonly cancelRun: (runId: string) => void,
  ) {
    runs.watch({
      phase: (run, phase) => {
        const token = RUN + run.id
        this.end(token)
        clearTimeout(this.timers.get(token))
        if (phase.state === 'end') {
          return
        }
        if (phase.phase === 'pull') {
          this.beginRun(run, `fetching ${run.image ?? 'an image'}`)
        } else {
          const doing = phase.phase === 'compile' ? 'compiling' : 'running'
          const late = (): void => {
            this.beginRun(run, `${nameOf(run.uri)} is still ${doing}`)
          }
          this.timers.set(token, setTimeout(late, LONG_MS))
        }
      },
      finished: (run) => {
        const token = RUN + run.id
        clearTimeout(this.timers.get(token))
        this.timers.delete(token)
        this.end(token)
      },
    })
  }

  /** Whether an image is being fetched ahead of need. */
  pulling(): boolean {
    return [...this.shown.keys()].some((token) => token.startsWith(PULL))
  }

  /** What the server says of its work. */
  work(token: string, work: Work, cancel: () => void): void {
    if (work.kind === 'begin' && token.startsWith(PULL)) {
      this.begin(token, work.title, cancel)
      this.changed.fire()
    }
    if (work.message !== undefined) {
      this.shown.get(token)?.report(work.message)
    }
    if (work.kind === 'end') {
      this.end(token)
    }
  }

  /** The server is gone. */
  lost(): void {
    ;[...this.shown.keys()].forEach((token) => {
      this.end(token)
    })
  }

  dispose(): void {
    this.timers.forEach((timer) => {
      clearTimeout(timer)
    })
    this.lost()
    this.changed.dispose()
  }

  private beginRun(run: Run, title: string): void {
    this.begin(RUN + run.id, title, () => {
      this.cancelRun(run.id)
    })
  }

  private begin(token: string, title: string, cancel: () => void): void {
    this.end(token)
    const location = vscode.ProgressLocation.Notification
    let said = ''
    const shown: Shown = {
      report: (message) => {
        said = message
      },
      end: () => undefined,
    }
    const over = new Promise<void>((resolve) => {
      shown.end = resolve
    })
    this.shown.set(token, shown)
    void vscode.window.withProgress({ location, title: `Runpen: ${title}`, cancellable: true }, (progress, asked) => {
      asked.onCancellationRequested(cancel)
      shown.report = (message) => {
        progress.report({ message })
      }
      if (said !== '') {
        progress.report({ message: said })
      }
      return over
    })
  }

  private end(token: string): void {
    const shown = this.shown.get(token)
    if (shown !== undefined) {
      this.shown.delete(token)
      shown.end()
      if (token.startsWith(PULL)) {
        this.changed.fire()
      }
    }
  }
}
