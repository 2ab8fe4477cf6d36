/** The stories through the screen: one window, one story after the other. Arguments choose some by a part of their name. */

import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { address, openPage, PATIENCE, startBrowser, startCode, until, work } from './harness.ts'

const files = {
  'hello.py': 'import platform\n\nprint("Hello from", platform.system())\n',
  'boom.py': 'def half(count):\n    return count / 2\n\n\nprint(half(10))\nprint(half(missing_name))\n',
  'loop.py': 'import time\n\nprint("round and round", flush=True)\nwhile True:\n    time.sleep(0.05)\n',
  'again.py': 'print("back", "again")\n',
  'ask.py': 'name = input("Who are you? ")\nprint("\\x1b[1;32mHello,\\x1b[0m", name)\n',
  'notes.md':
    '# Notes\n\nSome words.\n\n> ```python\n> word = "first"\n> print("second")\n> ```\n\n' +
    '```python\nprint("printed for the", "preview")\n```\n\n```json\n{}\n```\n',
  '.vscode/settings.json': JSON.stringify({ 'runpen.network': 'bridge' }),
}

const shots = path.join(work, 'screenshots')
fs.mkdirSync(shots, { recursive: true })

// The server is the one in the package. A program that waits for us must not be stopped before, however slow the machine.
const code = await startCode('screen', { files, settings: { 'runpen.timeout': '5m' } })
const browser = await startBrowser()
const page = await openPage(browser, address(code.url, code.workspace))
const messages: string[] = []
// What toasts said: they go by themselves.
await page.exposeFunction('sawToast', (text: string) => {
  messages.push(text)
})
await page.evaluate(() => {
  const look = (): void => {
    for (const toast of document.querySelectorAll('.notification-list-item-message')) {
      // @ts-expect-error -- exposed above
      void window.sawToast(toast.textContent ?? '')
    }
  }
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true })
  look()
})

/** Text as people see it: VS Code draws spaces that do not break. */
const plain = (text: string): string => text.replaceAll('\u00a0', ' ')

/** Something else that opens, a toast say, may take the quick input away: then it is asked for again. */
async function quick(key: string, words: string, row: string): Promise<void> {
  const input = page.locator('.quick-input-widget input.input')
  await until(async () => {
    try {
      await page.keyboard.press(key)
      await input.fill(words, { timeout: 10_000 })
      await page.locator('.quick-input-widget .monaco-list-row', { hasText: row }).first().click({ timeout: 10_000 })
      return true
    } catch {
      await page.keyboard.press('Escape')
      return false
    }
  }, `${row} is chosen`)
}

async function palette(command: string): Promise<void> {
  await quick('F1', `>${command}`, command)
}

async function open(file: string): Promise<void> {
  await quick('Control+P', file, file)
  await page.locator('.tab.active', { hasText: file }).waitFor()
}

const lens = (text: string | RegExp): any => page.locator('.codelens-decoration a', { hasText: text }).first()
const status = (text: string | RegExp): any =>
  page.locator('[id="runpen.runpen.runpen.status"]', { hasText: text }).first()

async function outputHas(text: string | RegExp): Promise<void> {
  await until(
    async () => {
      const lines: string[] = await page.locator('.part.panel .view-line').allTextContents()
      const shown = plain(lines.join('\n'))
      return typeof text === 'string' ? shown.includes(text) : text.test(shown)
    },
    `the output has ${String(text)}`,
  )
}

async function toast(text: string): Promise<void> {
  await until(() => messages.some((message) => plain(message).includes(text)), `a message has: ${text}`)
}

/** As a person changes them: a file that something else writes is not always noticed. */
async function settings(change: Record<string, unknown>, which: 'User' | 'Machine' = 'User'): Promise<void> {
  const file = path.join(code.userData, which, 'settings.json')
  const wanted = { ...(JSON.parse(fs.readFileSync(file, 'utf8')) as object), ...change }
  await palette(`Preferences: Open ${which === 'User' ? 'User' : 'Remote'} Settings (JSON)`)
  await page.locator('.tab.active', { hasText: 'settings.json' }).waitFor()
  await page.locator('.editor-instance .view-line').first().click()
  await page.keyboard.press('Control+A')
  await page.keyboard.insertText(JSON.stringify(wanted))
  // The editor closes what it was told to leave open.
  await page.keyboard.press('Control+Shift+End')
  await page.keyboard.press('Delete')
  await page.keyboard.press('Control+S')
  await until(() => {
    try {
      return JSON.stringify(JSON.parse(fs.readFileSync(file, 'utf8'))) === JSON.stringify(wanted)
    } catch {
      // It is being written.
      return false
    }
  }, 'the settings are saved')
  await page.keyboard.press('Control+F4')
}

async function shot(name: string): Promise<void> {
  await page.screenshot({ path: path.join(shots, `${name}.png`) })
}

/** Whether a step of the walkthrough is seen as done. */
async function stepDone(title: string): Promise<void> {
  const box = `[role="checkbox"][aria-checked="true"][aria-label*="${title}"]`
  await page.locator(box).first().waitFor({ state: 'attached' })
}

