/** The lines of ours around a run's output, the same in each view. Pure. */

import type { Finished } from '../protocol.ts'
import type { Run } from '../runs.ts'
import { label, title } from '../words.ts'

/** Name of the document, without its folders: in the sandbox it has none. */
export function nameOf(uri: string | undefined): string {
  const path = (uri ?? '').replace(/[?#].*$/, '')
  const name = path.slice(Math.max(path.lastIndexOf('/'), path.indexOf(':')) + 1)
  try {
    return decodeURIComponent(name) || 'code'
  } catch {
    return name
  }
}

export function heading(run: Run): string {
  const warm = run.warm === true ? ', warm' : ''
  return `▶ ${placeOf(run)} (${run.engine ?? ''}, ${run.image ?? ''}${warm})`
}

/** Whose the next words are, after those of another run. */
export function resumed(run: Run): string {
  return `… ${placeOf(run)}`
}

function placeOf({ uri, range }: Run): string {
  const lines = range === undefined ? '' : `:${String(range.start.line + 1)}-${String(lastLine(range) + 1)}`
  return nameOf(uri) + lines
}

export function ending(finished: Finished): string {
  return finished.error === undefined ? title(finished) : `${title(finished)} · ${label(finished.error)}`
}

/** What went wrong, in lines of the document. Tools count from the beginning of what ran, which is no line that anybody
 * sees when that was a part. */
export function findings(run: Run, finished: Finished): string[] {
  if (run.range === undefined) {
    return []
  }
  return finished.diagnostics.map(({ range, message }) => {
    const { line, character } = range.start
    return `${nameOf(run.uri)}:${String(line + 1)}:${String(character + 1)}: ${label(message)}`
  })
}

function lastLine(range: { start: { line: number }; end: { line: number; character: number } }): number {
  return Math.max(range.start.line, range.end.character === 0 ? range.end.line - 1 : range.end.line)
}
