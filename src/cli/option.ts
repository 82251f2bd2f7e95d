// The kinds of options that a command may declare: what each value looks like, how it is read, what it
// is without being given. Where a value comes from is settings.ts's business.

import { type Address, parseAddress, urlOf } from '../core/address.ts'
import { parseHost, parseOrigin } from '../core/hostname.ts'
import { type Network, parseNetwork } from '../core/ip.ts'
import {
  ambiguousBytes,
  parseBytes,
  parseCount,
  parseDurationMs,
  writtenBytes,
  writtenCount,
  writtenDuration,
} from '../core/units.ts'

/** One option that takes a value. */
export interface ValueOption<T> {
  /** The value's name in the help, like `duration`. */
  readonly value: string
  readonly description: string
  /** As a person would write it; null if the option may be left out. */
  readonly fallback: string | null
  /** Answers undefined for what is no such value. */
  readonly parse: (text: string) => T | undefined
  /** What a value looks like, for the message that refuses one. */
  readonly expected: string
  /** Why a text is no value, where there is more to say than what one looks like. */
  readonly hint?: (text: string) => string | null
  /** Must the value appear nowhere? */
  readonly secret?: true
}

/** One option that is there or not. */
export interface FlagOption {
  readonly flag: true
  readonly description: string
}

/** One option that may be given several times. */
export interface ListOption<T> {
  readonly each: ValueOption<T>
  /** What may stand between several in one text; null where a value may hold anything. */
  readonly between: RegExp | null
}

export type AnyOption = ValueOption<unknown> | FlagOption | ListOption<unknown>

export type Options = Readonly<Record<string, AnyOption>>

/** The values of a table of options: null where an option without a default was left out. */
export type Values<O extends Options> = {
  readonly [K in keyof O]: O[K] extends FlagOption
    ? boolean
    : O[K] extends ListOption<infer T>
      ? readonly T[]
      : O[K] extends ValueOption<infer T> & { fallback: null }
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
): ValueOption<number> & { fallback: F } {
  const { min = 1, max = Number.MAX_SAFE_INTEGER } = range
  return {
    value: 'count',
    description,
    fallback,
    parse: (text) => within(parseCount(text), min, max),
    expected: `a whole number like 500, 10k or 1m${bounds(min, max, writtenCount)}`,
  }
}

/** `4`, or a word that stands for a number that the machine decides. */
export function countOr<const W extends string, const F extends string | null>(
  word: W,
  fallback: F,
  description: string,
  max: number,
): ValueOption<number | W> & { fallback: F } {
  const counted = count(null, description, { max })
  return {
    value: `count|${word}`,
    description,
    fallback,
    parse: (text) => (text === word ? word : counted.parse(text)),
    expected: `${word} or ${counted.expected}`,
  }
}

/** `30s`, `250ms`; the value is in milliseconds. */
export function duration<const F extends string | null>(
  fallback: F,
  description: string,
  range: { minMs?: number; maxMs?: number } = {},
): ValueOption<number> & { fallback: F } {
  const { minMs = 0, maxMs = 10 * 864e5 } = range
  return {
    value: 'duration',
    description,
    fallback,
    parse: (text) => within(parseDurationMs(text), minMs, maxMs),
    expected:
      `a duration like 250ms, 30s or 2h${minMs === 1 ? ', at least 1ms' : ''}` +
      bounds(minMs, maxMs, writtenDuration),
  }
}

/** `64KiB`; the value is in bytes. */
export function bytes<const F extends string | null>(
  fallback: F,
  description: string,
  range: { min: number; max: number },
): ValueOption<number> & { fallback: F } {
  return {
    value: 'bytes',
    description,
    fallback,
    parse: (text) => within(parseBytes(text), range.min, range.max),
    expected: `a size like 64KiB or 1MiB${bounds(range.min, range.max, writtenBytes)}`,
    hint: ambiguousBytes,
  }
}

/** `127.0.0.1:8001`. */
export function address<const F extends string | null>(
  fallback: F,
  description: string,
): ValueOption<Address> & { fallback: F } {
  return {
    value: 'host:port',
    description,
    fallback,
    parse: parseAddress,
    expected: 'an address like 127.0.0.1:8001, [::1]:8001 or 8001',
  }
}

/** `10.0.0.0/8`, or an address alone. */
export function network(description: string): ValueOption<Network> & { fallback: null } {
  return {
    value: 'network',
    description,
    fallback: null,
    parse: parseNetwork,
    expected: 'an address or a network like 10.0.0.0/8 or fd00::/8',
  }
}

/** A name of a server, without its port. */
export function host(description: string): ValueOption<string> & { fallback: null } {
  return {
    value: 'name',
    description,
    fallback: null,
    parse: (text) => (/:\d*$/.test(text) ? undefined : parseHost(text)),
    expected: 'a name without a port like comet.example',
  }
}

/** Where pages come from. */
export function origin(description: string): ValueOption<string> & { fallback: null } {
  return {
    value: 'origin',
    description,
    fallback: null,
    parse: parseOrigin,
    expected: 'an origin like https://dashboard.example, without a path',
  }
}

/** The name of a header (RFC 9110 section 5.1). */
export function headerName<const F extends string>(
  fallback: F,
  description: string,
): ValueOption<string> & { fallback: F } {
  return {
    value: 'header',
    description,
    fallback,
    parse: (text) => (/^[!#$%&'*+.^_`|~\w-]{1,100}$/.test(text) ? text : undefined),
    expected: 'the name of a header like X-Forwarded-For',
  }
}

/** Any text that is not empty. */
export function text<const F extends string | null>(
  value: string,
  fallback: F,
  description: string,
): ValueOption<string> & { fallback: F } {
  return {
    value,
    description,
    fallback,
    parse: (given) => (given === '' ? undefined : given),
    expected: `a ${value}`,
  }
}

/** A URL, or `127.0.0.1:8000` for one. */
export function url(description: string, path?: string): ValueOption<string> & { fallback: null } {
  const parse = (given: string) => (given === '' ? undefined : urlOf(given, path))
  return { ...text('url', null, description), parse }
}

/** Any text that is not empty, and that is to be seen nowhere. */
export function secret(
  value: string,
  description: string,
): ValueOption<string> & { fallback: null } {
  return { ...text(value, null, description), secret: true }
}

/** One of a few words. */
export function oneOf<const W extends string>(
  words: readonly W[],
  fallback: W,
  description: string,
): ValueOption<W> & { fallback: W } {
  return {
    value: words.join('|'),
    description,
    fallback,
    parse: (text) => words.find((word) => word === text),
    expected: `one of ${words.join(', ')}`,
  }
}

/** An option that may be given several times, or several in one; without it the list has the default
 * of a single one, if there is one. */
export function list<T>(each: ValueOption<T>, between: RegExp | null = null): ListOption<T> {
  return { each, between }
}

/** The single texts of one text of a list. */
export function severalOf({ between }: ListOption<unknown>, text: string): string[] {
  return (between === null ? [text] : text.split(between)).filter((one) => one !== '')
}

export function flag(description: string): FlagOption {
  return { flag: true, description }
}

/** What a value of the option is, for somebody whose text is none. */
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
