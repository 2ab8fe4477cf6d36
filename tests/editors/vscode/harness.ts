/**
 * A real VS Code on loopback and a real browser in front of it.
 *
 * RUNPEN_TEST_CODE is the folder of tests/setup/vscode.sh, RUNPEN_TEST_VSIX the packaged extension, RUNPEN_TEST_WORK a folder
 * that is thrown away, RUNPEN_BINARY the server. Everything is waited for by what it shows, never by time.
 */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { createRequire } from 'node:module'
import * as net from 'node:net'
import * as path from 'node:path'

const env = (name: string): string => {
  const value = process.env[name]
  if (value === undefined) {
    throw new Error(`${name} is not set`)
  }
  return value
}

export const code = env('RUNPEN_TEST_CODE')
export const work = env('RUNPEN_TEST_WORK')
export const binary = env('RUNPEN_BINARY')
export const vsix = env('RUNPEN_TEST_VSIX')
/** Room for a machine that is busy with other things: nothing waits that long when all is well. */
export const PATIENCE = 90_000

const entry = path.join(code, 'node_modules/code-server/out/node/entry.js')
const require = createRequire(path.join(code, 'package.json'))
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- its types are in a folder that is not there when this is checked
export const { chromium } = require('playwright-core') as any

export interface Code {
  url: string
  workspace: string
  userData: string
  log: string
  stop(): Promise<void>
}

export interface Options {
  /** Settings of the user. */
  settings?: Record<string, unknown>
  /** Settings of the machine: where those with the scope `machine` go. */
  machine?: Record<string, unknown>
  files: Record<string, string>
  /** More words for the command line. */
  words?: string[]
  install?: boolean
  trust?: boolean
}

const common = {
  'chat.disableAIFeatures': true,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.startupEditor': 'none',
  'files.autoSave': 'off',
  'git.enabled': false,
  'extensions.autoUpdate': 'off',
  // Settings in a tab like any other file.
  'workbench.editor.useModal': 'off',
  // The other renderers paint into a canvas, in which there is no text to read.
  'terminal.integrated.gpuAcceleration': 'off',
}

export function writeJson(file: string, value: unknown): void {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, JSON.stringify(value, null, 2) + '\n')
}

async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = net.createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo
      server.close(() => {
        resolve(port)
      })
    })
  })
}

export async function startCode(name: string, options: Options): Promise<Code> {
  const folder = path.join(work, name)
  const workspace = path.join(folder, 'workspace')
  const userData = path.join(folder, 'data')
  const extensions = path.join(folder, 'extensions')
  const home = path.join(folder, 'home')
  for (const each of [workspace, userData, extensions, home]) {
    fs.mkdirSync(each, { recursive: true })
  }
  for (const [file, text] of Object.entries(options.files)) {
    fs.mkdirSync(path.dirname(path.join(workspace, file)), { recursive: true })
    fs.writeFileSync(path.join(workspace, file), text)
  }
  writeJson(path.join(userData, 'User/settings.json'), { ...common, ...options.settings })
  writeJson(path.join(userData, 'Machine/settings.json'), options.machine ?? {})
  const environment: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    LANG: 'C.UTF-8',
    EXTENSIONS_GALLERY: '{}',
    HOME: home,
    TMPDIR: home,
    XDG_CONFIG_HOME: path.join(home, 'config'),
    XDG_DATA_HOME: path.join(home, 'share'),
    XDG_RUNTIME_DIR: home,
    RUNPEN_CONFIG: env('RUNPEN_CONFIG'),
    DOCKER_HOST: process.env['DOCKER_HOST'],
  }
  const config = path.join(folder, 'config.yaml')
  fs.writeFileSync(config, '')
  const shared = [entry, '--config', config, '--user-data-dir', userData, '--extensions-dir', extensions]
  if (options.install !== false) {
    const installed = spawnSync(process.execPath, [...shared, '--install-extension', vsix], { env: environment })
    if (installed.status !== 0) {
      throw new Error(`the package is not taken: ${installed.stdout.toString()}${installed.stderr.toString()}`)
    }
  }
  const port = await freePort()
  const log = path.join(folder, 'code.log')
  const out = fs.openSync(log, 'w')
  const words = [
    ...['--bind-addr', `127.0.0.1:${String(port)}`, '--auth', 'none', '--disable-telemetry', '--disable-update-check'],
    ...['--disable-getting-started-override', '--reconnection-grace-time', '300'],
    ...(options.trust === false ? [] : ['--disable-workspace-trust']),
  ]
  const child = spawn(process.execPath, [...shared, ...words, ...(options.words ?? [])], {
    env: environment,
    stdio: ['ignore', out, out],
    // Its children are ended as one group.
    detached: true,
  })
  fs.closeSync(out)
  const url = `http://127.0.0.1:${String(port)}`
  await until(async () => {
    if (child.exitCode !== null) {
      throw new Error(`code-server ended: ${fs.readFileSync(log, 'utf8')}`)
    }
    return (await fetch(`${url}/healthz`).catch(() => undefined))?.ok === true
  }, 'code-server answers')
  return { url, workspace, userData, log, stop: () => stop(child) }
}

