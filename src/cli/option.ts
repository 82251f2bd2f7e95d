// The kinds of options that a command may declare: what a value looks like, how it is parsed, its
// default.

import {
  type Address,
  type Network,
  parseAddress,
  parseHost,
  parseNetwork,
  parseOrigin,
  urlOf,
} from '../core/address.ts'
import { type MetricUnits, type Objective, parseObjectives } from '../core/objective.ts'
import {
  ambiguousBytes,
  parseBytes,
  parseCount,
  parseDurationMs,
  parseShare,
  writtenBytes,
  writtenCount,
  writtenDuration,
} from '../core/units.ts'

/** An option that takes a value. */
export interface ValueOption<T, F extends string | null = string | null> {
  /** The value's name in the help, like `duration`. */
  readonly value: string
  readonly description: string
  /** The default, as a person would write it; null if there is none. */
  readonly fallback: F
  /** Returns undefined for invalid text. */
  readonly parse: (text: string) => T | undefined
  /** What a value looks like, for the message that refuses one. */
  readonly expected: string
  /** Why a text is invalid, where there is more to say than what a value looks like. */
  readonly hint?: (text: string) => string | null
  /** Texts that a shell completes. */
  readonly words?: readonly string[]
  /** The value must not appear in any output. */
  readonly secret?: true
  readonly short?: string
}

/** An option that is given or not. */
export interface FlagOption {
  readonly flag: true
  readonly description: string
  readonly short?: string
}

/** An option that may be given several times. */
export interface ListOption<T> {
  readonly each: ValueOption<T>
  /** What separates several values in one text; null where a value may contain anything. */
  readonly separator: RegExp | null
  readonly short?: string
}

export type AnyOption = ValueOption<unknown> | FlagOption | ListOption<unknown>

export type Options = Readonly<Record<string, AnyOption>>

/** The values of a table of options: null where an option without a default was left out. */
export type Values<O extends Options> = {
  readonly [K in keyof O]: O[K] extends FlagOption
    ? boolean
    : O[K] extends ListOption<infer T>
      ? readonly T[]
      : O[K] extends ValueOption<infer T, null>
        ? T | null
        : O[K] extends ValueOption<infer T>
          ? T
          : never
}

/** `10k`, `1m`. */
export function count<const F extends string | null>(
  fallback: F,
  description: string,
  range: { min?: number; max?: number } = {},
): ValueOption<number, F> {
  const { min = 1, max = Number.MAX_SAFE_INTEGER } = range
  const parse = (text: string) => within(parseCount(text), min, max)
  const expected = `a whole number like 500, 10k or 1m${bounds(min, max, writtenCount)}`
  return { value: 'count', description, fallback, parse, expected }
}

/** `4`, or a word for a number that depends on the machine. */
export function countOr<const W extends string, const F extends string | null>(
  word: W,
  fallback: F,
  description: string,
  max: number,
): ValueOption<number | W, F> {
  const counted = count(null, description, { max })
  const parse = (text: string) => (text === word ? word : counted.parse(text))
  const expected = `${word} or ${counted.expected}`
  return { value: `count|${word}`, description, fallback, parse, expected, words: [word] }
}

/** `30s`, `250ms`; the value is in milliseconds. */
export function duration<const F extends string | null>(
  fallback: F,
  description: string,
  range: { minMs?: number; maxMs?: number } = {},
): ValueOption<number, F> {
  const { minMs = 0, maxMs = 10 * 864e5 } = range
  const parse = (text: string) => within(parseDurationMs(text), minMs, maxMs)
  const expected =
    `a duration like 250ms, 30s or 2h${minMs === 1 ? ', at least 1ms' : ''}` +
    bounds(minMs, maxMs, writtenDuration)
  return { value: 'duration', description, fallback, parse, expected }
}

/** `64KiB`; the value is in bytes. */
export function bytes<const F extends string | null>(
  fallback: F,
  description: string,
  { min, max }: { min: number; max: number },
): ValueOption<number, F> {
  const parse = (text: string) => within(parseBytes(text), min, max)
  const expected = `a size like 64KiB or 1MiB${bounds(min, max, writtenBytes)}`
  return { value: 'bytes', description, fallback, parse, expected, hint: ambiguousBytes }
}

/** `127.0.0.1:8001`. */
export function address<const F extends string | null>(
  fallback: F,
  description: string,
): ValueOption<Address, F> {
  const expected = 'an address like 127.0.0.1:8001, [::1]:8001 or 8001'
  return { value: 'host:port', description, fallback, parse: parseAddress, expected }
}

