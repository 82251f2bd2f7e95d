// Where the value of each option comes from: the command line, before the environment, before the
// file of --config, before the default. Commander reads only the first: its `env` and `conflicts`
// have no files, lists, empty variables or flags that are turned off, and refuse what here gives
// way.

import { nearestTo } from '../core/nearest.ts'
import { allOf, OK, type Result, refused, success } from '../core/result.ts'
import { type AnyOption, expectedText, type Options, splitList, type Values } from './option.ts'

/** The options of one command. */
export interface OptionTable {
  /** The names that call the command, like `friends load`. */
  readonly path: readonly string[]
  readonly options: Options
  /** Pairs of options of which only one may be given; one of a later source gives way. */
  readonly conflicts?: readonly (readonly [string, string])[] | undefined
  readonly requires?: readonly Requirement[] | undefined
  /** Are the values valid together? */
  readonly validate?: ((values: Values<Options>) => Result<void>) | undefined
}

/** An option that has no effect without another one, or without a certain kind of value of it. */
export type Requirement = readonly [option: string, required: string, kind?: ValueKind]

interface ValueKind {
  /** As it is written on the command line. */
  readonly like: string
  readonly matches: (value: unknown) => boolean
}

/** In the order in which they count, by Commander's names for them. */
const SOURCES = ['cli', 'env', 'config', 'default'] as const
type Source = (typeof SOURCES)[number]

/** A value as it may be written in a file. */
export type Written = string | readonly string[] | boolean | null

export interface ResolvedOption {
  readonly value: unknown
  readonly written: Written
  readonly source: Source
  /** The flag, the variable or the file that it comes from, `default`, or `not set`. */
  readonly from: string
}

export type ResolvedOptions = Readonly<Record<string, ResolvedOption>>

/** A table of a configuration file, as it was parsed. */
export type Table = Readonly<Record<string, unknown>>

export type Variables = Readonly<Record<string, string | undefined>>

/** What was given for the options of one command. */
export interface Given {
  /** Of the command line. */
  readonly flags: Table
  readonly environment: Variables
  readonly file: { readonly path: string; readonly table: Table } | null
}

export type Resolution = Result<ResolvedOptions, readonly string[]>

/** The options of a command; or why one that counts is invalid. */
export function resolveOptions(table: OptionTable, given: Given): Resolution {
  const resolved: Record<string, ResolvedOption> = {}
  for (const [name, option] of Object.entries(table.options)) {
    const one = resolveOption(name, option, table.path, given)
    if (!one.ok) return refused([one.why])
    resolved[name] = one.value
  }
  const checked = allOf(
    resolveConflicts(table, resolved),
    checkRequirements(table, resolved),
    table.validate?.(valuesOf(resolved)) ?? OK,
  )
  return checked.ok ? success(resolved) : refused([checked.why])
}

/** The values alone, as a command is run with them. */
export function valuesOf<O extends Options>(resolved: ResolvedOptions): Values<O> {
  const values = Object.entries(resolved).map(([name, { value }]) => [name, value])
  // Each option was parsed by its own declaration.
  return Object.fromEntries(values) as Values<O>
}

/** The name of an option in the environment. `comet serve` is what most run, and needs no name. */
export function variableOf(path: readonly string[], option: string): string {
  const words = path.join(' ') === 'serve' ? [option] : [...path, option]
  return ['comet', ...words].join('_').replaceAll('-', '_').toUpperCase()
}

/**
 * Variables that are named like options and are none: a warning only, since programs around this
 * one may have variables of that name, too.
 */
export function unknownVariables(tables: readonly OptionTable[], environment: Variables): string[] {
  const known = new Set(['COMET_CONFIG'])
  for (const { path, options } of tables) {
    for (const option of Object.keys(options)) known.add(variableOf(path, option))
  }
  // Compared without the prefix that all of them have.
  const endings = [...known].map((name) => name.slice(PREFIX.length))
  return Object.keys(environment)
    .filter((name) => name.startsWith(PREFIX) && !known.has(name))
    .map((name) => {
      const nearest = nearestTo(name.slice(PREFIX.length), endings)
      const hint = nearest === undefined ? '' : `; did you mean ${PREFIX}${nearest}?`
      return `unknown option ${name} in the environment${hint}`
    })
}

const PREFIX = 'COMET_'

