/** Words for people: how a run ended, how long it took, how much it was. Pure; the server's lens says the same. */

import type { Finished, Outcome } from './protocol.ts'

const ENDS: Partial<Record<Outcome, string>> = {
  compile_failed: '✗ does not compile',
  timed_out: '✗ timed out',
  out_of_memory: '✗ out of memory',
  output_limit: '✗ printed too much',
  cancelled: '■ stopped',
  engine_failure: '✗ could not run',
}

/** Characters of a line beside the code. */
const LABEL_LIMIT = 100

export function duration(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`
}

export function size(bytes: number): string {
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(0)} kB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`
}

export function well(finished: Finished): boolean {
  return finished.outcome === 'exited' && (finished.exitCode ?? 0) === 0
}

/** `✓ 12 ms, 9.0 MB`, `✗ exit 1 40 ms`: time of compiling and running, since waiting for an image is nobody's program, and
 * the most memory that the program held, where it was measured. */
export function title(finished: Finished): string {
  const times = finished.phases.filter((phase) => phase.name !== 'pull').map((phase) => phase.wallMs)
  const total = times.reduce((sum, time) => sum + time, 0)
  const said = times.length > 0 ? `${end(finished)} ${duration(total)}` : end(finished)
  const peak = finished.phases.find((phase) => phase.name === 'run')?.peakMemoryBytes
  return peak === undefined ? said : `${said}, ${(peak / 1024 / 1024).toFixed(1)} MB`
}

function end(finished: Finished): string {
  switch (finished.outcome) {
    case 'exited':
      return well(finished) ? '✓' : `✗ exit ${String(finished.exitCode)}`
    case 'signaled':
      return `✗ signal ${String(finished.signal ?? 0)}`
    default:
      // A newer server may know ends that this release does not.
      return ENDS[finished.outcome] ?? finished.outcome
  }
}

/** One line of untrusted text, short and without anything that could disguise it: control characters, and those that
 * change the direction of writing. */
export function label(text: string): string {
  const clean = text
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu, '')
    .trim()
  const characters = Array.from(clean)
  return characters.length <= LABEL_LIMIT ? clean : characters.slice(0, LABEL_LIMIT - 1).join('') + '…'
}
