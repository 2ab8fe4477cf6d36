/** What is around the runs: images, the doctor, the receipt, the log, and a server that dies. */

import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { StandIn } from '../daemon.ts'
import { until, work } from '../harness.ts'
import { step } from './start.ts'
import * as window from './window.ts'
import type { Story } from './window.ts'

const { choose, lens, line, messages, news, open, outputHas, page, palette, press } = window
const { servers, settings, shot, shut, status, toast } = window
const { image } = window.registry

/** A new server in place of that one. */
async function followed(old: number | undefined): Promise<void> {
  assert(old)
  await until(() => {
    const now = servers().map(({ pid }) => pid)
    return now.length === 1 && now[0] !== old
  }, 'another server is there, and only that')
  await status(/docker/).waitFor()
}

export const stories: Story[] = [
  [
    'the status bar gives the receipt',
    async () => {
      await status(/docker/).click()
      await choose('Show Sandbox Report')
      await line(/^\s*capabilities\s+none/).waitFor()
      await shot('report')
    },
  ],
  [
    'a pull is seen in the status bar, and stopped in its notification',
    async () => {
      // Ahead of need, with the document.
      await open('hold.lua')
      await status('Runpen pulling').waitFor()
      await press(`Fetch ${image}`, 'Cancel')
      await status(/docker/).waitFor()
      // For a run.
      await lens('Run in sandbox').click()
      await status('Runpen pulling').waitFor()
      await press(`fetching ${image}`, 'Cancel')
      await outputHas(/hold\.lua \(.*\n■ stopped/)
      await status(/docker/).waitFor()
      // Because somebody asks.
      await palette('Runpen: Pull Images')
      await status('Runpen pulling').waitFor()
      await press(`Fetch ${image}`, 'Cancel')
      await toast(`${image}: it was cancelled`)
      await shut('hold.lua')
      await palette('Runpen: Pull Images')
      await toast('the images are there: ')
      await status(/docker/).waitFor()
    },
  ],
  [
    'the doctor tries the sandbox',
    async () => {
      await palette('Runpen: Doctor')
      await outputHas(/Every control holds\.\n+runpen doctor: exit code 0/)
    },
  ],
  [
    'the walkthrough has seen what was done',
    async () => {
      await palette('Welcome: Open Walkthrough')
      await choose('Run code in a sandbox')
      for (const title of ['Get the program', 'Run something', 'See what enclosed it']) {
        await step(title, true)
      }
      await shot('walkthrough')
    },
  ],
  [
    'the status bar follows an engine that ends, hangs and comes back',
    async () => {
      const engine = new StandIn(path.join(work, 'engine.sock'))
      await engine.start()
      await open('hello.py')
      await settings({ 'runpen.dockerHost': `unix://${engine.socket}` }, 'User')
      await status(/docker warm/).waitFor()
      for (let round = 0; round < 2; round += 1) {
        const ended = Date.now()
        await engine.stop()
        await status('no engine').waitFor()
        console.log(`        gone after ${String(Date.now() - ended)} ms`)
        const started = Date.now()
        await engine.start()
        await status(/docker/).waitFor()
        console.log(`        back after ${String(Date.now() - started)} ms`)
      }
      await status(/docker warm/).waitFor()
      // Only what is asked hangs, and it is asked while somebody is there.
      await page.locator('.monaco-editor').first().click()
      await page.keyboard.type(' ')
      engine.hang(true)
      await status('no engine').waitFor()
      engine.hang(false)
      await status(/docker/).waitFor()
      await settings({ 'runpen.dockerHost': undefined }, 'User')
      await engine.stop()
      await status(/docker/).waitFor()
    },
  ],
  [
    'the log says what is said to the server, where that is wanted',
    async () => {
      await settings({ 'runpen.trace.server': 'messages' })
      await palette('Developer: Set Log Level')
      await choose('Runpen', 'log')
      await choose('Trace')
      await palette('Runpen: Restart the Server')
      await palette('Runpen: Show Log')
      // Which of them is in sight depends on who spoke last.
      await outputHas(/\[trace\] (Sending|Received) (request|response|notification) '/)
    },
  ],
  [
    'a server that is killed comes back, without a word, and so does one that is told to',
    async () => {
      const known = new Set(messages)
      const [first] = servers()
      assert(first)
      process.kill(first.pid, 'SIGKILL')
      await followed(first.pid)
      const [second] = servers()
      await palette('Runpen: Restart the Server')
      await followed(second?.pid)
      assert.deepEqual(news(known), [])
    },
  ],
  [
    'a server that dies at once is given up with one message, and its button brings it back',
    async () => {
      const dying = path.join(work, 'dying')
      const mended = path.join(work, 'mended')
      const [server] = servers()
      assert(server)
      const words = `if [ -e ${mended} ]; then exec ${server.program} "$@"; fi; if [ "$1" = languages ]; then echo "[]"; else exit 1; fi`
      fs.writeFileSync(dying, `#!/bin/sh\n${words}\n`, { mode: 0o755 })
      const known = new Set(messages)
      await settings({ 'runpen.server.path': dying }, 'Machine')
      await toast('it is not started any more')
      await status('Runpen off').waitFor()
      assert.equal(news(known).length, 1, news(known).join('\n'))
      fs.writeFileSync(mended, '')
      await press('it is not started any more', 'Restart')
      await status(/docker/).waitFor()
      // One that was never run: its lens is drawn once, and its output stands nowhere yet.
      await open('again.py')
      await lens('Run in sandbox').click()
      await outputHas('back again')
    },
  ],
  [
    'a program that is not there is missed in words, with a button that leads to the setting',
    async () => {
      await settings({ 'runpen.server.path': path.join(work, 'nowhere') }, 'Machine')
      await toast('runpen.server.path names no program')
      await status('Runpen off').waitFor()
      await press('runpen.server.path names no program', 'Choose the Program')
      await page.locator('.settings-editor .setting-item-label', { hasText: 'Path' }).first().waitFor()
      await settings({ 'runpen.server.path': '' }, 'Machine')
      await status(/docker/).waitFor()
    },
  ],
]
