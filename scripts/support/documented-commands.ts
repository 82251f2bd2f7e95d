// The examples that the README and the pages of the manual show, for the tests that run them.

const root = `${import.meta.dir}/../..`

/** What a line announces of the one before, as a comment of a shell or of Erlang. */
const IS_OUTPUT = /^[#%] /

export interface DocumentedCommand {
  readonly line: string
  /** The output that it announces; null if it announces none. */
  readonly expected: string | null
}

/** A fenced block of a document. */
export interface DocumentedBlock {
  /** Of what follows the fence: `sh`, `js`, or nothing. */
  readonly language: string
  /** Of `test=name`: what a test finds it by. */
  readonly name: string | null
  readonly text: string
}

/** The README, or a page of the manual by its name. */
export function readDocument(name: string): Promise<string> {
  return Bun.file(`${root}/${pathOf(name)}`).text()
}

/** The names of README and of all pages. */
export function documentNames(): string[] {
  const pages = [...new Bun.Glob('*.md').scanSync({ cwd: `${root}/src/manual` })]
  return ['README', ...pages.map((file) => file.replace(/\.md$/, '')).sort()]
}

/** Where a document is in the repository. */
export function pathOf(name: string): string {
  return name === 'README' ? 'README.md' : `src/manual/${name}.md`
}

/** All fenced blocks of a document, in order. */
export function blocksOf(page: string): DocumentedBlock[] {
  const blocks = page.matchAll(/^```(\w*)(?: test=(\S+))?\n([\s\S]*?)^```$/gm)
  return [...blocks].map(([, language = '', name = null, text = '']) => ({ language, name, text }))
}

/** The text of the one block of that language and name; throws if there is not exactly one. */
export function blockOf(page: string, language: string, name: string | null): string {
  const found = blocksOf(page).filter((block) => block.language === language && block.name === name)
  const [block] = found
  if (block === undefined || found.length > 1) throw new Error(`${found.length} blocks ${name}`)
  return block.text
}

/**
 * The command lines of the blocks marked ```sh test=name or so, each with the output it announces.
 */
export function documentedCommands(page: string, name: string): DocumentedCommand[] {
  const lines = blocksOf(page)
    .filter((block) => block.name === name)
    .flatMap(({ text }) => text.trim().split('\n'))
  return lines.flatMap((line, at) => {
    if (IS_OUTPUT.test(line)) return []
    const next = lines[at + 1] ?? ''
    return [{ line, expected: IS_OUTPUT.test(next) ? next.slice(2) : null }]
  })
}
