/**
 * The Markdown preview's run buttons: a link after each fence that the server can run. Pure.
 *
 * A preview passes only some links on, and commands are not among them. What it leaves to VS Code to open is a link whose
 * scheme it takes for no scheme, such as one with a digit; `click.ts` answers for ours. The token is in no document: a page
 * cannot make a link that runs something when a reader clicks it.
 */

import type MarkdownIt from 'markdown-it'

export const SCHEME = 'runpen1'

export interface Click {
  uri: string
  /** A line within the block, counted from 0. */
  line: number
  token: string
}

/** `runs` tells whether a word after the fence is a language of the server's. */
export function extend(markdown: MarkdownIt, runs: (word: string) => boolean, token: string): MarkdownIt {
  const fence = markdown.renderer.rules.fence
  markdown.renderer.rules.fence = (tokens, index, options, env, self) => {
    const html = fence?.(tokens, index, options, env, self) ?? self.renderToken(tokens, index, options)
    const { info, map } = tokens[index] ?? { info: '', map: null }
    const uri = documentOf(env)
    const word = /^[^\s{,:]*/.exec(info.trim())?.[0] ?? ''
    if (map === null || uri === undefined || word === '' || !runs(word.toLowerCase())) {
      return html
    }
    const link = markdown.utils.escapeHtml(encode({ uri, line: map[0] + 1, token }))
    const title = 'Run this block in a sandbox'
    return `${html}<p class="runpen"><a class="runpen-run" href="${link}" data-href="${link}" title="${title}">▶ Run in sandbox</a></p>\n`
  }
  return markdown
}

function documentOf(env: unknown): string | undefined {
  const document = (env as { currentDocument?: { toString(): string } } | undefined)?.currentDocument
  return document?.toString()
}

export function encode(click: Click): string {
  return `${SCHEME}:/${encodeURIComponent(JSON.stringify(click))}`
}

/** The click that an address stands for, if it is one of ours. `path` is as `vscode.Uri` has it, decoded. */
export function decode(path: string, token: string): Click | undefined {
  try {
    const click = JSON.parse(path.replace(/^\//, '')) as Partial<Click>
    const { uri, line } = click
    const ours = click.token === token && typeof uri === 'string' && Number.isSafeInteger(line)
    return ours ? (click as Click) : undefined
  } catch {
    return undefined
  }
}
