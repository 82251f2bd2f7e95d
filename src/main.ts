// The entry: looks up the subcommand, prints errors, sets the exit code. It exports nothing, and
// it alone ends the process.

import './core/production.ts'
import { Command as Commander, CommanderError } from 'commander'
import { EXIT } from './cli/command.ts'
import { flood, floodWorker } from './cli/flood.ts'
import { friends } from './cli/friends.ts'
import { gen } from './cli/gen.ts'
import { processIo } from './cli/io.ts'
import { serve } from './cli/serve.ts'
import { versionLine } from './core/build.ts'

const COMMANDS = [serve, flood, gen, friends, floodWorker]

const io = processIo()

async function main(argv: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.ok
  const program = new Commander('comet')
    .description('A Comet server in one executable: hold a stream per user, flood it, feed it.')
    .version(versionLine(), '--version', 'print version, commit and platform')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .addHelpText('after', EXIT_CODES)
    .configureOutput({
      // One line that helps: Commander puts its suggestion on a second.
      outputError: (text, write) => write(`comet: ${oneLine(text)}\n`),
    })
    .exitOverride()
  for (const command of COMMANDS) {
    command.attach(program, io, (code) => {
      exitCode = code
    })
  }
  try {
    await program.parseAsync([...argv], { from: 'user' })
  } catch (error) {
    // Commander throws for help and version too, with 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    throw error
  }
  return exitCode
}

function oneLine(text: string): string {
  return text
    .trim()
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
}

const EXIT_CODES = `
Exit codes:
  0 all went well · 1 it ran and something failed · 2 the options make no sense
  69 a port or the database is not to be had · 70 a bug · 130, 143 ended at once by a signal

Run comet <command> --help for the options of a command.`

async function exitCodeOf(argv: readonly string[]): Promise<number> {
  try {
    return await main(argv)
  } catch (error) {
    io.words(`comet: this is a bug: ${error instanceof Error ? error.stack : String(error)}`)
    return EXIT.bug
  }
}

const code = await exitCodeOf(process.argv.slice(2))
// What was written must be out before the process ends, also into a slow pipe.
for (const stream of [process.stdout, process.stderr]) {
  await new Promise<void>((resolve) => stream.write('', () => resolve()))
}
process.exit(code)
