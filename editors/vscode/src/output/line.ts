/**
 * A line of standard input while it is typed, as a terminal driver would keep it: what is echoed, what goes to the program
 * once the line ends. Pure.
 */

export type Typed =
  | { kind: 'line'; text: string }
  /** Ctrl-D on an empty line. */
  | { kind: 'end' }
  /** Ctrl-C. */
  | { kind: 'interrupt' }

export class InputLine {
  private text: string[] = []

  /** What was typed (or pasted), as what to show and what it means. */
  type(data: string): { echo: string; typed: Typed[] } {
    // Arrows and the like; there is no editing within the line.
    // eslint-disable-next-line no-control-regex -- it is about control characters
    const keys = data.replace(/\u001b(?:\[[\d;?]*[ -/]*[@-~]|O.|.)?/g, '')
    let echo = ''
    const typed: Typed[] = []
    for (const key of keys.replace(/\r\n?/g, '\n')) {
      switch (key) {
        case '\n':
          typed.push({ kind: 'line', text: this.text.join('') + '\n' })
          this.text = []
          echo += '\r\n'
          break
        case '\u007f':
        case '\b':
          if (this.text.pop() !== undefined) {
            echo += '\b \b'
          }
          break
        case '\u0003':
          this.text = []
          echo += '^C\r\n'
          typed.push({ kind: 'interrupt' })
          break
        case '\u0004':
          if (this.text.length === 0) {
            typed.push({ kind: 'end' })
          } else {
            typed.push({ kind: 'line', text: this.text.join('') })
            this.text = []
          }
          break
        default:
          if (key === '\t' || key >= ' ') {
            this.text.push(key)
            echo += key
          }
      }
    }
    return { echo, typed }
  }

  clear(): void {
    this.text = []
  }
}
