// How a subcommand declares itself: its options once, each with its type, default and help.
// Commander reads the command line and prints the help.

import { type Command as Commander, InvalidArgumentError, Option } from 'commander'
import { nearestTo } from '../core/nearest.ts'
import type { Result } from '../core/result.ts'
import { type ConfigSources, resolveWithFile } from './config-file.ts'
import { heading, type Purpose, wrapped } from './help.ts'
import type { Io } from './io.ts'
import {
  type AnyOption,
  expectedText,
  type Options,
  short,
  splitList,
  text,
  type Values,
} from './option.ts'
import {
  type OptionTable,
  type Requirement,
  type Resolution,
  type ResolvedOptions,
  type Table,
  valuesOf,
  variableOf,
} from './option-sources.ts'

/** Exit codes, as `comet --help` lists them. */
export const EXIT = {
  /** All went well. */
  ok: 0,
  /** It ran, and something failed; the summary says what. */
  failed: 1,
  /** The options are invalid; the line on standard error says which. */
  usage: 2,
  /** EX_UNAVAILABLE of sysexits.h: a port, the database or Redis is not available. */
  unavailable: 69,
  /** EX_SOFTWARE of sysexits.h: a bug. */
  bug: 70,
  /** The reader of standard output has left: 128 and SIGPIPE, as shells say of such a program. */
  readerGone: 141,
} as const

interface Argument {
  readonly name: string
  readonly description: string
  /**
   * Null if the command needs to know that nothing was given; it is then run with an empty text.
   */
  readonly fallback: string | null
}

export interface CommandSpec<O extends Options> {
  readonly name: string
  readonly summary: string
  /** Of a command of the program; those of a group have none. */
  readonly purpose?: Purpose
  readonly argument?: Argument
  /** All words behind it, if it may have some. */
  readonly rest?: Pick<Argument, 'name' | 'description'>
  readonly options: O
  /** The same, under the headings that the help has for them. */
  readonly groups?: Readonly<Record<string, Options>>
  /** Pairs of options of which only one may be given. */
  readonly conflicts?: readonly (readonly [keyof O & string, keyof O & string])[]
  readonly requires?: readonly (Requirement & readonly [keyof O, keyof O, unknown?])[]
  /** Are these values valid together? A pure function. */
  readonly validate?: (values: Values<O>) => Result<void>
  /** Whole command lines that a reader can copy. */
  readonly examples: readonly string[]
  /** Loads the module that does the work, so that no other command loads it. */
  readonly load: () => Promise<{ readonly run: Run<O> }>
}

/** Does the work of a command; returns the exit code. */
export type Run<O extends Options> = (
  values: Values<O>,
  io: Io,
  argument: string,
  source: OptionSources,
  rest: readonly string[],
) => Promise<number>

/** Where the values come from, for a command that reads them again. */
export interface OptionSources {
  readonly resolved: ResolvedOptions
  /** Reads the file again; command line and environment stay as they were. */
  readonly again: () => Resolution
  /** Other options, by the same file and environment. */
  readonly of: (table: OptionTable) => Resolution
}

/** What the program gives to each of its commands. */
export interface Context extends ConfigSources {
  readonly program: Commander
  readonly io: Io
  readonly onDone: (exitCode: number) => void
  /** Called with the options instead of running the command; returns the exit code. */
  readonly show?: (resolved: ResolvedOptions, table: OptionTable) => number
}

export interface Command {
  readonly name: string
  /**
   * Its options, or those of its commands; `prefix` is the name of the command that it is part of.
   */
  tables(...prefix: string[]): readonly OptionTable[]
  attach(context: Context, ...prefix: string[]): void
}

export function command<const O extends Options>(spec: CommandSpec<O>): Command {
  const { name, options, conflicts, requires } = spec
  const tableAt = (prefix: readonly string[]): OptionTable => ({
    ...{ path: [...prefix, name], options, conflicts, requires },
    // It is called with the values of these options.
    validate: spec.validate as OptionTable['validate'],
  })
  return {
    name,
    tables: (...prefix) => [tableAt(prefix)],
    attach: (context, ...prefix) => attach(spec, tableAt(prefix), context),
  }
}

/** Several commands under one name, like `comet friends generate`. */
export function group(
  name: string,
  { summary, purpose }: { readonly summary: string; readonly purpose: Purpose },
  commands: readonly Command[],
): Command {
  return {
    name,
    tables: () => commands.flatMap((each) => each.tables(name)),
    attach(context) {
      const program = context.program.command(name).summary(summary).description(summary)
      program.helpGroup(`${purpose}:`)
      program.copyInheritedSettings(context.program)
      for (const each of commands) each.attach({ ...context, program }, name)
    },
  }
}

/** Every command has it. */
export const CONFIG = short(
  'c',
  text('file', null, 'a TOML file of options, with a table for each command'),
)