const stories: [string, () => Promise<void>][] = [
  [
    'the first start opens the walkthrough',
    async () => {
      const step = page.locator('.getting-started-step', { hasText: 'Run something' })
      await step.first().waitFor()
      const unseen = '[role="checkbox"][aria-checked="false"][aria-label*="Run something"]'
      await page.locator(unseen).first().waitFor({ state: 'attached' })
      await status('Runpen').waitFor()
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
      await page
        .locator('.view-line', { hasText: /import.*✓.*Linux/ })
        .first()
        .waitFor()
      await status(/docker/).waitFor()
      await status(/warm/).waitFor()
      await shot('output')
    },
  ],
  [
    'a workspace that asks for network is refused with a word',
    async () => {
      await toast('network is ignored: a project cannot give itself one')
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
  [
    'an exception has a squiggle at the right word',
    async () => {
      await open('boom.py')
      await lens('Run in sandbox').click()
      await outputHas('NameError')
      const squiggle = page.locator('.squiggly-error').first()
      await squiggle.waitFor()
      // Where the word is drawn, and where the squiggle is.
      await until(async () => {
        const word = (await page.evaluate(() => {
          for (const line of document.querySelectorAll('.editor-instance .view-line')) {
            const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT)
            for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
              const at = node.textContent?.indexOf('missing_name') ?? -1
              if (at >= 0) {
                const range = document.createRange()
                range.setStart(node, at)
                range.setEnd(node, at + 'missing_name'.length)
                const { left, right, top, bottom } = range.getBoundingClientRect()
                return { left, right, top, bottom }
              }
            }
          }
          return undefined
        })) as { left: number; right: number; top: number; bottom: number } | undefined
        const box = (await squiggle.boundingBox()) as { x: number; y: number; width: number; height: number } | null
        return (
          word !== undefined &&
          box !== null &&
          Math.abs(box.x - word.left) < 2 &&
          Math.abs(box.x + box.width - word.right) < 2 &&
          box.y + box.height / 2 > word.top &&
          box.y < word.bottom
        )
      }, 'the squiggle is below the word')
      await shot('error')
    },
  ],
  [
    'Stop ends an endless loop',
    async () => {
      await open('loop.py')
      await lens('Run in sandbox').click()
      await outputHas('round and round')
      await status('1 running').waitFor()
      await palette('Runpen: Stop')
      await outputHas('■ stopped')
      await status(/docker/).waitFor()
    },
  ],
  [
    'a program that reads is answered in the terminal',
    async () => {
      await settings({ 'runpen.output.view': 'terminal' })
      await open('ask.py')
      await lens('Run in sandbox').click()
      const rows = page.locator('.part.panel .xterm-rows')
      await rows.waitFor()
      await until(async () => plain(await rows.innerText()).includes('Who are you?'), 'the terminal asks')
      await page.locator('.part.panel .xterm-screen').click()
      await page.keyboard.type('Ada')
      await page.keyboard.press('Enter')
      await until(async () => plain(await rows.innerText()).includes('Hello, Ada'), 'the terminal greets')
      await until(async () => /✓ \d/.test(plain(await rows.innerText())), 'the run is over')
      await shot('terminal')
      await settings({ 'runpen.output.view': 'channel' })
    },
  ],
  [
    'a selection in a fence of a page runs',
    async () => {
      await open('notes.md')
      await lens('Run all blocks').waitFor()
      await page.locator('.editor-instance .view-line', { hasText: 'second' }).first().click()
      await page.keyboard.press('Home')
      await page.keyboard.press('Shift+End')
      await palette('Runpen: Run Selection in Sandbox')
      await outputHas(/notes\.md:7-7 \(.*\nsecond\n✓/)
    },
  ],
  [
    'a click in the Markdown preview runs the block',
    async () => {
      await open('notes.md')
      await palette('Markdown: Open Preview')
      const frame = page.frameLocator('iframe.webview.ready').frameLocator('#active-frame')
      const buttons = frame.locator('a.runpen-run')
      await buttons.nth(1).waitFor()
      assert.equal(await buttons.count(), 2)
      await shot('preview')
      await buttons.nth(1).click()
      await outputHas(/notes\.md:\d+-\d+ \(.*\nprinted for the preview\n✓/)
      // A second click runs it again, and the preview is still what is seen.
      await buttons.nth(1).click()
      await outputHas(/printed for the preview\n✓[^]*printed for the preview\n✓/)
      await page.locator('.tab.active', { hasText: 'Preview' }).waitFor()
    },
  ],
  [
    'the status bar gives the receipt',
    async () => {
      await status(/docker/).click()
      const row = page.locator('.quick-input-widget .monaco-list-row', { hasText: 'Show Sandbox Report' })
      await row.first().click()
      const text = page.locator('.editor-instance .view-line', { hasText: /^\s*capabilities\s+none/ })
      await text.first().waitFor()
      await shot('report')
    },
  ],
  [
    'the walkthrough has seen what was done',
    async () => {
      await palette('Welcome: Open Walkthrough')
      const row = page.locator('.quick-input-widget .monaco-list-row', { hasText: 'Run code in a sandbox' })
      await row.first().click()
      await stepDone('Get the program')
      await stepDone('Run something')
      await stepDone('See what enclosed it')
      await shot('walkthrough')
    },
  ],
  [
    'a server that dies at once is given up, and comes back with the setting',
    async () => {
      await open('loop.py')
      await lens('Run in sandbox').waitFor()
      const dying = path.join(work, 'dying')
      fs.writeFileSync(dying, '#!/bin/sh\nif [ "$1" = languages ]; then echo "[]"; exit 0; fi\nexit 1\n', {
        mode: 0o755,
      })
      await settings({ 'runpen.server.path': dying }, 'Machine')
      await toast('it is not started any more')
      await status('Runpen off').waitFor()
      await settings({ 'runpen.server.path': '' }, 'Machine')
      await status(/docker/).waitFor()
      // One that was never run: its lens is drawn once, and its output stands nowhere yet.
      await open('again.py')
      await lens('Run in sandbox').click()
      await outputHas('back again')
    },
  ],
]

let passed = 0
let failed = 0
try {
  for (const [name, story] of stories) {
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
  await Promise.race([browser.close(), new Promise((resolve) => setTimeout(resolve, PATIENCE / 9))])
  await code.stop()
}
console.log(`screen: ${String(passed)} passed, ${String(failed)} failed`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1