/** `10.0.0.0/8`, or an address alone. */
export function network(description: string): ValueOption<Network, null> {
  const expected = 'an address or a network like 10.0.0.0/8 or fd00::/8'
  return { value: 'network', description, fallback: null, parse: parseNetwork, expected }
}

/** A name of a server, without its port. */
export function host(description: string): ValueOption<string, null> {
  const parse = (text: string) => (/:\d*$/.test(text) ? undefined : parseHost(text))
  const expected = 'a name without a port like comet.example'
  return { value: 'name', description, fallback: null, parse, expected }
}

/** The origin of a web page. */
export function origin(description: string): ValueOption<string, null> {
  const expected = 'an origin like https://dashboard.example, without a path'
  return { value: 'origin', description, fallback: null, parse: parseOrigin, expected }
}

/** The same, or a word for others. */
export function originOr(word: string, description: string): ValueOption<string, null> {
  const { parse, expected, ...option } = origin(description)
  return {
    ...option,
    parse: (text) => (text === word ? word : parse(text)),
    expected: `${word} or ${expected}`,
  }
}

/** The name of a header (RFC 9110 section 5.1). */
export function headerName<const F extends string>(
  fallback: F,
  description: string,
): ValueOption<string, F> {
  const isName = (text: string) => /^[!#$%&'*+.^_`|~\w-]{1,100}$/.test(text)
  const parse = (text: string) => (isName(text) ? text : undefined)
  const expected = 'the name of a header like X-Forwarded-For'
  return { value: 'header', description, fallback, parse, expected }
}

/** Any text that is not empty. */
export function text<const F extends string | null>(
  value: string,
  fallback: F,
  description: string,
): ValueOption<string, F> {
  const parse = (given: string) => (given === '' ? undefined : given)
  return { value, description, fallback, parse, expected: `a ${value}` }
}

/** A URL, or `127.0.0.1:8000` for one. */
export function url(description: string, path?: string): ValueOption<string, null> {
  const parse = (given: string) => (given === '' ? undefined : urlOf(given, path))
  return { ...text('url', null, description), parse }
}

/** Text that must not appear in any output. */
export function secret(value: string, description: string): ValueOption<string, null> {
  return { ...text(value, null, description), secret: true }
}

/** `1%`. */
export function share(description: string): ValueOption<number, string> {
  return {
    value: 'share',
    description,
    fallback: '0%',
    parse: parseShare,
    expected: 'a share from 0% to 100%',
  }
}

/** One of a few words. */
export function oneOf<const W extends string, const F extends W | null>(
  words: readonly W[],
  fallback: F,
  description: string,
): ValueOption<W, F> {
  const parse = (text: string) => words.find((word) => word === text)
  const expected = `one of ${words.join(', ')}`
  return { value: words.join('|'), description, fallback, parse, expected, words }
}

/** Objectives that a run must meet, like `p99<20ms,lost=0`, by the metrics of a table. */
export function objectives<const F extends string | null>(
  units: MetricUnits,
  fallback: F,
  description: string,
): ValueOption<Objective[], F> {
  const parse = (text: string) => parseObjectives(text, units)
  const expected =
    `objectives like p99<20ms,lost=0, about ${Object.keys(units).join(', ')}, ` +
    'or another percentile like p99.5'
  return { value: 'objectives', description, fallback, parse, expected }
}

/**
 * An option that may be given several times; its default is that of a single value, if there is
 * one.
 */
export function list<T>(each: ValueOption<T>, separator: RegExp | null = null): ListOption<T> {
  return { each, separator }
}

/** An option of several values, which may also be given in one text with commas. */
export function commaSeparated<T>(each: ValueOption<T>): ListOption<T> {
  return list(each, /[\s,]+/)
}

/** The single texts of one text of a list. */
export function splitList({ separator }: ListOption<unknown>, text: string): string[] {
  return (separator === null ? [text] : text.split(separator)).filter((one) => one !== '')
}

export function flag(description: string): FlagOption {
  return { flag: true, description }
}

/** An option that also has a name of one letter, as other Unix tools have it. */
export function short<O extends AnyOption>(letter: string, option: O): O {
  return { ...option, short: letter }
}

/** What a value of the option looks like, for the message that refuses a text. */
export function expectedText(
  { expected, hint }: ValueOption<unknown>,
  text: string | undefined,
): string {
  const why = text === undefined ? null : (hint?.(text) ?? null)
  return why === null ? expected : `${expected}; ${why}`
}

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined
}

function bounds(min: number, max: number, format: (value: number) => string): string {
  const ends: string[] = []
  if (min > 1) ends.push(`at least ${format(min)}`)
  if (max < Number.MAX_SAFE_INTEGER) ends.push(`at most ${format(max)}`)
  return ends.length > 0 ? `, ${ends.join(' and ')}` : ''
}
