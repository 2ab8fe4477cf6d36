/** Which documents concern Runpen: those of its languages, as the program itself lists them, and those with code inside. */

import { execFile } from 'node:child_process'
import * as os from 'node:os'
import type { Language } from '../protocol.ts'

/** VS Code's names of documents that hold snippets; the server says for each whether there is one. */
export const DOCUMENTS = ['markdown', 'mdx', 'quarto', 'rmd', 'restructuredtext', 'asciidoc', 'org', 'typst', 'html']

/** And of those whose comments hold some. */
export const COMMENTED = ['rust', 'python', 'go', 'javascript', 'javascriptreact', 'typescript', 'typescriptreact']

/** Asks the program; the error is one line. */
export async function list(binary: string, signal?: AbortSignal): Promise<Language[]> {
  const text = await new Promise<string>((resolve, reject) => {
    const options = { cwd: os.homedir(), timeout: 20_000, maxBuffer: 8 * 1024 * 1024, ...(signal && { signal }) }
    execFile(binary, ['languages', '--json'], options, (error, stdout, stderr) => {
      if (error === null) {
        resolve(stdout)
      } else {
        reject(new Error(stderr.trim().split('\n').at(-1) || error.message.split('\n')[0]))
      }
    })
  })
  return parse(text)
}

export function parse(text: string): Language[] {
  const rows: unknown = JSON.parse(text)
  if (!Array.isArray(rows)) {
    throw new Error('the program does not list its languages')
  }
  return rows.filter(isLanguage)
}

function isLanguage(row: unknown): row is Language {
  const language = row as Partial<Language> | null
  return (
    typeof language?.name === 'string' &&
    typeof language.title === 'string' &&
    Array.isArray(language.extensions) &&
    Array.isArray(language.aliases)
  )
}

/** All names by which editors and fences call the languages. */
export function names(languages: Language[]): string[] {
  return [...new Set(languages.flatMap(({ name, aliases }) => [name, ...aliases]))]
}

export function extensions(languages: Language[]): string[] {
  return [...new Set(languages.flatMap((language) => language.extensions.map((extension) => `.${extension}`)))]
}
