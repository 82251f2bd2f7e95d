// The place in bench/README.md where the tables of the last whole comparison stand: between two
// marks, so that what people wrote around them stays.

const BEGIN = '<!-- peers: written by bun run bench:peers -->'
const END = '<!-- /peers -->'

/** The text with the tables in their place; null if it has no such place. */
export function withTables(text: string, tables: string): string | null {
  const begin = text.indexOf(BEGIN)
  const end = text.indexOf(END, begin)
  if (begin < 0 || end < 0) return null
  return `${text.slice(0, begin + BEGIN.length)}\n\n${tables}\n\n${text.slice(end)}`
}
