// How a subcommand declares itself: its options once, each with its type, default and help. Reading the
// command line and the help are Commander's; where else values come from is in settings.ts.

import { type Command as Commander, InvalidArgumentError, Option } from 'commander'
import { nearestTo } from '../core/nearest.ts'
import { type KnownOptions, readConfigFile, type Tree, tableOf } from './config-file.ts'
import type { Io } from './io.ts'
import {
  type AnyOption,
  expectedText,
  type Options,
  severalOf,
  text,
  type Values,
} from './option.ts'
import {
  type Either,
  type Needs,
  type Settings,
  settle,
  type Table,
  valuesOf,
  variableOf,
} from './settings.ts'

/** Exit codes, as `comet --help` lists them. */
export const EXIT = {
  /** All went well. */
  ok: 0,
  /** It ran, and something failed; the summary says what. */
  failed: 1,
  /** The options are invalid; the line on standard error says which. */
  usage: 2,
  /** EX_UNAVAILABLE of sysexits.h: a port or the database is not available. */
  unavailable: 69,
  /** EX_SOFTWARE of sysexits.h: a bug. */
  bug: 70,
  /** The reader of standard output has left: 128 and SIGPIPE, as shells say of such a program. */
  readerGone: 141,
} as const

export interface Argument {
  readonly name: string
  readonly description: string
  /** Null if the command is to know that nothing was given; it is then run with an empty text. */
  readonly fallback: string | null
}

export interface CommandSpec<O extends Options> {
  readonly name: string
  readonly summary: string
  readonly argument?: Argument
  readonly options: O
  /** Options of which only one may be given. */
  readonly either?: Either
  readonly needs?: Needs
  /** Why these values are invalid together, if so; it looks at nothing but them. */
  readonly whyNot?: (values: Values<O>) => string | null
  /** Whole command lines that a reader can copy. */
  readonly examples: readonly string[]
  /** The module that does the work: loaded when it is asked for, so that no other command carries it. */
  readonly load: () => Promise<{ readonly run: Run<O> }>
}

/** Does the work of a command; answers the exit code. */
export type Run<O extends Options> = (
  values: Values<O>,
  io: Io,
  argument: string,
  given: GivenAs,
) => Promise<number>

/** Where the values came from, for a command that reads them again. */
export interface GivenAs {
  readonly settings: Settings
  /** Reads the file again; the rest is as it was. */
  readonly again: () => SettledFor
  /** What counts for one option of another command, by the same file and environment. */
  readonly of: (command: string, option: string) => SettledFor
}

/** What a program gives to each of its commands. */
export interface Place {
  readonly program: Commander
  readonly io: Io
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Options of all commands, which one file may have values for. */
  readonly tree: Tree
  /** The commands that this one is one of. */
  readonly path: readonly string[]
  readonly onDone: (exitCode: number) => void
  /** Done with the settings instead of the work; answers the exit code. */
  readonly show?: (settings: Settings, path: readonly string[]) => number
}

/** A command whose options' types have done their work. */
export interface Command {
  readonly name: string
  readonly summary: string
  /** Its options, or its commands with theirs. */
  readonly known: Tree[string]
  attach(place: Place): void
}

export function command<const O extends Options>(spec: CommandSpec<O>): Command {
  const { name, summary, options, either, needs, whyNot } = spec
  const known: KnownOptions = {
    ...{ options, either, needs },
    whyNot: (settings) => whyNot?.(valuesOf<O>(settings)) ?? null,
  }
  return { name, summary, known, attach: (place) => attach(spec, known, place) }
}

function attach<O extends Options>(spec: CommandSpec<O>, known: KnownOptions, place: Place): void {
  const { program, io, onDone, show } = place
  const { name, summary, argument, options } = spec
  const path = [...place.path, name]
  const isDefault = show !== undefined && name === 'serve'
  const sub = program.command(name, { isDefault })
  sub.copyInheritedSettings(program).allowExcessArguments(isDefault)
  sub.summary(summary).description(summary)
  for (const [option, declaration] of Object.entries(options)) {
    sub.addOption(declared(option, declaration))
    if (!('each' in declaration)) refuseTwice(sub, option)
  }
  sub.addOption(declared('config', CONFIG))
  refuseTwice(sub, 'config')
  if (argument !== undefined) {
    sub.argument(`[${argument.name}]`, argument.description, argument.fallback ?? undefined)
  }
  if (spec.examples.length > 0) sub.addHelpText('after', `\nExamples:\n${indented(spec.examples)}`)
  sub.addHelpText('after', `\n${elsewhere(path)}`)
  sub.action(async (...given: unknown[]) => {
    const flags = flagsOf(sub, options)
    // What is invalid is shown all the same: how else would it be found?
    const judged = show === undefined ? known : { ...known, needs: undefined, whyNot: undefined }
    const again = () => settledFor(judged, path, place, flags)
    if (isDefault && sub.args.length > 0) sub.error(`error: ${excess(sub.args, program)}`)
    const settled = again()
    if (!settled.ok) {
      for (const why of settled.why) io.stderr(`comet ${path.join(' ')}: ${why}`)
      onDone(EXIT.usage)
    } else if (show !== undefined) onDone(show(settled.settings, path))
    else {
      const words = argument === undefined ? '' : String(given[0] ?? '')
      const { settings } = settled
      const { run } = await spec.load()
      const of = (other: string, option: string) =>
        settledFor(optionAt(place.tree, other, option), [other], place, { config: flags['config'] })
      onDone(await run(valuesOf<O>(settings), io, words, { settings, again, of }))
    }
  })
}

