// The file of --config: TOML with a table for each command, whose keys are the names of its
// options. It is read whole, and anything unknown in it is refused. Messages show no secret.

import { parse, TomlError } from 'smol-toml'
import { fileLimits } from '../core/limits.ts'
import { nearestTo } from '../core/nearest.ts'
import { type Result, refused, success } from '../core/result.ts'
import { readSmallFile } from '../os/file.ts'
import {
  type OptionTable,
  parseWritten,
  type Resolution,
  resolveOptions,
  type Table,
  type Variables,
} from './option-sources.ts'

/** Where values come from besides the command line. */
export interface ConfigSources {
  readonly environment: Variables
  /** Of all commands, since one file may have options for each. */
  readonly tables: readonly OptionTable[]
}

/**
 * Reads the file that --config or the environment names, and resolves the options of one command.
 */
export function resolveWithFile(
  table: OptionTable,
  flags: Table,
  { environment, tables }: ConfigSources,
): Resolution {
  const path = flags['config'] ?? environment['COMET_CONFIG'] ?? ''
  if (typeof path !== 'string' || path === '') {
    return resolveOptions(table, { flags, environment, file: null })
  }
  const read = readConfigFile(path, tables)
  if (!read.ok) return read
  const file = { path, table: tableOf(read.value, table.path) ?? {} }
  return resolveOptions(table, { flags, environment, file })
}

/** Reads a file and checks it against all options. */
export function readConfigFile(
  path: string,
  tables: readonly OptionTable[],
): Result<Table, readonly string[]> {
  const file = readSmallFile(path)
  if (!file.ok) return refused([`${path} ${file.why}`])
  const secrets = tables.flatMap(({ options }) =>
    Object.keys(options).filter((name) => 'secret' in (options[name] ?? {})),
  )
  const parsed = parseToml(file.value.text, secrets)
  if (!parsed.ok) return refused([`${path}: ${parsed.why}`])
  const why: string[] = []
  for (const mistake of mistakesIn(parsed.value, [], tables, file.value.isOpenToOthers)) {
    if (why.length === fileLimits.problemsMax) {
      why.push(`${path}: and more`)
      break
    }
    why.push(`${path}: ${mistake}`)
  }
  return why.length === 0 ? success(parsed.value) : refused(why)
}

/** The table of one command; undefined if the file has none. */
export function tableOf(table: Table, path: readonly string[]): Table | undefined {
  let inner: unknown = table
  for (const word of path) inner = isTable(inner) ? inner[word] : undefined
  return isTable(inner) ? inner : undefined
}

function* mistakesIn(
  file: Table,
  path: readonly string[],
  tables: readonly OptionTable[],
  isOpenToOthers: boolean,
): Generator<string> {
  const here = tables.filter((table) => path.every((word, at) => table.path[at] === word))
  for (const [name, inner] of Object.entries(file)) {
    const place = [...path, name]
    const dotted = place.join('.')
    const within = here.filter((table) => table.path[path.length] === name)
    const [table] = within
    if (table === undefined && isTable(inner)) {
      const names = here.map((other) => other.path[path.length] ?? '')
      yield `unknown table [${dotted}]${didYouMean(name, names)}`
    } else if (table === undefined) yield outsideOfTables(dotted, name, tables)
    else if (!isTable(inner)) {
      // `listen` is an option of serve, and a command.
      const isOption = tables.some(({ options }) => name in options)
      yield isOption
        ? outsideOfTables(dotted, name, tables)
        : `${dotted} must be a table, [${dotted}]`
    } else if (table.path.length === place.length) {
      yield* mistakesInTable(inner, table, tables, isOpenToOthers)
    } else yield* mistakesIn(inner, place, tables, isOpenToOthers)
  }
}

function* mistakesInTable(
  file: Table,
  { path, options, conflicts = [] }: OptionTable,
  tables: readonly OptionTable[],
  isOpenToOthers: boolean,
): Generator<string> {
  const given = new Set<string>()
  for (const [name, raw] of Object.entries(file)) {
    const option = Object.hasOwn(options, name) ? options[name] : undefined
    const where = `${name} in [${path.join('.')}]`
    if (option === undefined) {
      const home = homeOf(name, tables)
      yield `unknown option ${where}${home === '' ? didYouMean(name, Object.keys(options)) : home}`
      continue
    }
    const parsed = parseWritten(option, raw)
    if (!parsed.ok) yield `${where}: ${parsed.why}`
    // A flag that is turned off is as one that is left out.
    else if (parsed.value.value !== false) given.add(name)
    if ('secret' in option && isOpenToOthers) {
      yield `${where} is a secret, but other users can read this file`
    }
  }
  for (const [one, other] of conflicts) {
    if (given.has(one) && given.has(other)) yield `give ${one} or ${other}, not both`
  }
}

/** A value where only tables may be. */
function outsideOfTables(dotted: string, name: string, tables: readonly OptionTable[]): string {
  const home = homeOf(name, tables)
  const names = tables.flatMap(({ options }) => Object.keys(options))
  return `${dotted} is not in the table of a command${home === '' ? didYouMean(name, names) : home}`
}

/** Which tables an option belongs in; empty if no command has it. */
function homeOf(name: string, tables: readonly OptionTable[]): string {
  const homes = tables.filter(({ options }) => Object.hasOwn(options, name))
  if (homes.length === 0) return ''
  return `; ${name} belongs in ${homes.map(({ path }) => `[${path.join('.')}]`).join(' or ')}`
}

function didYouMean(name: string, known: readonly string[]): string {
  const nearest = nearestTo(name, known)
  return nearest === undefined ? '' : `; did you mean ${nearest}?`
}

/** A date is an object, too. */
function isTable(value: unknown): value is Table {
  const isObject = typeof value === 'object' && value !== null
  return isObject && !Array.isArray(value) && !(value instanceof Date)
}

/**
 * Parses a whole file; or says line and column of a mistake, with that line.
 *
 * @param secrets keys whose values are not shown, in quotes or not
 */
export function parseToml(text: string, secrets: readonly string[]): Result<Table> {
  try {
    return success(parse(text))
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const { line, column, message } = error
    const why = /^Invalid TOML document: (.*)$/m.exec(message)?.[1] ?? message
    const shown = shownLine(text.split(/\r?\n/), line, secrets)
    return refused(`this is not TOML: line ${line}, column ${column}: ${why}: ${shown}`)
  }
}

/** What a line has in quotes may be a secret, and is not shown. */
function shownLine(lines: readonly string[], number: number, secrets: readonly string[]): string {
  const line = lines[number - 1] ?? ''
  const before = lines.slice(0, number - 1).join('\n')
  // Inside a text of several lines, quotes do not say what is in them.
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
