// What a package has beside the executable for the shell: the man page, and what completes its
// commands and options. The executable prints all of it itself; here it is asked from source, since
// that of another machine does not run on this one.

import { resolve } from 'node:path'
import { succeed } from '../support/child-process.ts'

const root = resolve(import.meta.dir, '../..')

export const MAN_PAGE = 'comet.1'

export interface ShellDocument {
  /** Where Debian's packages have it; other systems have the same places under another prefix. */
  readonly path: string
  readonly text: string
}

/** The man page comet(1), in roff. */
export async function manPage(): Promise<string> {
  return await printed('help', '--man')
}

/** The man page and the completions, each with its place. */
export async function shellDocuments(): Promise<ShellDocument[]> {
  const completion = (shell: string) => printed('completion', shell)
  return [
    { path: `/usr/share/man/man1/${MAN_PAGE}`, text: await manPage() },
    { path: '/usr/share/bash-completion/completions/comet', text: await completion('bash') },
    { path: '/usr/share/zsh/vendor-completions/_comet', text: await completion('zsh') },
    { path: '/usr/share/fish/vendor_completions.d/comet.fish', text: await completion('fish') },
  ]
}

async function printed(...args: readonly string[]): Promise<string> {
  const command = [process.execPath, `${root}/src/main.ts`, ...args]
  return (await succeed(command, { cwd: root })).stdout
}