/** Words behind a command that takes none, and that may have been meant as another command. */
function excess([word = '']: readonly string[], program: Commander): string {
  const names = program.commands.map((command) => command.name())
  const nearest = nearestTo(word, names)
  return `too many arguments${nearest === undefined ? '' : `; did you mean ${nearest}?`}`
}

/** One option of a command alone, so that nothing else of it can be wrong. */
function optionAt(tree: Tree, command: string, name: string): KnownOptions {
  const known = tree[command]
  const option = known !== undefined && 'options' in known ? known.options[name] : undefined
  if (option === undefined) throw new Error(`there is no ${name} of ${command}`)
  return { options: { [name]: option } }
}

/** Several commands under one name, like `comet friends generate`. */
export function group(name: string, summary: string, commands: readonly Command[]): Command {
  return {
    name,
    summary,
    known: { commands: treeOf(commands) },
    attach(place) {
      const sub = place.program.command(name).summary(summary).description(summary)
      sub.copyInheritedSettings(place.program)
      const path = [...place.path, name]
      for (const command of commands) command.attach({ ...place, program: sub, path })
    },
  }
}

/** The options of commands by their names. */
export function treeOf(commands: readonly Command[]): Tree {
  return Object.fromEntries(commands.map(({ name, known }) => [name, known]))
}

const CONFIG = text('file', null, 'a TOML file of options, with a table for each command')

function elsewhere(path: readonly string[]): string {
  const variable = variableOf(path, 'x').slice(0, -1)
  return (
    `Options may also be given as ${variable}<OPTION> in the environment, and in the table\n` +
    `[${path.join('.')}] of the file of --config: the command line counts before the environment,\n` +
    'and that before the file. comet config shows what counts.'
  )
}

export type SettledFor =
  | { readonly ok: true; readonly settings: Settings }
  | { readonly ok: false; readonly why: readonly string[] }

/** What counts for a command, and makes sense. */
export function settledFor(
  { options, either, needs, whyNot }: KnownOptions,
  path: readonly string[],
  { environment, tree }: Pick<Place, 'environment' | 'tree'>,
  flags: Table,
): SettledFor {
  const filePath = flags['config'] ?? environment['COMET_CONFIG'] ?? ''
  let file: { path: string; table: Table } | null = null
  if (typeof filePath === 'string' && filePath !== '') {
    const read = readConfigFile(filePath, tree)
    if (!read.ok) return { ok: false, why: read.complaints }
    file = { path: filePath, table: tableOf(read.table, path) ?? {} }
  }
  const settled = settle(options, { path, flags, environment, file }, either, needs)
  const why = settled.ok ? (whyNot?.(settled.settings) ?? null) : settled.why
  return settled.ok && why === null ? settled : { ok: false, why: [String(why)] }
}

/** What the command line has, as it was written there. */
function flagsOf(sub: Commander, options: Options): Table {
  const flags: Record<string, unknown> = {}
  for (const name of [...Object.keys(options), 'config']) {
    const key = name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
    if (sub.getOptionValueSource(key) === 'cli') flags[name] = sub.getOptionValue(key)
  }
  return flags
}

/** Commander refuses what is invalid, with the option's name; the text is read again later. */
function declared(name: string, option: AnyOption): Option {
  if ('flag' in option) return new Option(`--${name}`, option.description)
  const single = 'each' in option ? option.each : option
  const { value, description, fallback, parse } = single
  const check = (text: string): string => {
    if (parse(text) === undefined) {
      throw new InvalidArgumentError(`It takes ${expectedText(single, text)}.`)
    }
    return text
  }
  const flags = `--${name} <${value}>`
  const made = new Option(flags, description)
  if ('each' in option) {
    // A default of commander's own would stand before what is given.
    const listed = fallback === null ? description : `${description} (default: ${fallback})`
    return new Option(flags, listed).argParser((text: string, before: unknown): string[] => {
      const texts = severalOf(option, text)
      if (texts.length === 0) check('')
      return [...(Array.isArray(before) ? before : []), ...texts.map(check)]
    })
  }
  made.argParser(check)
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

function indented(lines: readonly string[]): string {
  return lines.map((line) => `  ${line}`).join('\n')
}
