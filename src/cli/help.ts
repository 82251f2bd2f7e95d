// How help looks: names in one column with what they are beside them, or below them where they are
// long; headings and names stand out where there are colours. Commander leaves the codes out of
// what goes elsewhere.

import type { HelpConfiguration, OutputConfiguration } from 'commander'
import type { Io } from './io.ts'
import { bold } from './terminal.ts'

/** Where no terminal says how wide it is. */
const COLUMNS_DEFAULT = 80
/** Lines that are longer are hard to read. */
const COLUMNS_MAX = 100
/** Columns of a name beside which its description begins. */
const NAME_COLUMNS_MAX = 28
/** The same as a share of all columns, for a narrow terminal. */
const NAME_SHARE_MAX = 0.35
const INDENT = '  '

/** Headings of the commands, in the help of the program. */
export const PURPOSES = ['Serve, publish, listen', 'Tools', 'Operation'] as const
export type Purpose = (typeof PURPOSES)[number]

/** What a process of comet ends with; `EXIT` of command.ts has those that commands return. */
export const EXIT_MEANINGS = [
  ['0', 'all went well'],
  ['1', 'it ran and something failed'],
  ['2', 'the options are invalid'],
  ['69', 'a port, the database or Redis is not available'],
  ['70', 'a bug'],
  ['130, 143', 'ended at once by a signal'],
  ['141', 'the reader of standard output left before the end'],
] as const

export const heading = bold

/** The name of a command or an option, in colour. */
export function name(text: string): string {
  return `\x1b[36m${text}\x1b[39m`
}

/** Name and description of each, as those of commands and options. */
export function itemsOf(items: readonly (readonly [string, string])[], columns: number): string {
  const longest = Math.max(...items.map(([each]) => each.length))
  const width = Math.min(longest, nameColumnsMax(columns))
  return items.map(([each, about]) => item(each, name(each), width, about, columns)).join('\n')
}

export const HELP_STYLE: HelpConfiguration = {
  minWidthToWrap: 20,
  styleTitle: heading,
  styleOptionTerm: name,
  styleSubcommandTerm: name,
  styleArgumentTerm: name,
  subcommandTerm(command) {
    const words = command.registeredArguments.map((argument) => {
      const name = argument.name() + (argument.variadic ? '...' : '')
      return argument.required ? `<${name}>` : `[${name}]`
    })
    return [command.name(), ...words].join(' ')
  },
  padWidth(command, helper) {
    const longest = Math.max(
      helper.longestOptionTermLength(command, helper),
      helper.longestSubcommandTermLength(command, helper),
      helper.longestArgumentTermLength(command, helper),
    )
    return Math.min(longest, nameColumnsMax(helper.helpWidth ?? COLUMNS_DEFAULT))
  },
  formatItem(term, width, description, helper) {
    const columns = helper.helpWidth ?? COLUMNS_DEFAULT
    return item(Bun.stripANSI(term), term, width, description, columns)
  },
}

/** Where help is written, and what that can show. */
export function helpOutput(io: Io): OutputConfiguration {
  return {
    writeOut: (text) => io.stdout(text),
    getOutHelpWidth: () => helpColumns(process.stdout),
    getErrHelpWidth: () => helpColumns(process.stderr),
    getOutHasColors: () => io.stdoutHasColor,
    getErrHasColors: () => io.stderrHasColor,
  }
}

/** The columns that help has on what it is written to. */
export function helpColumns({ isTTY, columns }: { isTTY?: boolean; columns?: number }): number {
  return Math.min(isTTY === true && columns ? columns : COLUMNS_DEFAULT, COLUMNS_MAX)
}

/** Breaks a text into lines between words; lines that are there stay. */
export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = []
  for (const paragraph of text.split('\n')) {
    let line = ''
    for (const word of paragraph.split(/ +/)) {
      if (line !== '' && line.length + 1 + word.length > columns) {
        lines.push(line)
        line = ''
      }
      line += line === '' ? word : ` ${word}`
    }
    lines.push(line)
  }
  return lines
}

function nameColumnsMax(columns: number): number {
  return Math.min(NAME_COLUMNS_MAX, Math.floor(columns * NAME_SHARE_MAX))
}

/** @param shown the name with its colours */
function item(
  plain: string,
  shown: string,
  width: number,
  description: string,
  columns: number,
): string {
  if (description === '') return INDENT + shown
  const before = ' '.repeat(2 * INDENT.length + width)
  const lines = wrapped(description, Math.max(1, columns - before.length))
  const below = lines.map((line) => before + line).join('\n')
  if (plain.length > width) return `${INDENT}${shown}\n${below}`
  return INDENT + shown + below.slice(INDENT.length + plain.length)
}
