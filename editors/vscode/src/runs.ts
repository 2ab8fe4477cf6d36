/** Runs: what the server tells of each, put together for those who show it. It must not know what shows it. */

import type { Finished, Output, Phase, PhaseName, Range, Started } from './protocol.ts'

export interface Run {
  readonly id: string
  uri?: string
  /** What runs of the document; all of it without one. */
  range?: Range
  language?: string
  engine?: string
  image?: string
  warm?: boolean
  /** What it does now. */
  phase?: PhaseName
  finished?: Finished
}

/** What can be watched. Every run has one `finished`, and nothing after it; `started` may be missing before it. */
export interface Watcher {
  asked?(run: Run): void
  started?(run: Run): void
  phase?(run: Run, phase: Phase): void
  output?(run: Run, output: Output): void
  finished?(run: Run, finished: Finished): void
}

export class Runs {
  private readonly byId = new Map<string, Run>()
  private readonly watchers: Watcher[] = []
  private lastFinished: Run | undefined
  /** Names of runs that ended, so that a late word on one does not bring it back. */
  private readonly ended = new Set<string>()

  watch(watcher: Watcher): void {
    this.watchers.push(watcher)
  }

  /** Those in flight, oldest first. */
  inFlight(): Run[] {
    return [...this.byId.values()]
  }

  /** The one that ended last. */
  last(): Run | undefined {
    return this.lastFinished
  }

  /** The server has answered with the run's name. */
  asked(id: string, uri: string | undefined): void {
    if (this.ended.has(id)) {
      return
    }
    const run = this.of(id)
    if (uri !== undefined) {
      run.uri ??= uri
    }
    this.tell((watcher) => watcher.asked?.(run))
  }

  started(event: Started): void {
    const run = this.of(event.runId)
    run.language = event.language
    run.engine = event.engine
    run.image = event.image
    run.warm = event.warm
    if (event.uri !== undefined) {
      run.uri = event.uri
    }
    if (event.range !== undefined) {
      run.range = event.range
    }
    this.tell((watcher) => watcher.started?.(run))
  }

  phase(event: Phase): void {
    const run = this.of(event.runId)
    if (event.state === 'begin') {
      run.phase = event.phase
    } else {
      delete run.phase
    }
    this.tell((watcher) => watcher.phase?.(run, event))
  }

  output(event: Output): void {
    const run = this.of(event.runId)
    this.tell((watcher) => watcher.output?.(run, event))
  }

  finished(event: Finished): void {
    const run = this.of(event.runId)
    this.byId.delete(event.runId)
    this.ended.add(event.runId)
    delete run.phase
    run.finished = event
    this.lastFinished = run
    this.tell((watcher) => watcher.finished?.(run, event))
  }

  /** The server is gone, and all runs with it. */
  lost(): void {
    for (const run of this.inFlight()) {
      this.finished({
        runId: run.id,
        outcome: 'engine_failure',
        error: 'the server ended',
        phases: [],
        truncated: true,
        diagnostics: [],
      })
    }
  }

  private of(id: string): Run {
    let run = this.byId.get(id)
    if (run === undefined) {
      run = { id }
      this.byId.set(id, run)
    }
    return run
  }

  private tell(what: (watcher: Watcher) => void): void {
    this.watchers.forEach(what)
  }
}
