// The file of --config: TOML with a table for each command, whose keys are the names of its options.
// It is read whole, and what is not known in it is refused.

import { fileLimits } from '../core/limits.ts'
import { nearestTo } from '../core/nearest.ts'
import { readSmallFile } from '../os/file.ts'
import type { Options } from './option.ts'
import { type Either, type Needs, readWritten, type Settings, type Table } from './settings.ts'
import { parseToml } from './toml.ts'

/** What a command takes. */
export interface KnownOptions {
  readonly options: Options
  /** Options of which only one may be given. */
  readonly either?: Either | undefined
  readonly needs?: Needs | undefined
  /** Why such values are invalid together, if so. */
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
  const parsed = parseToml(file.text, secretsIn(tree))
  if (typeof parsed === 'string') return { ok: false, complaints: [`${path}: ${parsed}`] }
  const complaints: string[] = []
  for (const complaint of complaintsOf(
    parsed,
    { tree, isOpenToOthers: file.isOpenToOthers },
    tree,
    [],
  )) {
    if (complaints.length === fileLimits.complaintsMax) {
      complaints.push(`${path}: and more`)
      break
    }
    complaints.push(`${path}: ${complaint}`)
  }
  return complaints.length === 0 ? { ok: true, table: parsed } : { ok: false, complaints }
}

/** The options of all commands that hold secrets. */
function secretsIn(tree: Tree): string[] {
  return Object.values(tree).flatMap((known) =>
    'commands' in known
      ? secretsIn(known.commands)
      : Object.entries(known.options).flatMap(([name, option]) => ('secret' in option ? name : [])),
  )
}

/** The table of one command; undefined if the file has none. */
export function tableOf(table: Table, path: readonly string[]): Table | undefined {
  let inner: unknown = table
  for (const word of path) inner = isTable(inner) ? inner[word] : undefined
  return isTable(inner) ? inner : undefined
}

/** What a file is held against. */
interface Against {
  /** Of all commands. */
  readonly tree: Tree
  readonly isOpenToOthers: boolean
}

function* complaintsOf(
  table: Table,
  against: Against,
  tree: Tree,
  path: readonly string[],
): Generator<string> {
  for (const [name, inner] of Object.entries(table)) {
    const known = Object.hasOwn(tree, name) ? tree[name] : undefined
    const place = [...path, name]
    if (known === undefined && isTable(inner)) {
      yield unknown(`there is no table [${place.join('.')}]`, name, Object.keys(tree))
    } else if (known === undefined) yield homeless(place.join('.'), name, against.tree)
    else if (!isTable(inner)) yield `${place.join('.')} is to be a table, [${place.join('.')}]`
    else if ('commands' in known) yield* complaintsOf(inner, against, known.commands, place)
    else yield* optionComplaints(inner, against, known, place)
  }
}

function* optionComplaints(
  table: Table,
  { tree, isOpenToOthers }: Against,
  { options, either = [] }: KnownOptions,
  path: readonly string[],
): Generator<string> {
  const given = new Set<string>()
  for (const [name, raw] of Object.entries(table)) {
    const option = Object.hasOwn(options, name) ? options[name] : undefined
    const where = `${name} in [${path.join('.')}]`
    if (option === undefined) {
      const what = `there is no option ${where}`
      const home = homeOf(name, tree)
      yield home === '' ? unknown(what, name, Object.keys(options)) : `${what}; ${home}`
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

/** A value where only tables may be. */
function homeless(place: string, name: string, tree: Tree): string {
  const home = homeOf(name, tree)
  if (home !== '') return `${place} is in no command's table; ${home}`
  return unknown(`${place} is in no command's table`, name, optionsIn(tree))
}

/** Where an option belongs, in words; empty if it is none of any command. */
function homeOf(name: string, tree: Tree): string {
  const tables = tablesOf(name, tree, [])
  return tables.length === 0 ? '' : `${name} belongs under ${tables.join(' or ')}`
}

function tablesOf(name: string, tree: Tree, path: readonly string[]): string[] {
  return Object.entries(tree).flatMap(([command, known]) => {
    const place = [...path, command]
    if ('commands' in known) return tablesOf(name, known.commands, place)
    return Object.hasOwn(known.options, name) ? [`[${place.join('.')}]`] : []
  })
}

function optionsIn(tree: Tree): string[] {
  return Object.values(tree).flatMap((known) =>
    'commands' in known ? optionsIn(known.commands) : Object.keys(known.options),
  )
}

function unknown(what: string, name: string, known: readonly string[]): string {
  const nearest = nearestTo(name, known)
  return nearest === undefined ? what : `${what}; did you mean ${nearest}?`
}

/** A date is an object, too. */
function isTable(value: unknown): value is Table {
  const isObject = typeof value === 'object' && value !== null
  return isObject && !Array.isArray(value) && !(value instanceof Date)
}
