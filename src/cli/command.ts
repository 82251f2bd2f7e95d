// How a subcommand declares itself: its options once, each with its type, default and help. The
// parsing and the help are Commander's; the values' types follow from the declaration.

import { type Command as Commander, InvalidArgumentError, Option } from 'commander'
import { type Address, parseAddress } from '../core/address.ts'
import { formatBytes, parseBytes, parseCount, parseDurationMs } from '../core/units.ts'
import type { Io } from './io.ts'

/** Exit codes, as `comet --help` lists them. */
export const EXIT = {
  /** All went well. */
  ok: 0,
  /** It ran, and something failed; the summary says what. */
  failed: 1,
  /** The options make no sense; the line on standard error says which. */
  usage: 2,
  /** EX_UNAVAILABLE of sysexits.h: a port or the database is not to be had. */
  unavailable: 69,
  /** EX_SOFTWARE of sysexits.h: a bug. */
  bug: 70,
} as const

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
  readonly looksLike: string
}

/** One option that is there or not. */
export interface FlagOption {
  readonly flag: true
  readonly description: string
}

/** One option that may be given several times. */
export interface ListOption<T> {
  readonly each: ValueOption<T>
}

type AnyOption = ValueOption<unknown> | FlagOption | ListOption<unknown>

/** The values of a table of options: null where an option without a default was left out. */
export type Values<O extends Record<string, AnyOption>> = {
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

export interface Argument {
  readonly name: string
  readonly description: string
  /** Null if the command is to know that nothing was given; it is then run with an empty text. */
  readonly fallback: string | null
}

export interface CommandSpec<O extends Record<string, AnyOption>> {
  readonly name: string
  readonly summary: string
  readonly argument?: Argument
  readonly options: O
  /** Whole command lines that a reader can copy. */
  readonly examples: readonly string[]
  /** Does the work; answers the exit code. */
  readonly run: (values: Values<O>, io: Io, argument: string) => Promise<number>
}

/** A command whose options' types have done their work. */
export interface Command {
  readonly name: string
  attach(program: Commander, io: Io, onDone: (exitCode: number) => void): void
}

export function command<const O extends Record<string, AnyOption>>(spec: CommandSpec<O>): Command {
  return {
    name: spec.name,
    attach(program, io, onDone) {
      const sub = program.command(spec.name)
      sub.copyInheritedSettings(program)
      sub.summary(spec.summary).description(spec.summary)
      for (const [name, option] of Object.entries(spec.options))
        sub.addOption(declared(name, option))
      const { argument } = spec
      if (argument !== undefined) {
        sub.argument(`[${argument.name}]`, argument.description, argument.fallback ?? undefined)
      }
      if (spec.examples.length > 0) {
        sub.addHelpText(
          'after',
          `\nExamples:\n${spec.examples.map((line) => `  ${line}`).join('\n')}`,
        )
      }
      sub.action(async (...given: unknown[]) => {
        const text = argument === undefined ? '' : String(given[0] ?? '')
        const raw = sub.opts<Record<string, unknown>>()
        onDone(await spec.run(valuesOf(spec.options, raw), io, text))
      })
    },
  }
}

/** Several commands under one name, like `comet friends generate`. */
export function group(name: string, summary: string, commands: readonly Command[]): Command {
  return {
    name,
    attach(program, io, onDone) {
      const sub = program.command(name).summary(summary).description(summary)
      sub.copyInheritedSettings(program)
      for (const command of commands) command.attach(sub, io, onDone)
    },
  }
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
    looksLike: `a whole number like 500, 10k or 1m${bounds(min, max, String)}`,
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
    looksLike: `${word} or ${counted.looksLike}`,
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
    looksLike:
      `a duration like 250ms, 30s or 2h${minMs === 1 ? ', at least 1ms' : ''}` +
      bounds(minMs, maxMs, (ms) => `${ms}ms`),
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
    looksLike: `a size like 64KiB or 1MiB${bounds(range.min, range.max, formatBytes)}`,
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
    looksLike: 'an address like 127.0.0.1:8001, [::1]:8001 or :8001',
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
    looksLike: `a ${value}`,
  }
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
    looksLike: `one of ${words.join(', ')}`,
  }
}

/** An option that may be given several times; without it the list is empty. */
export function list<T>(each: ValueOption<T>): ListOption<T> {
  return { each }
}

export function flag(description: string): FlagOption {
  return { flag: true, description }
}

function declared(name: string, option: AnyOption): Option {
  if ('flag' in option) return new Option(`--${name}`, option.description)
  if ('each' in option) {
    const { value, description, parse, looksLike } = option.each
    const append = (text: string, before: unknown): unknown[] => {
      const parsed = parse(text)
      if (parsed === undefined) throw new InvalidArgumentError(`It takes ${looksLike}.`)
      return [...(Array.isArray(before) ? before : []), parsed]
    }
    return new Option(`--${name} <${value}>`, description).argParser(append)
  }
  const { value, description, fallback, parse, looksLike } = option
  const made = new Option(`--${name} <${value}>`, description).argParser((text: string) => {
    const parsed = parse(text)
    if (parsed === undefined) throw new InvalidArgumentError(`It takes ${looksLike}.`)
    return parsed
  })
  if (fallback === null) return made
  const parsed = parse(fallback)
  if (parsed === undefined) throw new Error(`the default ${fallback} of --${name} is none`)
  return made.default(parsed, fallback)
}

function valuesOf<O extends Record<string, AnyOption>>(
  options: O,
  raw: Record<string, unknown>,
): Values<O> {
  const entries = Object.entries(options).map(([name, option]) => {
    const key = name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
    return [name, raw[key] ?? without(option)]
  })
  return Object.fromEntries(entries) as Values<O>
}

function without(option: AnyOption): unknown {
  if ('flag' in option) return false
  return 'each' in option ? [] : null
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
