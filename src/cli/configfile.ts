// The file of --config: TOML with a table for each command, whose keys are the names of its options.
// It is read whole, and what is not known in it is refused.

import { readFileSync } from 'node:fs'
import { nearestTo } from '../core/nearest.ts'
import type { Options } from './option.ts'
import { readWritten, type Table } from './settings.ts'

/** Options by command; a command of commands has further ones. */
export interface Tree {
  readonly [command: string]: { readonly options: Options } | { readonly commands: Tree }
}

export type ConfigFile =
  | { readonly ok: true; readonly table: Table }
  | { readonly ok: false; readonly complaints: readonly string[] }

/** Reads a file and holds it against the options that there are. */
export function readConfigFile(path: string, tree: Tree): ConfigFile {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    return { ok: false, complaints: [`${path} cannot be read (${error.code})`] }
  }
  const parsed = parseToml(text)
  if (typeof parsed === 'string') return { ok: false, complaints: [`${path}: ${parsed}`] }
  const complaints = complaintsOf(parsed, tree, []).map((complaint) => `${path}: ${complaint}`)
  return complaints.length === 0 ? { ok: true, table: parsed } : { ok: false, complaints }
}

function parseToml(text: string): Table | string {
  try {
    return Bun.TOML.parse(text) as Table
  } catch (error) {
    const { message } = error as Error
    return `this is not TOML: ${message}`
  }
}

/** The table of one command; undefined if the file has none. */
export function tableOf(table: Table, path: readonly string[]): Table | undefined {
  let inner: unknown = table
  for (const word of path) inner = isTable(inner) ? inner[word] : undefined
  return isTable(inner) ? inner : undefined
}

function complaintsOf(table: Table, tree: Tree, path: readonly string[]): string[] {
  return Object.entries(table).flatMap(([name, inner]) => {
    const known = Object.hasOwn(tree, name) ? tree[name] : undefined
    const place = [...path, name]
    if (known === undefined) return [unknown(`[${place.join('.')}]`, 'table', name, tree)]
    if (!isTable(inner)) return [`${place.join('.')} is to be a table, [${place.join('.')}]`]
    return 'commands' in known
      ? complaintsOf(inner, known.commands, place)
      : optionComplaints(inner, known.options, place)
  })
}

function optionComplaints(table: Table, options: Options, path: readonly string[]): string[] {
  return Object.entries(table).flatMap(([name, raw]) => {
    const option = Object.hasOwn(options, name) ? options[name] : undefined
    if (option === undefined)
      return [unknown(`${name} in [${path.join('.')}]`, 'option', name, options)]
    const read = readWritten(option, raw)
    return typeof read === 'string' ? [`${name} in [${path.join('.')}]: ${read}`] : []
  })
}

function unknown(what: string, kind: string, name: string, known: object): string {
  const nearest = nearestTo(name, Object.keys(known))
  const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`
  return `there is no ${kind} ${what}${hint}`
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