async function stop(child: ChildProcess): Promise<void> {
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve()
    })
  })
  if (child.exitCode === null && child.pid !== undefined) {
    child.kill('SIGTERM')
    const hard = setTimeout(() => {
      child.kill('SIGKILL')
    }, 10_000)
    await gone
    clearTimeout(hard)
    // The extension hosts end a little later, and with them the servers, which remove their containers first.
    const group = -child.pid
    const ended = (): boolean => {
      try {
        return !process.kill(group, 0)
      } catch {
        return true
      }
    }
    await until(ended, 'all of it ends', 30_000).catch(() => process.kill(group, 'SIGKILL'))
  }
}

/** A registry on loopback that stops in the middle of its image. */
export async function startRegistry(): Promise<{ image: string; stop(): Promise<void> }> {
  const program =
    'import sys, registry\nheld = registry.Registry()\nprint(held.image("held"), flush=True)\nsys.stdin.read()\nheld.close()'
  const cwd = path.join(import.meta.dirname, '../../stories')
  const child = spawn('python3', ['-B', '-c', program], { cwd, stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const [image] = (await Promise.race([once(child.stdout.setEncoding('utf8'), 'data'), ended])) as [unknown]
  if (typeof image !== 'string') {
    throw new Error('the registry does not start')
  }
  return {
    image: image.trim(),
    stop: async () => {
      child.stdin.end()
      await ended
    },
  }
}

/** Asks again until it is so. */
export async function until(
  condition: () => Promise<boolean> | boolean,
  what: string,
  patience = PATIENCE,
): Promise<void> {
  const deadline = Date.now() + patience
  while (!(await condition())) {
    if (Date.now() > deadline) {
      throw new Error(`waited in vain: ${what}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** A browser that reaches this machine and nothing else. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- see above
export async function startBrowser(): Promise<any> {
  return await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
      ...['--disable-component-update', '--disable-sync'],
    ],
  })
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- see above
export async function openPage(browser: any, url: string): Promise<any> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1 })
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- see above
  await context.route('**', (route: any) => {
    const { hostname } = new URL(route.request().url())
    const here = hostname === '127.0.0.1' || hostname === 'localhost'
    return here ? route.continue() : route.abort()
  })
  const page = await context.newPage()
  page.setDefaultTimeout(PATIENCE)
  await page.goto(url, { timeout: PATIENCE })
  return page
}

export function address(base: string, workspace: string, file?: string, more: [string, unknown][] = []): string {
  const remote = `vscode-remote://${new URL(base).host}`
  const payload = file === undefined ? more : [['openFile', `${remote}${workspace}/${file}`], ...more]
  return `${base}/?folder=${workspace}&payload=${encodeURIComponent(JSON.stringify(payload))}`
}
