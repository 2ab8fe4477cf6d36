/** The first minutes: what stands there, a run without trust, and what trust changes. */

import assert from 'node:assert/strict'
import * as path from 'node:path'
import {
  code,
  lens,
  line,
  messages,
  offers,
  open,
  outputHas,
  page,
  palette,
  servers,
  shot,
  shut,
  status,
  toast,
} from './window.ts'
import type { Story } from './window.ts'

const ALWAYS = ['Doctor', 'Restart the Server', 'Show Log']
const SERVED = [...ALWAYS, 'Pull Images']
export const RAN = [...SERVED, 'Clear Results', 'Show Sandbox Report', 'Show Output']
export const PYTHON = ['Run File in Sandbox', 'Run Block', 'Run All Blocks']

const NETWORK = 'network is ignored: a project cannot give itself one'

/** Looks at the receipt of the last run. The size of `/tmp` is half the memory, and seen without scrolling. */
async function reportHas(row: RegExp): Promise<void> {
  await palette('Runpen: Show Sandbox Report')
  await line(row).waitFor()
}

/** A step of the walkthrough, which has been seen as done, or has not. */
export async function step(title: string, done: boolean): Promise<void> {
  const box = `[role="checkbox"][aria-checked="${String(done)}"][aria-label*="${title}"]`
  await page.locator(box).first().waitFor({ state: 'attached' })
}

export const stories: Story[] = [
  [
    'the first start opens the walkthrough, and nothing runs yet',
    async () => {
      await page.locator('.getting-started-step', { hasText: 'Run something' }).first().waitFor()
      await step('Run something', false)
      await status('Runpen off').waitFor()
      await offers(ALWAYS)
    },
  ],
  [
    'without trust a file runs, in the program of the package, and the settings of the workspace do not count',
    async () => {
      await page.locator('.statusbar-item', { hasText: 'Restricted Mode' }).first().waitFor()
      await open('hello.py')
      await lens('Run in sandbox').click()
      await outputHas('Hello from Linux')
      await lens(/✓/).waitFor()
      const [server, ...others] = servers()
      assert.deepEqual(others, [])
      const top = path.join(path.dirname(code.userData), 'extensions/runpen.runpen-')
      assert(server?.program.startsWith(top) && server.program.endsWith('/server/runpen'), server?.program)
      await reportHas(/^\s*\/tmp\s.*size=67108864,/)
      await open('hello.py')
      await offers([...RAN, ...PYTHON])
      assert.deepEqual(
        messages.filter((message) => message.includes('Runpen')),
        [],
      )
    },
  ],
  [
    'a workspace that is trusted and asks for network is refused with a word, and may tighten',
    async () => {
      await palette('Workspaces: Manage Workspace Trust')
      await page
        .locator('.workspace-trust-editor .monaco-button', { hasText: /^Trust/ })
        .first()
        .click()
      await toast(NETWORK)
      await shut('Workspace Trust')
      await open('hello.py')
      await palette('Runpen: Run File in Sandbox')
      await outputHas(/Hello from Linux[^]*Hello from Linux\n✓/)
      await reportHas(/^\s*\/tmp\s.*size=50331648,/)
      await palette('Runpen: Clear Results')
    },
  ],
  [
    'a click on the lens shows the output, and the status bar the engine',
    async () => {
      await open('hello.py')
      await lens('Run in sandbox').click()
      await outputHas('Hello from Linux')
      await outputHas(/✓ \d/)
      await lens(/✓/).waitFor()
      await line(/import.*✓.*Linux/).waitFor()
      await status(/docker/).waitFor()
      await status(/warm/).waitFor()
      await shot('output')
    },
  ],
  [
    'the result goes with an edit of its line',
    async () => {
      const result = page.locator('.view-line', { hasText: /import.*✓/ })
      await result.first().waitFor()
      await page.locator('.view-line', { hasText: 'import' }).first().click()
      await page.keyboard.press('End')
      await page.keyboard.type(' ')
      await result.first().waitFor({ state: 'detached' })
      await page.keyboard.press('Control+Z')
    },
  ],
]
