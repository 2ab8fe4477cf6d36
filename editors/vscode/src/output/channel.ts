/** An output channel for each language, with links to the lines that tools name. */

import * as vscode from 'vscode'
import type { Finished, Language, Output } from '../protocol.ts'
import type { Run } from '../runs.ts'
import { Filter } from './ansi.ts'
import { Bound, HEAD } from './bound.ts'
import { ending, findings, heading, nameOf, resumed } from './heading.ts'
import { find } from './links.ts'
import type { View } from './view.ts'

/** The channels' language, by which their links are asked for. */
const LANGUAGE = 'runpen-output'

/** What one run says without another one in between. */
interface Section {
  /** First line of the channel that is its. */
  from: number
  run: Run
  /** First line of what we say ourselves, whose lines are the document's. */
  ours?: number
}

interface Channel {
  channel: vscode.OutputChannel
  name: string
  lines: number
  characters: number
  /** The last line has no end yet. */
  open: boolean
  sections: Section[]
}

interface Shown {
  section: Section
  channel: Channel
  filters: Record<'stdout' | 'stderr', Filter>
  bound: Bound
}

export class Channels implements View, vscode.DocumentLinkProvider, vscode.Disposable {
  private readonly channels = new Map<string, Channel>()
  private readonly shown = new Map<string, Shown>()
  private readonly provider: vscode.Disposable
  private last: Channel | undefined

  constructor(private readonly languages: () => Language[]) {
    this.provider = vscode.languages.registerDocumentLinkProvider({ language: LANGUAGE }, this)
  }

  started(run: Run, reveal: boolean): void {
    const channel = this.of(run.language ?? 'code')
    const idle = ![...this.shown.values()].some((other) => other.channel === channel)
    if (idle && channel.characters > HEAD) {
      reset(channel)
    }
    if (channel.lines > 0 || channel.open) {
      append(channel, channel.open ? '\n\n' : '\n')
    }
    const section: Section = { from: channel.lines, run }
    channel.sections.push(section)
    const filters = { stdout: new Filter(false), stderr: new Filter(false) }
    this.shown.set(run.id, { section, channel, filters, bound: new Bound() })
    append(channel, heading(run) + '\n')
    this.last = channel
    if (reveal) {
      channel.channel.show(true)
    }
  }

  output(run: Run, output: Output): void {
    const shown = this.shown.get(run.id)
    const text = shown?.bound.pass(shown.filters[output.stream].pass(output.text))
    if (shown !== undefined && text !== undefined && text !== '') {
      turn(shown)
      append(shown.channel, text)
    }
  }

  finished(run: Run, finished: Finished): void {
    const shown = this.shown.get(run.id)
    if (shown === undefined) {
      return
    }
    this.shown.delete(run.id)
    const { channel, section } = turn(shown)
    append(channel, shown.bound.end())
    if (channel.open) {
      append(channel, '\n')
    }
    section.ours = channel.lines
    append(channel, [...findings(run, finished), ending(finished)].map((line) => line + '\n').join(''))
  }

  show(): void {
    this.last?.channel.show(true)
  }

  clear(): void {
    if (this.shown.size === 0) {
      this.channels.forEach(reset)
    }
  }

  provideDocumentLinks(document: vscode.TextDocument): vscode.DocumentLink[] {
    // The document's address holds the channel's name.
    const address = decodeURIComponent(document.uri.toString())
    const channel = [...this.channels.values()].find(({ name }) => address.endsWith(name))
    const links: vscode.DocumentLink[] = []
    channel?.sections.forEach((section, index) => {
      const { uri, range } = section.run
      if (uri === undefined) {
        return
      }
      const name = nameOf(uri)
      const end = channel.sections[index + 1]?.from ?? document.lineCount
      const begin = range === undefined ? section.from + 1 : (section.ours ?? end)
      for (let number = begin; number < Math.min(end, document.lineCount); number += 1) {
        for (const place of find(document.lineAt(number).text, name)) {
          const at =
            place.column === undefined ? `L${String(place.line)}` : `L${String(place.line)},${String(place.column)}`
          const where = new vscode.Range(number, place.start, number, place.end)
          links.push(new vscode.DocumentLink(where, vscode.Uri.parse(uri).with({ fragment: at })))
        }
      }
    })
    return links
  }

  dispose(): void {
    this.provider.dispose()
    this.channels.forEach(({ channel }) => {
      channel.dispose()
    })
  }

  private of(language: string): Channel {
    let channel = this.channels.get(language)
    if (channel === undefined) {
      const title = this.languages().find((row) => row.name === language)?.title ?? language
      const name = `Runpen: ${title}`
      channel = {
        channel: vscode.window.createOutputChannel(name, LANGUAGE),
        name,
        lines: 0,
        characters: 0,
        open: false,
        sections: [],
      }
      this.channels.set(language, channel)
    }
    return channel
  }
}

/** Lets a run speak: after another one it is said first whose the words are. */
function turn(shown: Shown): Shown {
  const { channel, section } = shown
  if (channel.sections.at(-1) !== section) {
    append(channel, channel.open ? '\n' : '')
    shown.section = { from: channel.lines, run: section.run }
    channel.sections.push(shown.section)
    append(channel, resumed(section.run) + '\n')
  }
  return shown
}

function append(channel: Channel, text: string): void {
  if (text === '') {
    return
  }
  // A bare carriage return would be a line end for the editor that shows it, and not for us.
  const shown = text.replace(/\r(?!\n)/g, '')
  channel.channel.append(shown)
  channel.characters += shown.length
  for (let at = shown.indexOf('\n'); at !== -1; at = shown.indexOf('\n', at + 1)) {
    channel.lines += 1
  }
  channel.open = !shown.endsWith('\n')
}

function reset(channel: Channel): void {
  channel.channel.clear()
  channel.lines = 0
  channel.characters = 0
  channel.open = false
  channel.sections = []
}
