// TOML as people write it: read, or told where it is none. What the line has in quotes may be a secret, and
// is not shown.

import { parse, TomlError } from 'smol-toml'
import { fileLimits } from '../core/limits.ts'
import { nearestTo } from '../core/nearest.ts'
import type { Table } from './settings.ts'

/**
 * Reads a whole file; answers the line and the column where it is no TOML, with that line.
 *
 * @param secrets keys whose values are not shown, in quotes or not
 */
export function parseToml(text: string, secrets: readonly string[]): Table | string {
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const { line, column, message } = error
    const why = /^Invalid TOML document: (.*)$/m.exec(message)?.[1] ?? message
    const shown = shownLine(text.split(/\r?\n/), line, secrets)
    return `this is not TOML: line ${line}, column ${column}: ${why}: ${shown}`
  }
}

function shownLine(lines: readonly string[], number: number, secrets: readonly string[]): string {
  const line = lines[number - 1] ?? ''
  const before = lines.slice(0, number - 1).join('\n')
  // Within a text of several lines nothing tells where it is in quotes.
  if (/"""|'''/.test(before)) return HIDDEN
  const [, key = '', equals = ''] = /^\s*([\w-]+)(\s*=\s*)/.exec(line) ?? []
  if (key !== '' && nearestTo(key, secrets) !== undefined) return `${key}${equals}${HIDDEN}`
  return line
    .trim()
    .replace(/["'].*$/s, HIDDEN)
    .replaceAll(/\p{C}/gu, '?')
    .slice(0, fileLimits.shownLengthMax)
}

const HIDDEN = '…'
