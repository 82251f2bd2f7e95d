// The command line: finds the subcommand, prints errors, returns the exit code.

import { Command as Commander, CommanderError } from 'commander'
import { versionLine } from '../core/build.ts'
import { type Command, EXIT } from './command.ts'
import { completionCommand } from './completion-command.ts'
import { configCommand } from './config-command.ts'
import { EXIT_MEANINGS, HELP_STYLE, heading, helpColumns, helpOutput, itemsOf } from './help.ts'
import { processIo } from './io.ts'
import { unknownVariables } from './option-sources.ts'
import { OutputError } from './output.ts'

const io = processIo()

async function main(argv: readonly string[], commands: readonly Command[]): Promise<number> {
  let exitCode: number = EXIT.ok
  const program = new Commander('comet')
    .description(DESCRIPTION)
    .version(versionLine(), '-V, --version', VERSION)
    .helpOption('-h, --help', 'print help')
    .addHelpCommand(helpCommand())
    .configureHelp(HELP_STYLE)
    .configureOutput({
      ...helpOutput(io),
      // One line that helps: Commander puts its suggestion on a second.
      outputError: (text) => io.stderr(`comet: ${oneLine(text)}`),
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
  const all = [...commands, configCommand(commands), completionCommand()]
  for (const command of all) command.attach(context)
  program
    .command('version')
    .helpGroup('Operation:')
    .summary(VERSION)
    .action(() => io.stdout(versionLine()))
  const names = program.commands.map((command) => command.name())
  if (isHelp(argv)) {
    const { pageList, showPage } = await import('./help-topic.ts')
    const [, topic, ...more] = argv
    // No page has a name of two words: that is a command in a group.
    const isName = topic !== undefined && !topic.startsWith('-') && more.length === 0
    if (topic === '--man') {
      const { manPage } = await import('./man-page.ts')
      io.stdout(manPage(program))
      return EXIT.ok
    }
    const shown = isName ? await showPage(topic, names, io) : null
    if (shown !== null) return shown
    program.addHelpText('after', ({ error }) => {
      const columns = helpColumns(error ? process.stderr : process.stdout)
      const codes = `${heading('Exit codes:')}\n${itemsOf(EXIT_MEANINGS, columns)}`
      return ['', pageList(columns), '', codes, '', MORE].join('\n')
    })
  }
  try {
    await program.parseAsync(normalized(argv), { from: 'user' })
  } catch (error) {
    // Commander throws for help and version too, with 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    throw error
  }
  return exitCode
}

const DESCRIPTION =
  'A push server in one executable: it holds an open stream for each user and sends messages ' +
  'down it. The tools beside it publish, listen, and prove what it holds.'

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

/** Is the help of the program asked for, or that of something? */
function isHelp([first, ...rest]: readonly string[]): boolean {
  if (first === undefined || first === 'help') return true
  return rest.length === 0 && (first === '--help' || first === '-h')
}

function helpCommand(): Commander {
  return new Commander('help')
    .argument('[name]')
    .description('print help of a command, or a page of the manual')
    .helpOption(false)
    .helpGroup('Operation:')
}

const MORE = 'Run comet <command> --help for the options of a command.'

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
