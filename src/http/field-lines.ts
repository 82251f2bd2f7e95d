// The field lines of a head (RFC 9110 section 5): where they are in its text. Names and values are
// cut out of it when they are asked for, which is for a few of them.

/** Start and end of a name, start and end of its value. */
export const NUMBERS_PER_FIELD = 4

const CAPITAL_A = 0x41
const CAPITAL_Z = 0x5a
const LOWER = 0x20

export class FieldLines {
  readonly #text: string
  /** Positions in the text, {@link NUMBERS_PER_FIELD} for each line. */
  readonly #places: readonly number[]

  constructor(text: string, places: readonly number[]) {
    this.#text = text
    this.#places = places
  }

  /** A field's value, by its name in lower case; several lines are joined. Null without one. */
  line(name: string): string | null {
    const places = this.#places
    let found: string | null = null
    for (let at = 0; at < places.length; at += NUMBERS_PER_FIELD) {
      if (!this.#isNamed(at, name)) continue
      const value = this.#text.slice(places[at + 2], places[at + 3])
      found = found === null ? value : `${found}, ${value}`
    }
    return found
  }

  #isNamed(at: number, name: string): boolean {
    const start = this.#places[at] as number
    if ((this.#places[at + 1] as number) - start !== name.length) return false
    for (let place = 0; place < name.length; place++) {
      const code = this.#text.charCodeAt(start + place)
      const lower = code >= CAPITAL_A && code <= CAPITAL_Z ? code | LOWER : code
      if (lower !== name.charCodeAt(place)) return false
    }
    return true
  }

  /** Names in lower case, each followed by its value. */
  lines(): string[] {
    const text = this.#text
    const places = this.#places
    const lines: string[] = []
    for (let at = 0; at < places.length; at += NUMBERS_PER_FIELD) {
      const name = text.slice(places[at], places[at + 1]).toLowerCase()
      lines.push(name, text.slice(places[at + 2], places[at + 3]))
    }
    return lines
  }
}
