/**
 * How much of a run is shown. The server cuts at its `output-limit`; where a user has lifted that, an editor must not
 * drown: the beginning is shown as it comes, of the rest the end once the run is over, and one line says what lies between.
 * Pure.
 */

/** Characters of a run that are shown as they come. */
export const HEAD = 2 * 1024 * 1024
/** Characters of its end that are kept. */
export const TAIL = 64 * 1024

export class Bound {
  private shown = 0
  private tail = ''
  private dropped = 0

  private readonly head: number
  private readonly kept: number

  constructor(head = HEAD, kept = TAIL) {
    this.head = head
    this.kept = kept
  }

  /** What of a chunk is shown now. */
  pass(text: string): string {
    const room = this.head - this.shown
    let now = text.slice(0, Math.max(0, room))
    // Not between the halves of a character.
    if (now.length < text.length && /[\ud800-\udbff]$/.test(now)) {
      now = now.slice(0, -1)
      this.shown = this.head
    }
    this.shown += now.length
    this.tail += text.slice(now.length)
    if (this.tail.length > 2 * this.kept) {
      this.trim()
    }
    return now
  }

  /** What is shown once no more comes; empty when everything was. */
  end(): string {
    this.trim()
    if (this.dropped === 0) {
      return this.tail
    }
    return `\n… ${String(this.dropped)} characters are left out here …\n${this.tail}`
  }

  private trim(): void {
    const over = this.tail.length - this.kept
    if (over <= 0) {
      return
    }
    // Whole lines where there are any.
    const line = this.tail.indexOf('\n', over)
    let cut = line === -1 ? over : line + 1
    if (/^[\udc00-\udfff]/.test(this.tail.slice(cut))) {
      cut += 1
    }
    this.dropped += cut
    this.tail = this.tail.slice(cut)
  }
}
