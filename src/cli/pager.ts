// Shows a long text on a terminal through the pager that the user has chosen, less or more; where
// there is none, the text is written as it is.

import type { Io } from './io.ts'

/** With colours, and gone at once if the text fits the screen. */
const LESS_OPTIONS = 'FRX'

/** What a shell ends with that does not find its command. */
const NOT_FOUND = 127

/** The command of a shell; null if there is no pager. */
export function pagerCommand(environment: Readonly<Record<string, string | undefined>>) {
  const chosen = environment['PAGER']?.trim() ?? ''
  if (chosen !== '') return chosen
  const path = { PATH: environment['PATH'] ?? '' }
  if (Bun.which('less', path) !== null) return 'less -R'
  return Bun.which('more', path) === null ? null : 'more'
}

/** Settles when the reader has closed the pager. */
export async function page(text: string, io: Pick<Io, 'stdout'>): Promise<void> {
  const command = pagerCommand(process.env)
  if (command === null) return io.stdout(text)
  // An interrupt is the pager's: it stops a search, and comet would leave the terminal to two.
  const ignore = () => undefined
  process.on('SIGINT', ignore)
  try {
    const pager = Bun.spawn(['sh', '-c', command], {
      env: { LESS: LESS_OPTIONS, LV: '-c', ...process.env },
      stdin: new Blob([text]),
      stdout: 'inherit',
      stderr: 'inherit',
    })
    if ((await pager.exited) === NOT_FOUND) io.stdout(text)
  } finally {
    process.off('SIGINT', ignore)
  }
}
