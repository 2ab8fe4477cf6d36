/** Runs as somebody sees them who writes a program: errors, Stop, input, output that is long. */

import assert from 'node:assert/strict'
import { lens, offers, open, outputHas, page, palette, plain, press, settings, shot, status } from './window.ts'
import { until } from '../harness.ts'
import { PYTHON, RAN } from './start.ts'
import type { Story } from './window.ts'

interface Box {
  left: number
  right: number
  top: number
  bottom: number
}

/** Where a word is drawn in the editor. */
async function whereIs(word: string): Promise<Box | undefined> {
  return (await page.evaluate((wanted: string) => {
    for (const line of document.querySelectorAll('.editor-instance .view-line')) {
      const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT)
      for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
        const at = node.textContent?.indexOf(wanted) ?? -1
        if (at >= 0) {
          const range = document.createRange()
          range.setStart(node, at)
          range.setEnd(node, at + wanted.length)
          const { left, right, top, bottom } = range.getBoundingClientRect()
          return { left, right, top, bottom }
        }
      }
    }
    return undefined
  }, word)) as Box | undefined
}

const terminal = page.locator('.part.panel .xterm-rows')

async function terminalHas(text: string | RegExp): Promise<void> {
  await until(
    async () => {
      const shown = plain(await terminal.innerText())
      return typeof text === 'string' ? shown.includes(text) : text.test(shown)
    },
    `the terminal has ${String(text)}`,
  )
}

export const stories: Story[] = [
  [
    'an exception has a squiggle at the right word, and a click in the output leads to it',
    async () => {
      await open('boom.py')
      await lens('Run in sandbox').click()
      const squiggle = page.locator('.squiggly-error').first()
      await squiggle.waitFor()
      await until(async () => {
        const word = await whereIs('missing_name')
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
      await lens(/✗ exit 1/).waitFor()
      await shot('error')
      const link = page.locator('.part.panel .view-line .detected-link', { hasText: 'boom.py' }).first()
      await link.click({ modifiers: ['Control'] })
      await page.locator('.statusbar-item', { hasText: /^Ln 6, / }).waitFor()
    },
  ],
  [
    'Stop ends an endless loop',
    async () => {
      await open('loop.py')
      await page.locator('.editor-group-container .title a[aria-label*="Run File in Sandbox"]').first().click()
      await outputHas('round and round')
      await status('1 running').waitFor()
      await offers([...RAN, ...PYTHON, 'Stop', 'Send Input'])
      await palette('Runpen: Stop')
      await outputHas('■ stopped')
      await status(/docker/).waitFor()
    },
  ],
  [
    'a program is answered from the palette, and a long run stopped in its notification',
    async () => {
      await open('loop.py')
      await lens('Run in sandbox').click()
      await status('1 running').waitFor()
      await open('ask.py')
      await page.locator('.editor-instance .view-line').first().click()
      await page.keyboard.press('Control+Alt+R')
      await page.keyboard.press('F')
      await status('2 running').waitFor()
      await palette('Runpen: Send Input')
      await page.locator('.quick-input-title', { hasText: 'Input for ask.py' }).waitFor()
      await page.keyboard.type('Grace')
      await page.keyboard.press('Enter')
      await outputHas(/Hello, Grace\n✓/)
      await press('loop.py is still running', 'Cancel')
      await outputHas(/■ stopped[^]*■ stopped/)
      await status(/docker/).waitFor()
    },
  ],
  [
    'a program that reads is answered in the terminal, which has colours',
    async () => {
      await settings({ 'runpen.output.view': 'terminal' })
      await open('ask.py')
      await lens('Run in sandbox').click()
      await terminal.waitFor()
      await terminalHas('Who are you?')
      await page.locator('.part.panel .xterm-screen').click()
      await page.keyboard.type('Ada')
      await page.keyboard.press('Enter')
      await terminalHas('Hello, Ada')
      await terminalHas(/✓ \d/)
      const word = page.locator('.xterm-rows span', { hasText: /^Hello,/ }).first()
      const colour = (await word.evaluate((span: Element) => getComputedStyle(span).color)) as string
      const [red = 0, green = 0, blue = 0] = (colour.match(/\d+/g) ?? []).map(Number)
      assert(green > red && green > blue, colour)
      await lens(/✓/).waitFor()
      await shot('terminal')
    },
  ],
  [
    'a flood arrives in the terminal whole and in order',
    async () => {
      await open('flood.py')
      await lens('Run in sandbox').click()
      await terminalHas(/the end\s+✓ \d/)
      await page.locator('.part.panel .xterm-screen').click()
      await palette('Terminal: Select All')
      await palette('Terminal: Copy Selection')
      let copied = ''
      await until(async () => {
        copied = (await page.evaluate(() => navigator.clipboard.readText())) as string
        return copied.includes('the end')
      }, 'the terminal is copied')
      const numbers = copied.match(/^\d{5} \d{10}$/gm) ?? []
      const wanted = (number: number): string =>
        `${String(number).padStart(5, '0')} ${String(number * number).padStart(10, '0')}`
      assert.equal(numbers.length, 20_000)
      assert.deepEqual(
        numbers.find((text, number) => text !== wanted(number)),
        undefined,
      )
      await settings({ 'runpen.output.view': 'channel' })
    },
  ],
]
