/**
 * Places that tools name in their output. In the sandbox the code is `/runpen/NAME`, and each family of tools writes it in
 * its own way. Pure.
 */

export interface Place {
  /** Where in the line it is written. */
  start: number
  end: number
  /** Counted from 1. */
  line: number
  column?: number
}

/** Lines beyond this are not looked at: a program may print a megabyte without a line end. */
const LINE_LIMIT = 2000

/** The places of a document named `name` in a line of output. */
export function find(line: string, name: string): Place[] {
  const text = line.slice(0, LINE_LIMIT)
  const file = escaped(name)
  const places: Place[] = []
  const patterns = [
    // Python, and PHP's "in NAME on line 5".
    new RegExp(`(?<![\\w.-])(?:/runpen/|\\./)?${file}"?,? (?:on )?line (\\d+)`, 'g'),
    // Everybody else: NAME:5, NAME:5:3, NAME(5,3), and the shell's "NAME: line 5:".
    new RegExp(
      `(?<![\\w.-])(?:file://)?(?:/runpen/|\\./)?${file}(?:[:(](\\d+)(?:[:,](\\d+))?\\)?|: (?:line )?(\\d+)(?=:))`,
      'g',
    ),
  ]
  for (const pattern of patterns) {
    for (const match of text.matchAll(pattern)) {
      const number = Number(match[1] ?? match[3])
      if (number < 1 || number > 10_000_000) {
        continue
      }
      const place: Place = { start: match.index, end: match.index + match[0].length, line: number }
      if (match[2] !== undefined) {
        place.column = Number(match[2])
      }
      places.push(place)
    }
  }
  return places.sort((one, other) => one.start - other.start)
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
}
