/** The wire, as editors/PROTOCOL.md has it: events, arguments and answers. Types only. */

export interface Position {
  line: number
  character: number
}

export interface Range {
  start: Position
  end: Position
}

export type PhaseName = 'pull' | 'compile' | 'run'

export interface Started {
  runId: string
  uri?: string
  range?: Range
  language: string
  engine: string
  image: string
  warm: boolean
}

export interface Phase {
  runId: string
  phase: PhaseName
  state: 'begin' | 'end'
  wallMs?: number
  exitCode?: number
}

export interface Output {
  runId: string
  seq: number
  stream: 'stdout' | 'stderr'
  text: string
}

export type Outcome =
  | 'exited'
  | 'signaled'
  | 'compile_failed'
  | 'timed_out'
  | 'out_of_memory'
  | 'output_limit'
  | 'cancelled'
  | 'engine_failure'

export interface PhaseUsage {
  name: PhaseName
  wallMs: number
  cpuMs?: number
  peakMemoryBytes?: number
}

/** The receipt: what really enclosed a program. */
export interface Receipt {
  engine: string
  engineVersion: string
  runtime: string
  image: string
  digest?: string
  controls: Record<string, string>
  missing: string[]
}

export interface Diagnostic {
  range: Range
  severity: 'error' | 'warning' | 'information' | 'hint'
  code?: string
  source: string
  message: string
}

export interface Finished {
  runId: string
  outcome: Outcome
  exitCode?: number
  signal?: number
  error?: string
  phases: PhaseUsage[]
  truncated: boolean
  sandbox?: Receipt
  diagnostics: Diagnostic[]
}

export interface RunAnswer {
  runId: string
}

export interface PullAnswer {
  images: { language: string; image: string; present: boolean; error?: string }[]
}

/** How the engine stands and what waits: told when it changes. */
export interface Standing {
  engine?: { name: string; version: string; endpoint: string; runtime: string }
  error?: string
  pool: { language: string; waiting: number }[]
}

export interface Status extends Standing {
  version: string
  images: { language: string; image: string; present: boolean }[]
  runs: { runId: string; uri?: string; language: string; elapsedMs: number }[]
}

/** A row of `runpen languages --json`, as far as it is used here. */
export interface Language {
  name: string
  title: string
  extensions: string[]
  aliases: string[]
}
