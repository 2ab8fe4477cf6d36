/** The run buttons of the preview: where they stand, and that no page can make one. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode, encode, extend } from '../../../../editors/vscode/src/preview/plugin.ts'

const TOKEN = 'a token'
const document = { currentDocument: 'file:///home/me/a "page".md' }

interface Fence {
  info: string
  map: [number, number] | null
}

/** A renderer as markdown-it has it, with what the plugin uses of it. */
function render(fence: Fence, env: unknown = document): string {
  const escapeHtml = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;')
  const markdown = { renderer: { rules: { fence: () => '<pre></pre>' } }, utils: { escapeHtml } }
  extend(markdown as never, (word) => word === 'python' || word === 'c++', TOKEN)
  const rule = markdown.renderer.rules.fence as unknown as (...all: unknown[]) => string
  return rule([fence], 0, {}, env, {})
}

test('a fence of a known language has a button, others have none', () => {
  for (const info of ['python', 'Python', 'python {cmd}', 'python,ignore', 'python{1,2}', 'c++ name=x']) {
    const html = render({ info, map: [4, 7] })
    assert.match(html, /^<pre><\/pre><p class="runpen"><a class="runpen-run" href="runpen1:/, info)
  }
  for (const info of ['', 'json', 'mermaid']) {
    assert.equal(render({ info, map: [4, 7] }), '<pre></pre>', info)
  }
  assert.equal(render({ info: 'python', map: null }), '<pre></pre>')
  assert.equal(render({ info: 'python', map: [4, 7] }, {}), '<pre></pre>')
})

test('the link leads to the first line of the code, and closes no attribute', () => {
  const link = /data-href="([^"]*)"/.exec(render({ info: 'python', map: [4, 7] }))?.[1] ?? ''
  const path = decodeURIComponent(new URL(link).pathname)
  assert.deepEqual(decode(path, TOKEN), { uri: document.currentDocument, line: 5, token: TOKEN })
  // The preview passes on what it takes for no scheme.
  assert.doesNotMatch(link, /^[a-z-]+:/i)
})

test('a link without the token runs nothing', () => {
  const click = { uri: 'file:///a.md', line: 1, token: 'guessed' }
  const path = decodeURIComponent(new URL(encode(click)).pathname)
  assert.equal(decode(path, TOKEN), undefined)
  for (const wrong of ['', '/', '/{}', '/null', '/{"token":"a token"}', '/{"token":"a token","uri":"x","line":1.5}']) {
    assert.equal(decode(wrong, TOKEN), undefined, wrong)
  }
})
