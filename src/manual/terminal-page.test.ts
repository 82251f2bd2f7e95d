// Goal: a page fits the terminal, loses no word, and can be read without colours. Method: small
// pages, line by line, and every page of the manual at several widths.

import { describe, expect, test } from 'bun:test'
import { PAGES } from './pages.ts'
import { terminalPage } from './terminal-page.ts'

const plain = (markdown: string, columns = 40) => Bun.stripANSI(terminalPage(markdown, columns))

test('headings, names and words that matter stand out', () => {
  const page = terminalPage('# A page\n\nGive `--db` **twice**, *never* once.\n', 60)
  expect(page).toContain('\x1b[1mA page\x1b[22m')
  expect(page).toContain('\x1b[36m--db\x1b[39m')
  expect(page).toContain('\x1b[1mtwice\x1b[22m')
  expect(page).toContain('\x1b[4mnever\x1b[24m')
})

test('text is broken between words, and its own line ends mean nothing', () => {
  expect(plain('one two three four\nfive six\n', 20)).toBe('one two three four\nfive six\n')
  expect(plain('one\ntwo\n')).toBe('one two\n')
})

test('a command is whole, indented, and without what is meant for tests', () => {
  const line = 'comet serve --listen 0.0.0.0:8000 --anonymous --max-streams 10k'
  expect(plain(`Run:\n\n\`\`\`sh test=run\n${line}\n\n# done\n\`\`\`\nThen\n`)).toBe(
    `Run:\n\n    ${line}\n\n    # done\n\nThen\n`,
  )
})

test('the lines of an item stand below each other, those of an inner list further in', () => {
  expect(plain('- one two three four\n  - five\n- six\n', 14)).toBe(
    '• one two\n  three four\n  • five\n• six\n',
  )
  expect(plain('9. nine\n10. ten\n')).toBe('9. nine\n10. ten\n')
})

test('a table keeps its columns, and the widest gives way', () => {
  const table = '| option | what it does |\n| --- | --- |\n| `-l` | listens on many ports |\n'
  expect(plain(table)).toBe('option  what it does\n-l      listens on many ports\n')
  expect(plain(table, 22)).toBe('option  what it does\n-l      listens on\n        many ports\n')
})

test('a table that has no room is a list, with the names of its columns', () => {
  const table = '| a | b | c |\n| - | - | - |\n| `first` | | third |\n| 1 | second | 3 |\n'
  expect(plain(table, 12)).toBe('first\n  c: third\n\n1\n  b: second\n  c: 3\n')
})

test('a link to a page says how that is opened', () => {
  expect(plain('[Tokens](tokens.md), [Bun](https://bun.sh), <https://x.example>\n', 99)).toBe(
    'Tokens (comet help tokens), Bun <https://bun.sh>, https://x.example\n',
  )
})

describe.each(PAGES.map(({ name, text }) => [name, text] as const))('the page %s', (_, text) => {
  const words = (of: string) => of.match(/[\p{L}\p{N}]{2,}/gu)?.length ?? 0
  const commands = [...text.matchAll(/^```[\s\S]*?\n([\s\S]*?)^```$/gm)]
    // A tab is as many spaces as it is wide.
    .flatMap(([, lines = '']) => lines.split('\n').map((line) => line.trim()))
    .filter((line) => line !== '')

  test.each([40, 80, 100])('fits %p columns, except for its commands', (columns) => {
    const lines = plain(text, columns).split('\n')
    const long = lines.filter((line) => Bun.stringWidth(line) > columns)
    expect(long.filter((line) => !commands.some((each) => line.endsWith(each)))).toEqual([])
  })

  test('loses no word and no command', () => {
    const shown = plain(text, 400)
    // Info strings of blocks are not shown, and links to pages are said in words.
    const source = text.replaceAll(/^```.*$/gm, '').replaceAll(/\]\([a-z-]+\.md[^)]*\)/g, '')
    expect(words(shown)).toBeGreaterThanOrEqual(words(source))
    for (const command of commands) expect(shown).toContain(command)
  })
})