function resolveOption(
  name: string,
  option: AnyOption,
  path: readonly string[],
  { flags, environment, file }: Given,
): Result<ResolvedOption> {
  const variable = variableOf(path, name)
  const places = [
    [`--${name}`, flags[name]],
    // An empty variable is how a shell or a compose file says that there is none.
    [variable, environment[variable] === '' ? undefined : environment[variable]],
    [file?.path ?? '', file?.table[name]],
  ] as const
  for (const [rank, [from, raw]] of places.entries()) {
    if (raw === undefined) continue
    const parsed = parseWritten(option, raw)
    if (!parsed.ok) return refused(`${name} of ${from}: ${parsed.why}`)
    return success({ ...parsed.value, from, source: SOURCES[rank] as Source })
  }
  return success(defaultOf(option))
}

/** Parses a value from any source; or says what it should be. */
export function parseWritten(
  option: AnyOption,
  raw: unknown,
): Result<Pick<ResolvedOption, 'value' | 'written'>> {
  if ('flag' in option) {
    const value = typeof raw === 'string' ? BOOLEANS.get(raw.toLowerCase()) : raw
    return typeof value === 'boolean'
      ? success({ value, written: value })
      : refused('expected true or false.')
  }
  if (!('each' in option)) {
    const text = textOf(raw)
    const value = text === undefined ? undefined : option.parse(text)
    return text === undefined || value === undefined
      ? refused(`expected ${expectedText(option, text)}.`)
      : success({ value, written: option.secret === true ? '(hidden)' : text })
  }
  const { parse } = option.each
  // A variable has one text for all of them, a line each.
  const lines = typeof raw === 'string' ? raw.split('\n').filter((line) => line !== '') : [raw]
  const texts = (Array.isArray(raw) ? raw : lines).flatMap((of) => {
    const several = splitList(option, textOf(of) ?? '')
    // An empty list is a mistake: to give none, the option is left out.
    return several.length === 0 ? [undefined] : several
  })
  const values = texts.map((text) => (text === undefined ? undefined : parse(text)))
  const wrong = values.indexOf(undefined)
  if (wrong !== -1) return refused(`expected for each: ${expectedText(option.each, texts[wrong])}.`)
  return success({ value: values, written: texts.map(String) })
}

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['true', 'yes', 'on', '1'].map((word) => [word, true] as const),
  ...['false', 'no', 'off', '0'].map((word) => [word, false] as const),
])

/** Files may have a number. */
function textOf(raw: unknown): string | undefined {
  return typeof raw === 'string' || typeof raw === 'number' ? String(raw) : undefined
}

function defaultOf(option: AnyOption): ResolvedOption {
  const source = 'default'
  if ('flag' in option) return { value: false, written: false, source, from: 'default' }
  const isList = 'each' in option
  const { fallback, parse } = isList ? option.each : option
  if (fallback === null) {
    return { value: isList ? [] : null, written: null, source, from: 'not set' }
  }
  const value = parse(fallback)
  if (value === undefined) throw new Error(`the default ${fallback} of an option is invalid`)
  if (isList) return { value: [value], written: [fallback], source, from: 'default' }
  return { value, written: fallback, source, from: 'default' }
}

/** Of two options that exclude each other the one of the earlier source counts. */
function resolveConflicts(
  { conflicts = [], options }: OptionTable,
  resolved: Record<string, ResolvedOption>,
): Result<void> {
  for (const [one, other] of conflicts) {
    const [first, second] = [resolved[one] as ResolvedOption, resolved[other] as ResolvedOption]
    if (!isGiven(first) || !isGiven(second)) continue
    if (first.source === second.source) return refused(`give --${one} or --${other}, not both`)
    const isFirst = SOURCES.indexOf(first.source) < SOURCES.indexOf(second.source)
    const late = isFirst ? other : one
    resolved[late] = defaultOf(options[late] as AnyOption)
  }
  return OK
}

function checkRequirements(
  { requires = [] }: OptionTable,
  resolved: ResolvedOptions,
): Result<void> {
  for (const [name, required, kind] of requires) {
    const [one, other] = [resolved[name] as ResolvedOption, resolved[required] as ResolvedOption]
    // A file and the environment are for many starts, some of which do not use it.
    if (one.source !== 'cli' || !isGiven(one)) continue
    if (isGiven(other) && (kind === undefined || kind.matches(other.value))) continue
    return refused(`--${name} requires --${required}${kind === undefined ? '' : ` ${kind.like}`}`)
  }
  return OK
}

/** A flag that is turned off is as one that is left out. */
function isGiven({ source, value }: ResolvedOption): boolean {
  return source !== 'default' && value !== false
}
