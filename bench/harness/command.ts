// The frame of the bench commands: exit codes, a log with the time, and options. An option is
// declared once; its type, the usage text and the message about an invalid value follow from that.

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { parseCount, parseDurationMs, writtenCount, writtenDuration } from '../../src/core/units.ts'
import { inOwnNetwork, type NetworkOptions } from './network.ts'

export const EXIT = { ok: 0, failed: 1, usage: 2 } as const

export const RESULTS = resolve(import.meta.dir, '../results')

export type Log = (text: string) => void

/** Writes lines to standard error, with the seconds since now in front. */
export function elapsedLog(): Log {
  const startedMs = performance.now()
  return (text) => {
    const seconds = Math.round((performance.now() - startedMs) / 1000)
    console.error(`${String(seconds).padStart(5)} s  ${text}`)
  }
}

interface Range {
  readonly min: number
  readonly max: number
}

interface NumberOption extends Range {
  readonly kind: 'count' | 'duration'
  /** As the user writes it. */
  readonly standard: string
  readonly help: string
}

interface TextOption {
  readonly kind: 'text'
  /** What to write there, in the usage text. */
  readonly example: string
  readonly help: string
}

interface FlagOption {
  readonly kind: 'flag'
  readonly help: string
}

export type OptionTable = Readonly<Record<string, NumberOption | TextOption | FlagOption>>

/** A number, milliseconds, a text or null, or whether a flag is given. */
export type OptionValues<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name]['kind'] extends 'count' | 'duration'
    ? number
    : Table[Name]['kind'] extends 'text'
      ? string | null
      : boolean
}

/** A number like 10k. */
export function count(
  standard: string,
  help: string,
  range: Range,
): NumberOption & { kind: 'count' } {
  return { kind: 'count', standard, help, ...range }
}

/** A time like 30s; the range is in milliseconds. */
export function duration(
  standard: string,
  help: string,
  range: Range,
): NumberOption & { kind: 'duration' } {
  return { kind: 'duration', standard, help, ...range }
}

export function text(example: string, help: string): TextOption {
  return { kind: 'text', example, help }
}

export function flag(help: string): FlagOption {
  return { kind: 'flag', help }
}

/** For every command that measures the executable of this tree. */
export const noBuild = flag('use dist/comet as it is')

export type OptionsResult<Table extends OptionTable> =
  | { readonly ok: true; readonly values: OptionValues<Table> }
  | { readonly ok: false; readonly why: string }

export function readOptions<const Table extends OptionTable>(
  table: Table,
  args: readonly string[],
): OptionsResult<Table> {
  const options = Object.fromEntries(
    Object.entries(table).map(([name, { kind }]) => {
      return [name, { type: kind === 'flag' ? ('boolean' as const) : ('string' as const) }]
    }),
  )
  try {
    const { values } = parseArgs({ args: [...args], options })
    const read = Object.entries(table).map(([name, option]) => {
      return [name, valueIn(name, option, values[name])]
    })
    return { ok: true, values: Object.fromEntries(read) }
  } catch (error) {
    // Thrown by parseArgs and by valueIn. A stack does not help to find a typing error.
    return { ok: false, why: (error as Error).message }
  }
}

function valueIn(
  name: string,
  option: OptionTable[string],
  given: string | boolean | undefined,
): number | string | boolean | null {
  if (option.kind === 'flag') return given === true
  if (option.kind === 'text') return typeof given === 'string' ? given : null
  const { kind, standard, min, max } = option
  const parse = kind === 'count' ? parseCount : parseDurationMs
  const value = parse(typeof given === 'string' ? given : standard)
  if (value !== undefined && value >= min && value <= max) return value
  const [what, write] = kind === 'count' ? ['number', writtenCount] : ['duration', writtenDuration]
  throw new Error(`--${name} is a ${what} like ${standard}, from ${write(min)} to ${write(max)}`)
}

/** The usage text: a line an option, with its default. */
export function usageOf(command: string, table: OptionTable): string {
  const rows = Object.entries(table).map(([name, option]) => {
    const example =
      option.kind === 'flag' ? '' : ` ${option.kind === 'text' ? option.example : option.standard}`
    return [`--${name}${example}`, option.help] as const
  })
  const width = Math.max(...rows.map(([option]) => option.length))
  const lines = rows.map(([option, help]) => `  ${option.padEnd(width)}   ${help}`)
  return [`bun run ${command} [options]`, ...lines].join('\n')
}

/** What a command does: it returns its exit code, or a sentence about why it cannot run. */
export type Main<Table extends OptionTable> = (
  values: OptionValues<Table>,
  args: readonly string[],
) => Promise<number | string>

/** Runs a bench as the command of this process, in a network namespace if it wants one. */
export async function runCommand<const Table extends OptionTable>(
  name: string,
  table: Table,
  main: Main<Table>,
  network?: NetworkOptions,
): Promise<never> {
  const args = process.argv.slice(2)
  const exitCode = network === undefined ? null : await inOwnNetwork(args, network)
  if (exitCode !== null) process.exit(exitCode)
  const options = readOptions(table, args)
  const usage = usageOf(name, table)
  const result = options.ok ? await main(options.values, args) : `${options.why}\n\n${usage}`
  if (typeof result === 'string') console.error(`${name}: ${result}`)
  process.exit(typeof result === 'string' ? EXIT.usage : result)
}
