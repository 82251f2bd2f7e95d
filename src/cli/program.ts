// The command line: finds the subcommand, prints errors, returns the exit code.

import { Command as Commander, CommanderError } from 'commander'
import { versionLine } from '../core/build.ts'
import { type Command, EXIT } from './command.ts'
import { configCommand } from './config-command.ts'
import { processIo } from './io.ts'
import { unknownVariables } from './option-sources.ts'
import { OutputError } from './output.ts'

const io = processIo()

async function main(argv: readonly string[], commands: readonly Command[]): Promise<number> {
  let exitCode: number = EXIT.ok
  const program = new Commander('comet')
    .description('A Comet server in one executable: hold a stream per user, flood it, feed it.')
    .version(versionLine(), '-V, --version', VERSION)
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help of a command')
    .addHelpText('after', EXIT_CODES)
    .configureOutput({
      writeOut: (text) => io.stdout(text),
      // One line that helps: Commander puts its suggestion on a second.
      outputError: (text, write) => write(`comet: ${oneLine(text)}\n`),
    })
    .exitOverride()
  const onDone = (code: number) => {
    exitCode = code
  }
  // A copy: secrets are removed from the environment that other processes get.
  const environment = { ...process.env }
  const tables = commands.flatMap((command) => command.tables())
  for (const warning of unknownVariables(tables, environment)) io.stderr(`comet: ${warning}`)
  const context = { program, io, environment, tables, onDone }
  for (const command of [...commands, configCommand(commands)]) command.attach(context)
  program
    .command('version')
    .summary(VERSION)
    .action(() => io.stdout(versionLine()))
  try {
    await program.parseAsync(normalized(argv), { from: 'user' })
  } catch (error) {
    // Commander throws for help and version too, with 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    throw error
  }
  return exitCode
}

const VERSION = 'print version, commit and platform'

/** `help` also in front of the command of a group, and `-v` for the version. */
function normalized(argv: readonly string[]): string[] {
  const [first, ...rest] = argv
  if (first === 'help') return [...rest, '--help']
  return first === '-v' ? ['--version', ...rest] : [...argv]
}

function oneLine(text: string): string {
  return (
    text
      .trim()
      .replace(/^error: /, '')
      // Excess arguments may be a secret whose option was left out.
      .replace(/(but got \d+): .*/s, '$1.')
      // A URL that was refused may have a password, which a log would keep.
      .replace(/(\w+:\/\/[^\s:/@]*):\S*@/g, '$1:…@')
      .replace(/\s*\n\s*/g, ' ')
  )
}

const EXIT_CODES = `
Exit codes:
  0 all went well · 1 it ran and something failed · 2 the options are invalid
  69 a port or the database is not available · 70 a bug · 130, 143 ended at once by a signal
  141 the reader of standard output left before the end

Run comet <command> --help for the options of a command.`

/** Runs the command that the arguments name; returns the exit code. */
export async function runProgram(
  argv: readonly string[],
  commands: readonly Command[],
): Promise<number> {
  try {
    const code = await Promise.race([main(argv, commands), io.output.failed])
    await io.output.written()
    return code
  } catch (error) {
    if (error instanceof OutputError) {
      if (error.isReaderGone) return EXIT.readerGone
      io.stderr(`comet: ${error.message}`)
      return EXIT.failed
    }
    io.stderr(`comet: this is a bug: ${error instanceof Error ? error.stack : String(error)}`)
    return EXIT.bug
  }
}