function attach<O extends Options>(
  spec: CommandSpec<O>,
  table: OptionTable,
  context: Context,
): void {
  const { program, io, onDone, show } = context
  const { name, summary, argument, rest, options } = spec
  // What `comet config` shows without the name of a command.
  const isDefault = show !== undefined && name === 'serve'
  const sub = program.command(name, { isDefault })
  sub.copyInheritedSettings(program).allowExcessArguments(isDefault)
  sub.summary(summary).description(summary)
  if (spec.purpose !== undefined) sub.helpGroup(`${spec.purpose}:`)
  for (const [option, declaration] of Object.entries({ ...options, config: CONFIG })) {
    const made = declared(option, declaration)
    const title = headingOf(option, spec.groups)
    sub.addOption(title === undefined ? made : made.helpGroup(`${title}:`))
    if (!('each' in declaration)) refuseTwice(sub, option)
  }
  if (argument !== undefined) {
    sub.argument(`[${argument.name}]`, argument.description, argument.fallback ?? undefined)
  }
  if (rest !== undefined) sub.argument(`[${rest.name}...]`, rest.description)
  if (spec.examples.length > 0) {
    const lines = spec.examples.map((line) => `  ${line}`)
    sub.addHelpText('after', ['', heading('Examples:'), ...lines].join('\n'))
  }
  sub.addHelpText('after', `\n${otherSources(table.path)}`)
  sub.action(async (given?: unknown, more?: unknown) => {
    if (isDefault && sub.args.length > 0) sub.error(`error: ${excess(sub.args, program)}`)
    const flags = flagsOf(sub, options)
    const { requires, validate, ...valuesOnly } = table
    // Values that are invalid together are shown all the same, since they have to be found.
    const resolution = resolveWithFile(show === undefined ? table : valuesOnly, flags, context)
    if (!resolution.ok) {
      for (const why of resolution.why) io.stderr(`comet ${table.path.join(' ')}: ${why}`)
      return onDone(EXIT.usage)
    }
    const resolved = resolution.value
    if (show !== undefined) return onDone(show(resolved, table))
    const { run } = await spec.load()
    const source: OptionSources = {
      resolved,
      again: () => resolveWithFile(table, flags, context),
      of: (other) => resolveWithFile(other, { config: flags['config'] }, context),
    }
    const first = argument === undefined ? '' : String(given ?? '')
    // Behind the arguments come the options and the command.
    const words = rest !== undefined && Array.isArray(more) ? more.map(String) : []
    onDone(await run(valuesOf<O>(resolved), io, first, source, words))
  })
}

/** For a word after a command that takes none, and that may have been meant as another command. */
function excess([word = '']: readonly string[], program: Commander): string {
  const names = program.commands.map((command) => command.name())
  const nearest = nearestTo(word, names)
  return `too many arguments${nearest === undefined ? '' : `; did you mean ${nearest}?`}`
}

const FOOTER_COLUMNS = 80

function otherSources(path: readonly string[]): string {
  const variable = variableOf(path, 'x').slice(0, -1)
  const text =
    `Options may also be set as ${variable}<OPTION> in the environment, and in the table ` +
    `[${path.join('.')}] of the file of --config. The command line counts before the environment, ` +
    'and that before the file. comet config shows which values count.'
  return wrapped(text, FOOTER_COLUMNS).join('\n')
}

function headingOf(option: string, groups: Readonly<Record<string, Options>> = {}) {
  return Object.keys(groups).find((title) => Object.hasOwn(groups[title] ?? {}, option))
}

/** The options of the command line, as they were written there. */
function flagsOf(sub: Commander, options: Options): Table {
  const flags: Record<string, unknown> = {}
  for (const option of sub.options) {
    const [name, key] = [option.name(), option.attributeName()]
    if (!(name in options) && name !== 'config') continue
    if (sub.getOptionValueSource(key) === 'cli') flags[name] = sub.getOptionValue(key)
  }
  return flags
}

/** Commander refuses an invalid value by the option's name; the text is parsed again later. */
function declared(name: string, option: AnyOption): Option {
  const letter = option.short === undefined ? '' : `-${option.short}, `
  if ('flag' in option) return new Option(`${letter}--${name}`, option.description)
  const single = 'each' in option ? option.each : option
  const { value, description, fallback, parse } = single
  const check = (text: string): string => {
    if (parse(text) === undefined) {
      throw new InvalidArgumentError(`Expected ${expectedText(single, text)}.`)
    }
    return text
  }
  const several = 'each' in option && option.separator !== null ? ',...' : ''
  const flags = `${letter}--${name} <${value}${several}>`
  if ('each' in option) {
    // A default of Commander's own would come before the values that are given.
    const listed = fallback === null ? description : `${description} (default: ${fallback})`
    return new Option(flags, listed).argParser((text: string, before: unknown): string[] => {
      const texts = splitList(option, text)
      if (texts.length === 0) check('')
      return [...(Array.isArray(before) ? before : []), ...texts.map(check)]
    })
  }
  const made = new Option(flags, description).argParser(check)
  return fallback === null ? made : made.default(fallback, fallback)
}

/** Of two values of an option one would be ignored. */
function refuseTwice(sub: Commander, name: string): void {
  let isGiven = false
  sub.on(`option:${name}`, () => {
    if (isGiven) sub.error(`error: option '--${name}' is given twice; give it once`)
    isGiven = true
  })
}
