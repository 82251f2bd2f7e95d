// The man page comet(1): every command with its options, as they are declared, and the manual.

import type { Command as Commander, Help } from 'commander'
import { build } from '../core/build.ts'
import { PAGES } from '../manual/pages.ts'
import { escaped, quoted, roffPage } from '../manual/roff-page.ts'
import { EXIT_MEANINGS } from './help.ts'

const DESCRIPTION = `comet holds an open HTTP stream for each of very many users and sends messages
down it the moment they are published. The same executable has the server and its tools. Without
arguments it prints the list of commands.`

const ENVIRONMENT = [
  ['COMET_OPTION', 'an option of comet serve, like COMET_MAX_STREAMS'],
  ['COMET_COMMAND_OPTION', 'an option of another command, like COMET_FLOOD_RATE'],
  ['COMET_CONFIG', 'the file of options, as --config'],
  ['NO_COLOR', 'any value turns colours off'],
  ['PAGER', 'shows pages of the manual; less or more if it is not set'],
] as const

const FILES = [
  ['comet.db', 'the database of subscriptions and names, in the working directory; see --db'],
  ['comet.toml', 'options, with a table for each command; any name, see --config'],
] as const

/** In roff. Nothing in it depends on when or where it is made. */
export function manPage(program: Commander): string {
  const help = program.createHelp()
  return [
    `.TH COMET 1 "" ${quoted(`comet ${build.version}`)} "comet"`,
    ...['.SH NAME', `comet \\- ${escaped('push server, and the tools that prove what it holds')}`],
    ...['.SH SYNOPSIS', '.B comet', '.I command', '.RI [ options ]', '.RI [ arguments ]'],
    ...['.SH DESCRIPTION', escaped(DESCRIPTION)],
    ...['.SH COMMANDS', ...commandsOf(program).flatMap((each) => commandSection(each, help))],
    ...['.SH ENVIRONMENT', ...items(ENVIRONMENT), ...['.PP', escaped(ORDER)]],
    ...['.SH FILES', ...items(FILES)],
    ...['.SH EXIT STATUS', ...items(EXIT_MEANINGS)],
    ...PAGES.map(({ text }) => roffPage(text)),
  ].join('\n')
}

const ORDER =
  'The command line counts before the environment, and that before the file. ' +
  'comet config shows which values count.'

/** Those that do something, in the order of the help. `config` has the options of all others. */
function commandsOf(command: Commander): Commander[] {
  return command.commands.flatMap((inner) => {
    const isGroup = inner.commands.length > 0 && inner.name() !== 'config'
    return isGroup ? commandsOf(inner) : [inner]
  })
}

function commandSection(command: Commander, help: Help): string[] {
  const lines = [`.SS ${quoted(escaped(help.commandUsage(command)))}`]
  lines.push(escaped(command.description() || command.summary()))
  for (const argument of help.visibleArguments(command)) {
    const about = help.argumentDescription(argument)
    if (about !== '') lines.push(...item(help.argumentTerm(argument), about))
  }
  let title: string | undefined
  for (const option of help.visibleOptions(command)) {
    const next = option.helpGroupHeading
    if (next !== title && next !== undefined) lines.push('.PP', `\\fI${escaped(next)}\\fR`)
    if (next !== title && next === undefined) lines.push('.PP', '\\fIOther options:\\fR')
    title = next
    // Every command has it, and it needs no words.
    if (option.long === '--help') continue
    lines.push(...item(help.optionTerm(option), help.optionDescription(option)))
  }
  return lines
}

function items(pairs: readonly (readonly [string, string])[]): string[] {
  return pairs.flatMap(([term, about]) => item(term, about))
}

function item(term: string, about: string): string[] {
  return ['.TP', `\\fB${escaped(term)}\\fR`, escaped(about)]
}
