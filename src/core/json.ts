// JSON that may be anything: read, or taken apart as the text that was written, in which numbers
// keep the digits that they would lose by being parsed and written again.

import { type Result, refused, success } from './result.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const BRACE = 0x7b
const BRACE_END = 0x7d
const BRACKET = 0x5b
const BRACKET_END = 0x5d
const LINE_ENDS = /[\n\r]/g

/** The value of a text, or what is wrong with it. */
export function parseJson(text: string): Result<unknown> {
  try {
    return success(JSON.parse(text))
  } catch (error) {
    if (error instanceof SyntaxError) return refused(error.message)
    throw error
  }
}

/** The fields of a text that is a JSON object; null if it is something else. */
export function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  const json = parseJson(text)
  return json.ok && isObject(json.value) ? json.value : null
}

export function isObject(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

/**
 * The value of a field of an object, without line ends; the last one of that name, as JSON.parse
 * takes it.
 *
 * @param json the valid text of an object that has the field
 * @throws Error if it has not
 */
export function rawField(json: string, name: string): string {
  let found: string | null = null
  let at = json.indexOf('{') + 1
  while (true) {
    const nameAt = json.indexOf('"', at)
    if (nameAt < 0) break
    const nameEnd = stringEnd(json, nameAt)
    const valueAt = json.indexOf(':', nameEnd) + 1
    const valueEnd = endOfValue(json, valueAt)
    if (JSON.parse(json.slice(nameAt, nameEnd)) === name) found = json.slice(valueAt, valueEnd)
    if (json.charCodeAt(valueEnd) !== COMMA) break
    at = valueEnd + 1
  }
  if (found === null) throw new Error(`the object has no field ${name}`)
  // In JSON they stand between two tokens and nowhere else (RFC 8259 section 7).
  return found.trim().replace(LINE_ENDS, ' ')
}

/**
 * The items of an array.
 *
 * @param json the valid text of an array
 */
export function rawItems(json: string): string[] {
  const items: string[] = []
  let at = json.indexOf('[') + 1
  while (true) {
    const end = endOfValue(json, at)
    const item = json.slice(at, end).trim()
    if (item !== '') items.push(item)
    if (json.charCodeAt(end) !== COMMA) return items
    at = end + 1
  }
}

/** Behind the closing quote of the string that begins at `start`. */
function stringEnd(json: string, start: number): number {
  for (let at = start + 1; ; at++) {
    const code = json.charCodeAt(at)
    if (code === BACKSLASH) at++
    else if (code === QUOTE) return at + 1
  }
}

/** Where the value ends that begins at `start`, at a comma or the end of what it is in. */
function endOfValue(json: string, start: number): number {
  let depth = 0
  for (let at = start; ; at++) {
    const code = json.charCodeAt(at)
    if (code === QUOTE) at = stringEnd(json, at) - 1
    else if (code === BRACE || code === BRACKET) depth++
    else if (depth === 0 && (code === COMMA || code === BRACE_END || code === BRACKET_END))
      return at
    else if (code === BRACE_END || code === BRACKET_END) depth--
  }
}
