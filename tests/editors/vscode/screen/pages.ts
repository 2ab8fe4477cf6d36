/** Pages with code in them, in the editor and in the preview. */

import assert from 'node:assert/strict'
import { lens, line, offers, open, outputHas, page, palette, shot } from './window.ts'
import { PYTHON, RAN } from './start.ts'
import type { Story } from './window.ts'

export const stories: Story[] = [
  [
    'a selection in a fence of a page runs, from the context menu',
    async () => {
      await open('notes.md')
      await lens('Run all blocks').waitFor()
      await line('second').click()
      await page.keyboard.press('Home')
      await page.keyboard.press('Shift+End')
      const blocks = PYTHON.filter((command) => command.includes('Block'))
      await offers([...RAN, ...blocks, 'Run Selection in Sandbox'])
      await line('second').click({ button: 'right' })
      await page.locator('.context-view .action-label', { hasText: 'Run Selection in Sandbox' }).first().click()
      await outputHas(/notes\.md:7-7 \(.*\nsecond\n✓/)
    },
  ],
  [
    'all blocks of a page run, each with its output',
    async () => {
      await palette('Runpen: Clear Results')
      await palette('Runpen: Run All Blocks')
      await outputHas(/✓[^]*✓/)
      // Two run at a time, and each says which it is.
      await outputHas(/notes\.md:10-12( \(.*)?\nprinted/)
      await outputHas(/notes\.md:5-8( \(.*)?\nsecond\n/)
    },
  ],
  [
    'a click in the Markdown preview runs the block',
    async () => {
      await palette('Runpen: Clear Results')
      await palette('Markdown: Open Preview')
      const frame = page.frameLocator('iframe.webview.ready').frameLocator('#active-frame')
      const buttons = frame.locator('a.runpen-run')
      await buttons.nth(1).waitFor()
      assert.equal(await buttons.count(), 2)
      await buttons.nth(1).click()
      await outputHas(/notes\.md:\d+-\d+ \(.*\nprinted for the preview\n✓/)
      await shot('preview')
      // A second click runs it again, and the preview is still what is seen.
      await buttons.nth(1).click()
      await outputHas(/printed for the preview\n✓[^]*printed for the preview\n✓/)
      await page.locator('.tab.active', { hasText: 'Preview' }).waitFor()
    },
  ],
]
