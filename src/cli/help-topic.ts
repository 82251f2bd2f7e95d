// `comet help NAME`: a page of the manual, or the help of a command. Loaded only when help is asked
// for, since it has the whole manual.

import { type ManualPage, nearestPage, PAGES, pageNamed } from '../manual/pages.ts'
import { terminalPage } from '../manual/terminal-page.ts'
import { EXIT } from './command.ts'
import { heading, helpColumns, itemsOf } from './help.ts'
import type { Io } from './io.ts'
import { page } from './pager.ts'

/**
 * Shows the page of that name. Null for the name of a command alone, whose help is shown then.
 *
 * @param commands the names of all commands
 */
export async function showPage(
  name: string,
  commands: readonly string[],
  io: Io,
): Promise<number | null> {
  const found = pageNamed(name)
  if (found !== undefined) {
    if (process.stdout.isTTY !== true) io.stdout(found.text)
    else {
      const shown = pageWithOptions(found, commands, helpColumns(process.stdout))
      await page(io.stdoutHasColor ? shown : Bun.stripANSI(shown), io)
    }
    return EXIT.ok
  }
  if (commands.includes(name)) return null
  const nearest = nearestPage(name, commands)
  const hint = nearest === undefined ? '; comet help lists them' : ` (Did you mean ${nearest}?)`
  io.stderr(`comet: no command and no page of the manual is called '${name}'${hint}`)
  return EXIT.usage
}

/** A page for a terminal; one that is called like a command says where its options are. */
export function pageWithOptions(
  { name, text }: ManualPage,
  commands: readonly string[],
  columns: number,
): string {
  const options = commands.includes(name) ? `\nOptions: comet ${name} --help\n` : ''
  return terminalPage(text, columns) + options
}

/** The list of all pages, as the help of the program has it. */
export function pageList(columns: number): string {
  const items = PAGES.map(({ name, summary }) => [name, summary] as const)
  return `${heading('Manual, comet help <page>:')}\n${itemsOf(items, columns)}`
}
