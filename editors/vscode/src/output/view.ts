/** Which view shows a run: the setting decides when it starts, and it stays there. */

import * as vscode from 'vscode'
import type { Finished, Output } from '../protocol.ts'
import type { Run, Runs } from '../runs.ts'

export interface View {
  started(run: Run, reveal: boolean): void
  output(run: Run, output: Output): void
  finished(run: Run, finished: Finished): void
  show(): void
  clear(): void
}

export class Router {
  private readonly of = new Map<string, View>()
  private last: View

  constructor(
    runs: Runs,
    private readonly channels: View,
    private readonly terminal: View,
  ) {
    this.last = channels
    runs.watch({
      started: (run) => {
        const view = this.chosen()
        if (view !== undefined) {
          this.of.set(run.id, view)
          this.last = view
          view.started(run, true)
        }
      },
      output: (run, output) => this.of.get(run.id)?.output(run, output),
      finished: (run, finished) => {
        this.of.get(run.id)?.finished(run, finished)
        this.of.delete(run.id)
      },
    })
  }

  show(): void {
    this.last.show()
  }

  clear(): void {
    this.channels.clear()
    this.terminal.clear()
  }

  private chosen(): View | undefined {
    switch (vscode.workspace.getConfiguration('runpen').get('output.view')) {
      case 'none':
        return undefined
      case 'terminal':
        return this.terminal
      default:
        return this.channels
    }
  }
}
