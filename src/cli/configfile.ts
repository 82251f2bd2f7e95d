// The file of --config: TOML with a table for each command, whose keys are the names of its options.
// It is read whole, and what is not known in it is refused.

import { fileLimits } from '../core/limits.ts'
import { nearestTo } from '../core/nearest.ts'
import { readSmallFile } from '../machine/file.ts'
import type { Options } from './option.ts'
import { type Either, readWritten, type Settings, type Table } from './settings.ts'

/** What a command takes. */
export interface KnownOptions {
  readonly options: Options
  /** Options of which only one may be given. */
  readonly either?: Either | undefined
  /** Why such values make no sense together, if so. */
  readonly whyNot?: ((settings: Settings) => string | null) | undefined
}

/** Options by command; a command of commands has further ones. */
export interface Tree {
  readonly [command: string]: KnownOptions | { readonly commands: Tree }
}

export type ConfigFile =
  | { readonly ok: true; readonly table: Table }
  | { readonly ok: false; readonly complaints: readonly string[] }

/** Reads a file and holds it against the options that there are. */
export function readConfigFile(path: string, tree: Tree): ConfigFile {
  const file = readSmallFile(path)
  if (!file.ok) return { ok: false, complaints: [`${path} ${file.why}`] }
  const parsed = parseToml(file.text)
  if (typeof parsed === 'string') return { ok: false, complaints: [`${path}: ${parsed}`] }
  const complaints: string[] = []
  for (const complaint of complaintsOf(parsed, tree, [], file.isOpenToOthers)) {
    if (complaints.length === fileLimits.complaintsMax) {
      complaints.push(`${path}: and more`)
      break
    }
    complaints.push(`${path}: ${complaint}`)
  }
  return complaints.length === 0 ? { ok: true, table: parsed } : { ok: false, complaints }
}

function parseToml(text: string): Table | string {
  try {
    return Bun.TOML.parse(text) as Table
  } catch (error) {
    // What it quotes may be a secret.
    const { message } = error as Error
    return `this is not TOML: ${message.replace(/["'].*["']/s, '…')}`
  }
}

/** The table of one command; undefined if the file has none. */
export function tableOf(table: Table, path: readonly string[]): Table | undefined {
  let inner: unknown = table
  for (const word of path) inner = isTable(inner) ? inner[word] : undefined
  return isTable(inner) ? inner : undefined
}

function* complaintsOf(
  table: Table,
  tree: Tree,
  path: readonly string[],
  isOpenToOthers: boolean,
): Generator<string> {
  for (const [name, inner] of Object.entries(table)) {
    const known = Object.hasOwn(tree, name) ? tree[name] : undefined
    const place = [...path, name]
    if (known === undefined) yield unknown(`[${place.join('.')}]`, 'table', name, tree)
    else if (!isTable(inner)) yield `${place.join('.')} is to be a table, [${place.join('.')}]`
    else if ('commands' in known) yield* complaintsOf(inner, known.commands, place, isOpenToOthers)
    else yield* optionComplaints(inner, known, place, isOpenToOthers)
  }
}

function* optionComplaints(
  table: Table,
  { options, either = [] }: KnownOptions,
  path: readonly string[],
  isOpenToOthers: boolean,
): Generator<string> {
  const given = new Set<string>()
  for (const [name, raw] of Object.entries(table)) {
    const option = Object.hasOwn(options, name) ? options[name] : undefined
    const where = `${name} in [${path.join('.')}]`
    if (option === undefined) {
      yield unknown(where, 'option', name, options)
      continue
    }
    const read = readWritten(option, raw)
    if (typeof read === 'string') yield `${where}: ${read}`
    // A flag that is off is as one that is left out.
    else if (read.value !== false) given.add(name)
    if ('secret' in option && isOpenToOthers) yield `${where} is a secret, and others can read it`
  }
  for (const [one, other] of either) {
    if (given.has(one) && given.has(other)) yield `give ${one} or ${other}, not both`
  }
}

function unknown(what: string, kind: string, name: string, known: object): string {
  const nearest = nearestTo(name, Object.keys(known))
  const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`
  return `there is no ${kind} ${what}${hint}`
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
