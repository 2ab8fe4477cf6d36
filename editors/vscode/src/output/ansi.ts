/**
 * What a program prints is untrusted, and a terminal obeys it: titles, links, the clipboard, questions that the terminal
 * answers as if somebody typed. Here only colours pass, and for a view without colours nothing but text. Pure.
 */

const ESC = '\u001b'
/** A sequence longer than this is no sequence but an attempt to swallow what follows. */
const SEQUENCE_LIMIT = 256

type State = 'text' | 'escape' | 'csi' | 'string' | 'string-escape' | 'intermediate'

export class Filter {
  private state: State = 'text'
  private sequence = ''
  private length = 0

  private readonly colours: boolean

  constructor(colours: boolean) {
    this.colours = colours
  }

  /** What may be shown of a chunk. Sequences may be split across chunks. */
  pass(text: string): string {
    let out = ''
    for (const character of text) {
      out += this.step(character)
    }
    return out
  }

  private step(character: string): string {
    const code = character.codePointAt(0) ?? 0
    if (this.state !== 'text' && ++this.length > SEQUENCE_LIMIT) {
      this.enter('text')
    }
    switch (this.state) {
      case 'text':
        if (code === 0x1b) {
          return this.enter('escape')
        }
        if (code === 0x9b) {
          return this.enter('csi')
        }
        if (code === 0x90 || code === 0x98 || code === 0x9d || code === 0x9e || code === 0x9f) {
          return this.enter('string')
        }
        return code === 0x09 || code === 0x0a || code === 0x0d || (code >= 0x20 && (code < 0x7f || code > 0x9f))
          ? character
          : ''
      case 'escape':
        if (character === '[') {
          return this.enter('csi')
        }
        if (']PX^_'.includes(character)) {
          return this.enter('string')
        }
        return this.enter(code >= 0x20 && code <= 0x2f ? 'intermediate' : 'text')
      case 'intermediate':
        return code >= 0x20 && code <= 0x2f ? '' : this.enter('text')
      case 'csi':
        if (code >= 0x40 && code <= 0x7e) {
          const colour = this.colours && character === 'm' && /^[\d;:]*$/.test(this.sequence)
          const shown = colour ? `${ESC}[${this.sequence}m` : ''
          this.enter('text')
          return shown
        }
        if (code < 0x20 || code > 0x7e) {
          // Broken off: what comes is text again, a line end not to be lost.
          this.enter('text')
          return this.step(character)
        }
        this.sequence += character
        return ''
      case 'string':
        if (code === 0x07 || code === 0x9c) {
          return this.enter('text')
        }
        if (code === 0x0a) {
          this.enter('text')
          return character
        }
        if (code === 0x1b) {
          this.state = 'string-escape'
        }
        return ''
      case 'string-escape':
        return this.enter(character === '\\' ? 'text' : 'string')
    }
  }

  private enter(state: State): string {
    this.state = state
    this.sequence = ''
    this.length = 0
    return ''
  }
}
