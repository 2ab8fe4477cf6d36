/** The stories through the screen: one window, one story after the other. Arguments choose some by a part of their name. */

import { stories as engine } from './screen/engine.ts'
import { stories as pages } from './screen/pages.ts'
import { stories as runs } from './screen/runs.ts'
import { stories as start } from './screen/start.ts'
import { close, messages, shot } from './screen/window.ts'

let passed = 0
let failed = 0
try {
  for (const [name, story] of [...start, ...runs, ...pages, ...engine]) {
    if (process.argv[2] !== undefined && !name.includes(process.argv[2])) {
      continue
    }
    const began = Date.now()
    try {
      await story()
      passed += 1
      console.log(`ok      ${name} (${String(Date.now() - began)} ms)`)
    } catch (error) {
      failed += 1
      console.log(`FAILED  ${name}: ${String(error)}`)
      await shot(`failed-${String(failed)}`).catch(() => undefined)
      console.log(`        messages: ${JSON.stringify([...new Set(messages)])}`)
      // The stories go on in the same window: what comes after a failure would only fail too.
      break
    }
  }
} finally {
  await close()
}
console.log(`screen: ${String(passed)} passed, ${String(failed)} failed`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1
