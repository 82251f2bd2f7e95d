// `comet config`: shows the value of each option of a command and where it comes from, as a file
// for --config, and checks such a file.

import { type Command, type Context, EXIT } from './command.ts'
import { readConfigFile, resolveWithFile, tableOf } from './config-file.ts'
import type { Io } from './io.ts'
import type { OptionTable, ResolvedOptions, Written } from './option-sources.ts'

const SUMMARY = 'show the value of each option of a command, and where it comes from'

const DESCRIPTION =
  'Show the value of each option of a command, and where it comes from, as a file for --config. ' +
  'Without the name of a command it shows serve. Options of the command line count too.'

const CHECK = 'check a file for --config; exit 1 if anything in it is invalid'

/** @param commands those whose options may be set */
export function configCommand(commands: readonly Command[]): Command {
  return {
    name: 'config',
    tables: () => [],
    attach(context) {
      const { io, onDone } = context
      const program = context.program.command('config').summary(SUMMARY).description(DESCRIPTION)
      program.copyInheritedSettings(context.program).helpGroup('Operation:')
      program
        .command('check')
        .copyInheritedSettings(program)
        .helpGroup('Operation:')
        .summary(CHECK)
        .description(CHECK)
        .argument('<file>', 'the TOML file')
        .action((file: string) => {
          const mistakes = mistakesOf(file, context)
          if (mistakes.length === 0) io.stdout(`${file} is valid.`)
          else for (const mistake of mistakes) io.stderr(`comet config check: ${mistake}`)
          onDone(mistakes.length === 0 ? EXIT.ok : EXIT.failed)
        })
      const show = (resolved: ResolvedOptions, table: OptionTable) =>
        showOptions(io, resolved, table)
      for (const command of commands) command.attach({ ...context, program, show })
    },
  }
}

/**
 * What is invalid in a file, by itself or with what the environment has: a start would refuse it.
 */
function mistakesOf(path: string, context: Context): readonly string[] {
  const read = readConfigFile(path, context.tables)
  if (!read.ok) return read.why
  return context.tables
    .filter((table) => tableOf(read.value, table.path) !== undefined)
    .flatMap((table) => {
      const resolution = resolveWithFile(table, { config: path }, context)
      return resolution.ok
        ? []
        : resolution.why.map((why) => `${path}: [${table.path.join('.')}]: ${why}`)
    })
}

/** Where the sources of values begin, if these leave room. */
const COLUMNS = 48

function showOptions(io: Io, resolved: ResolvedOptions, { path, options }: OptionTable): number {
  const lines = Object.entries(resolved).map(([name, { written, from }]) => {
    const isHidden = 'secret' in (options[name] ?? {}) && written !== null
    // A file cannot have what is not set or not shown.
    const comment = written === null || isHidden ? '# ' : ''
    const text = `${comment}${name} = ${toml(written)}`
    return `${text.trimEnd().padEnd(COLUMNS)} # ${from}`
  })
  io.stdout([`[${path.join('.')}]`, ...lines].join('\n'))
  return EXIT.ok
}

/** A TOML string is a JSON string. */
function toml(written: Written): string {
  if (written === null) return ''
  // A list of one needs no brackets.
  const only = Array.isArray(written) && written.length === 1 ? written[0] : written
  return JSON.stringify(only)
}
