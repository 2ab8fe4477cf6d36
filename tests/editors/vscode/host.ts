/** Starts a VS Code that runs the bundled stories of `host/` inside its extension host. RUNPEN_TEST_HOST is their bundle. */

import * as fs from 'node:fs'
import * as path from 'node:path'
import { address, binary, openPage, PATIENCE, startBrowser, startCode, work } from './harness.ts'

const bundle = process.env['RUNPEN_TEST_HOST'] ?? ''
const extension = process.env['RUNPEN_TEST_EXTENSION'] ?? ''
const files = {
  'first.py': 'print("first")\n',
  'trace.py': 'def divide(number):\n    return 1 / number\n\n\nprint(divide(0))\n',
}

const code = await startCode('host', {
  files,
  settings: { 'workbench.welcomePage.walkthroughs.openOnInstall': false, 'runpen.timeout': '5m' },
  machine: { 'runpen.server.path': binary },
  words: ['--vscode-option', 'enable-smoke-test-driver'],
  // The extension comes unpacked, as one that is being developed.
  install: false,
})
const browser = await startBrowser()
const remote = `vscode-remote://${new URL(code.url).host}`
let exit: number | undefined
try {
  const environment = { RUNPEN_TEST_RESULTS: work, RUNPEN_TEST_ONLY: process.argv[2] ?? '' }
  const page = await openPage(browser, 'about:blank')
  const over = new Promise<number>((resolve) => {
    void page.exposeFunction('codeAutomationExit', (status: number) => {
      resolve(status)
    })
  })
  await page.exposeFunction('codeAutomationLog', () => undefined)
  await page.goto(
    address(code.url, code.workspace, undefined, [
      ['extensionDevelopmentPath', `${remote}${extension}`],
      ['extensionTestsPath', `${remote}${bundle}`],
      ['extensionEnvironment', JSON.stringify(environment)],
      ['skipWelcome', 'true'],
      ['skipReleaseNotes', 'true'],
    ]),
    { timeout: PATIENCE },
  )
  const late = new Promise<number>((resolve) => {
    setTimeout(resolve, 5 * PATIENCE, 124).unref()
  })
  exit = await Promise.race([over, late])
} finally {
  await Promise.race([browser.close(), new Promise((resolve) => setTimeout(resolve, PATIENCE / 9))])
  await code.stop()
}
const results = path.join(work, 'host.txt')
console.log(fs.existsSync(results) ? fs.readFileSync(results, 'utf8').trimEnd() : fs.readFileSync(code.log, 'utf8'))
console.log(`host: exit code ${String(exit)}`)
process.exitCode = exit === 0 && fs.existsSync(results) ? 0 : 1
