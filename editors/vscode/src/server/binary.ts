/**
 * Which program is the server: what the user names, else the one in the package, else the first on PATH. Never one that a
 * workspace brings: the setting cannot come from a workspace, and relative folders of PATH do not count.
 */

import * as fs from 'node:fs'
import * as path from 'node:path'

export interface Search {
  /** `runpen.server.path`, empty when unset. */
  setting: string
  /** Folder of the extension. */
  extension: string
  /** PATH. */
  path: string
  windows: boolean
  home: string
}

export type Found = { file: string; from: 'setting' | 'package' | 'path' } | { missing: string }

export function findBinary(search: Search): Found {
  const name = search.windows ? 'runpen.exe' : 'runpen'
  if (search.setting !== '') {
    const file = search.setting.replace(/^~(?=[\\/])/, search.home)
    if (!path.isAbsolute(file)) {
      return { missing: `runpen.server.path is no absolute path: ${search.setting}` }
    }
    return runs(file) ? { file, from: 'setting' } : { missing: `runpen.server.path names no program: ${file}` }
  }
  const bundled = path.join(search.extension, 'server', name)
  if (runs(bundled)) {
    return { file: bundled, from: 'package' }
  }
  for (const folder of search.path.split(search.windows ? ';' : ':')) {
    const file = path.join(folder, name)
    if (path.isAbsolute(folder) && runs(file)) {
      return { file, from: 'path' }
    }
  }
  return { missing: 'the program runpen is not installed, or not on PATH' }
}

function runs(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return fs.statSync(file).isFile()
  } catch {
    return false
  }
}
