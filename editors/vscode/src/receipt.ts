/** The receipt of a run as a text: what really enclosed the program. Pure. */

import type { Run } from './runs.ts'
import { nameOf } from './output/heading.ts'
import { duration, label, size, title } from './words.ts'

export function receipt(run: Run | undefined): string {
  const finished = run?.finished
  if (run === undefined || finished === undefined) {
    return 'Nothing has been run yet.\n'
  }
  const rows: [string, string][] = [
    ['document', nameOf(run.uri)],
    ['outcome', title(finished)],
  ]
  if (finished.error !== undefined) {
    rows.push(['because', label(finished.error)])
  }
  for (const { name, wallMs, cpuMs, peakMemoryBytes } of finished.phases) {
    const used = [duration(wallMs)]
    if (cpuMs !== undefined) {
      used.push(`${duration(cpuMs)} of CPU`)
    }
    if (peakMemoryBytes !== undefined) {
      used.push(`${size(peakMemoryBytes)} at most`)
    }
    rows.push([name, used.join(', ')])
  }
  const { sandbox } = finished
  if (sandbox === undefined) {
    return `${table(rows)}\nThere was no container.\n`
  }
  const engine: [string, string][] = [
    ['engine', `${sandbox.engine} ${sandbox.engineVersion}`],
    ['runtime', sandbox.runtime],
    ['image', sandbox.image],
  ]
  if (sandbox.digest !== undefined) {
    engine.push(['digest', sandbox.digest])
  }
  const missing = sandbox.missing.length === 0 ? ['nothing'] : sandbox.missing
  return [
    'Sandbox report\n',
    table(rows),
    'Engine\n',
    table(engine),
    'Controls, read back from the engine\n',
    table(Object.entries(sandbox.controls)),
    'Missing\n',
    missing.map((line) => `  ${label(line)}\n`).join(''),
  ].join('\n')
}

function table(rows: [string, string][]): string {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}\n`).join('')
}
