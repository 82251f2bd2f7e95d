// Where the value of each option comes from: the command line, before the environment, before the file
// of --config, before the default. It reads none of them itself.

import { type AnyOption, expectedText, type Options, severalOf, type Values } from './option.ts'

/** A value as it may be written down: several for an option that may be given several times. */
export type Written = string | readonly string[] | boolean | null

export interface Setting {
  readonly value: unknown
  readonly written: Written
  /** The flag, the variable or the file that has it, `default`, or `not set`. */
  readonly from: string
  /** Of several places the first counts: 0 for the command line. */
  readonly rank: number
}

export type Settings = Readonly<Record<string, Setting>>

/** A table of a configuration file, as it was read. */
export type Table = Readonly<Record<string, unknown>>

/** What was given for the options of one command. */
export interface Given {
  /** The command and those that it is one of, like `friends load`. */
  readonly path: readonly string[]
  /** Of the command line. */
  readonly flags: Table
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly file: { readonly path: string; readonly table: Table } | null
}

export type Settled =
  | { readonly ok: true; readonly settings: Settings }
  | { readonly ok: false; readonly why: string }

/** The name of an option in the environment. `comet serve` is what most run, and needs no name. */
export function variableOf(path: readonly string[], option: string): string {
  const words = path.join(' ') === 'serve' ? [option] : [...path, option]
  return ['comet', ...words].join('_').replaceAll('-', '_').toUpperCase()
}

/** The first value that was given for each option; or why one that counts is invalid. */
export function settle(
  options: Options,
  given: Given,
  either: Either = [],
  needs: Needs = [],
): Settled {
  const settings: Record<string, Setting> = {}
  for (const [name, option] of Object.entries(options)) {
    const setting = settingOf(name, option, given)
    if (typeof setting === 'string') return { ok: false, why: setting }
    settings[name] = setting
  }
  for (const names of either) {
    const why = settleEither(names, settings, options)
    if (why !== null) return { ok: false, why }
  }
  for (const [name, needed, kind] of needs) {
    const [one, other] = [settings[name], settings[needed]]
    if (one === undefined || other === undefined) throw new Error(`no ${name} or no ${needed}`)
    // A file and the environment are for many starts, of which some have no use for it.
    if (one.rank !== RANK_FLAG || !isGiven(one)) continue
    if (isGiven(other) && (kind === undefined || kind.fits(other.value))) continue
    const wanted = `--${needed}${kind === undefined ? '' : ` ${kind.like}`}`
    return { ok: false, why: `--${name} is for ${wanted}; give ${wanted} as well` }
  }
  return { ok: true, settings }
}

/** Options that are of no use without another one, or without a value of a certain kind for it. */
export type Needs = readonly (readonly [name: string, needed: string, kind?: ValueKind])[]

interface ValueKind {
  /** As it is written on the command line. */
  readonly like: string
  readonly fits: (value: unknown) => boolean
}

/** Pairs of options of which one may be given: one of a later place gives way. */
export type Either = readonly (readonly [string, string])[]

function settleEither(
  [one, other]: readonly [string, string],
  settings: Record<string, Setting>,
  options: Options,
): string | null {
  const [first, second] = [settings[one], settings[other]]
  if (first === undefined || second === undefined) throw new Error(`no ${one} or no ${other}`)
  if (!isGiven(first) || !isGiven(second)) return null
  if (first.rank === second.rank) return `give --${one} or --${other}, not both`
  const late = first.rank < second.rank ? other : one
  settings[late] = withoutOne(options[late] as AnyOption)
  return null
}

/** A flag that is said to be off is as one that is left out. */
function isGiven({ rank, value }: Setting): boolean {
  return rank < RANK_WITHOUT && value !== false
}

const RANK_FLAG = 0

/** The file comes behind the command line and the environment. */
export const RANK_FILE = 2

/** What comes behind the command line, the environment and the file. */
const RANK_WITHOUT = 3

const NOT_SET: Setting = { value: null, written: null, from: 'not set', rank: RANK_WITHOUT }

/** The values alone, as a command is run with them. */
export function valuesOf<O extends Options>(settings: Settings): Values<O> {
  const values = Object.entries(settings).map(([name, { value }]) => [name, value])
  // Each option was read by its own declaration.
  return Object.fromEntries(values) as Values<O>
}

function settingOf(name: string, option: AnyOption, given: Given): Setting | string {
  const { path, flags, environment, file } = given
  const variable = variableOf(path, name)
  const places = [
    [`--${name}`, flags[name]],
    [variable, environment[variable]],
    [file?.path ?? '', file?.table[name]],
  ] as const
  for (const [rank, [from, raw]] of places.entries()) {
    // An empty variable is how a shell or a compose file says that there is none.
    if (raw === undefined || (raw === '' && from === variable)) continue
    const read = readWritten(option, raw)
    return typeof read === 'string' ? `${name} of ${from}: ${read}` : { ...read, from, rank }
  }
  return withoutOne(option)
}

type Read = Pick<Setting, 'value' | 'written'>

/** Reads a value of whatever source; answers what it takes if it is none. */
export function readWritten(option: AnyOption, raw: unknown): Read | string {
  if ('flag' in option) {
    const value = typeof raw === 'string' ? TRUTHS.get(raw.toLowerCase()) : raw
    return typeof value === 'boolean' ? { value, written: value } : 'it takes true or false.'
  }
  if (!('each' in option)) {
    const text = textOf(raw)
    const value = text === undefined ? undefined : option.parse(text)
    return text === undefined || value === undefined
      ? `it takes ${expectedText(option, text)}.`
      : { value, written: option.secret === true ? '(hidden)' : text }
  }
  const { parse } = option.each
  // A variable has one text for all of them, a line each.
  const lines = typeof raw === 'string' ? raw.split('\n').filter((line) => line !== '') : [raw]
  const texts = (Array.isArray(raw) ? raw : lines).flatMap((of) => {
    const several = severalOf(option, textOf(of) ?? '')
    // What holds nothing is a slip: anyone who wants none leaves it out.
    return several.length === 0 ? [undefined] : several
  })
  const values = texts.map((text) => (text === undefined ? undefined : parse(text)))
  const wrong = values.indexOf(undefined)
  if (wrong !== -1) return `each is to be ${expectedText(option.each, texts[wrong])}.`
  return { value: values, written: texts.map(String) }
}

const TRUTHS: ReadonlyMap<string, boolean> = new Map([
  ...['true', 'yes', 'on', '1'].map((word) => [word, true] as const),
  ...['false', 'no', 'off', '0'].map((word) => [word, false] as const),
])

/** Files may write a number as one. */
function textOf(raw: unknown): string | undefined {
  return typeof raw === 'string' || typeof raw === 'number' ? String(raw) : undefined
}

const DEFAULT = { from: 'default', rank: RANK_WITHOUT } as const

function withoutOne(option: AnyOption): Setting {
  if ('flag' in option) return { ...DEFAULT, value: false, written: false }
  const isList = 'each' in option
  const { fallback, parse } = isList ? option.each : option
  if (fallback === null) return isList ? { ...NOT_SET, value: [] } : NOT_SET
  const value = parse(fallback)
  if (value === undefined) throw new Error(`the default ${fallback} of an option is none`)
  if (isList) return { ...DEFAULT, value: [value], written: [fallback] }
  return { ...DEFAULT, value, written: fallback }
}
