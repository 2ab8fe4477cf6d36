/** The window that all stories through the screen share, and the hands and eyes of who sits in front of it. */

import * as fs from 'node:fs'
import * as path from 'node:path'
import { address, openPage, startBrowser, startCode, startRegistry, until, work } from '../harness.ts'

/** What it does, and what it is called. */
export type Story = [string, () => Promise<void>]

const files = {
  'hello.py': 'import platform\n\nprint("Hello from", platform.system())\n',
  'boom.py': 'def half(count):\n    return count / 2\n\n\nprint(half(10))\nprint(half(missing_name))\n',
  'loop.py': 'import time\n\nprint("round and round", flush=True)\nwhile True:\n    time.sleep(0.05)\n',
  'again.py': 'print("back", "again")\n',
  'ask.py': 'name = input("Who are you? ")\nprint("\\x1b[1;32mHello,\\x1b[0m", name)\n',
  'flood.py': 'for number in range(20000):\n    print(f"{number:05} {number * number:010}")\nprint("the end")\n',
  'hold.lua': 'print("never")\n',
  'notes.md':
    '# Notes\n\nSome words.\n\n> ```python\n> word = "first"\n> print("second")\n> ```\n\n' +
    '```python\nprint("printed for the", "preview")\n```\n\n```json\n{}\n```\n',
  '.vscode/settings.json': JSON.stringify({ 'runpen.network': 'bridge', 'runpen.memory': '96M' }),
}

const shots = path.join(work, 'screenshots')
fs.mkdirSync(shots, { recursive: true })

export const registry = await startRegistry()
// The server is the one in the package. A program that waits for us must not be stopped before, however slow the machine.
export const code = await startCode('screen', {
  files,
  settings: {
    'runpen.timeout': '5m',
    'runpen.languages': { lua: { image: registry.image } },
    'security.workspace.trust.startupPrompt': 'never',
    'security.workspace.trust.banner': 'never',
    // As much as a story counts.
    'terminal.integrated.scrollback': 25_000,
  },
  trust: false,
})
const browser = await startBrowser()
export const page = await openPage(browser, address(code.url, code.workspace))
await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
export const messages: string[] = []
// What toasts said: they go by themselves.
await page.exposeFunction('sawToast', (text: string) => {
  messages.push(plain(text))
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

export async function close(): Promise<void> {
  await Promise.race([browser.close(), new Promise((resolve) => setTimeout(resolve, 10_000))])
  await code.stop()
  await registry.stop()
}

/** Text as people see it: VS Code draws spaces that do not break. */
export function plain(text: string): string {
  return text.replaceAll('\u00a0', ' ')
}

const rows = (text: string): any => page.locator('.quick-input-widget .monaco-list-row', { hasText: text })

/** Something else that opens, a toast say, may take the quick input away: then it is asked for again. */
async function quick(key: string, words: string, row: string): Promise<void> {
  const input = page.locator('.quick-input-widget input.input')
  await until(async () => {
    try {
      await page.keyboard.press(key)
      await input.fill(words, { timeout: 10_000 })
      await rows(row).first().click({ timeout: 10_000 })
      return true
    } catch {
      await page.keyboard.press('Escape')
      return false
    }
  }, `${row} is chosen`)
}

export async function palette(command: string): Promise<void> {
  await quick('F1', `>${command}`, command)
}

/** A row of what was asked; of a long list it is searched. */
export async function choose(row: string, question?: string): Promise<void> {
  if (question !== undefined) {
    await page.locator(`.quick-input-widget input.input[placeholder*="${question}" i]`).fill(row)
  }
  await rows(row).first().click()
}

/** Our commands that the palette has now are these. */
export async function offers(wanted: string[]): Promise<void> {
  const input = page.locator('.quick-input-widget input.input')
  let seen: string[] = []
  await until(
    async () => {
      await page.keyboard.press('F1')
      await input.fill('>Runpen: ')
      await rows('Runpen: Doctor').first().waitFor()
      const labels: string[] = await page.locator('.quick-input-list-label .label-name').allTextContents()
      await page.keyboard.press('Escape')
      seen = labels.map(plain).filter((label) => label.startsWith('Runpen: '))
      return (
        [...seen].sort().join() ===
        wanted
          .map((command) => `Runpen: ${command}`)
          .sort()
          .join()
      )
    },
    `the palette has ${wanted.join(', ')}`,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}; it has ${seen.join(', ')}`)
  })
}

export async function open(file: string): Promise<void> {
  await quick('Control+P', file, file)
  await page.locator('.tab.active', { hasText: file }).waitFor()
}

export async function shut(file: string): Promise<void> {
  const tab = page.locator('.tab', { hasText: file })
  await tab.locator('.tab-actions a').first().click()
  await tab.waitFor({ state: 'detached' })
}

export const line = (text: string | RegExp): any =>
  page.locator('.editor-instance .view-line', { hasText: text }).first()
export const lens = (text: string | RegExp): any => page.locator('.codelens-decoration a', { hasText: text }).first()
export const status = (text: string | RegExp): any =>
  page.locator('[id="runpen.runpen.runpen.status"]', { hasText: text }).first()

export async function outputHas(text: string | RegExp): Promise<void> {
  await until(
    async () => {
      const lines: string[] = await page.locator('.part.panel .view-line').allTextContents()
      const shown = plain(lines.join('\n'))
      return typeof text === 'string' ? shown.includes(text) : text.test(shown)
    },
    `the output has ${String(text)}`,
  )
}

/** What was said since. */
export function news(known: Set<string>): string[] {
  return [...new Set(messages)].filter((message) => !known.has(message))
}

export async function toast(text: string): Promise<void> {
  await until(() => messages.some((message) => message.includes(text)), `a message has: ${text}`)
}

/** A button of a message that is there. */
export async function press(message: string, button: string): Promise<void> {
  const item = page.locator('.notification-toast .notification-list-item', { hasText: message })
  await item.locator('.monaco-button', { hasText: button }).first().click()
}

/** As a person changes them: a file that something else writes is not always noticed. */
export async function settings(change: Record<string, unknown>, which: 'User' | 'Machine' = 'User'): Promise<void> {
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

export async function shot(name: string): Promise<void> {
  await page.screenshot({ path: path.join(shots, `${name}.png`) })
}

/** The servers of this window that are alive: process and program. */
export function servers(): { pid: number; program: string }[] {
  return fs.readdirSync('/proc').flatMap((name) => {
    try {
      const program = fs.readlinkSync(`/proc/${name}/exe`)
      const ours = program.startsWith(path.dirname(code.userData) + path.sep)
      const serves = ours && fs.readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0')[1] === 'lsp'
      return serves ? [{ pid: Number(name), program }] : []
    } catch {
      // No process, or one that has gone.
      return []
    }
  })
}
