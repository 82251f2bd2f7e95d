// The commands that the README and the pages of the manual show, for the tests that run them.

/** What a line announces of the one before, as a comment of a shell or of Erlang. */
const IS_OUTPUT = /^[#%] /

export interface DocumentedCommand {
  readonly line: string
  /** The output that it announces; null if it announces none. */
  readonly expected: string | null
}

/**
 * The command lines of the blocks marked ```sh test=name or so, each with the output it announces.
 */
export function documentedCommands(page: string, name: string): DocumentedCommand[] {
  const blocks = page.matchAll(/^```\w+ test=(\S+)\n([\s\S]*?)^```$/gm)
  const lines = [...blocks]
    .filter(([, of]) => of === name)
    .flatMap(([, , text = '']) => text.trim().split('\n'))
  return lines.flatMap((line, at) => {
    if (IS_OUTPUT.test(line)) return []
    const next = lines[at + 1] ?? ''
    return [{ line, expected: IS_OUTPUT.test(next) ? next.slice(2) : null }]
  })
}
