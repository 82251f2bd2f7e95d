// Goal: a page keeps its words and its commands as a part of a man page. Method: small pages, line
// by line, and every page of the manual, as groff shows it.

import { describe, expect, test } from 'bun:test'
import { PAGES } from './pages.ts'
import { escaped, quoted, roffPage } from './roff-page.ts'

test('a title is a section, a heading a part of it', () => {
  expect(roffPage('# A page\n\nOne.\n\n## Part\n\nTwo.\n')).toBe(
    '.SH "A PAGE"\nOne.\n.SS "Part"\nTwo.',
  )
})

test('what roff would obey is text', () => {
  expect(roffPage(".hidden is \\fB a 'quote'\n")).toBe(".PP\n\\&.hidden is \\efB a 'quote'")
  expect(roffPage('```\n.SH not\n\n--db a-b\n```\n')).toBe(
    '.PP\n.RS 4\n.EX\n\\&.SH not\n.sp\n\\-\\-db a\\-b\n.EE\n.RE',
  )
  expect(escaped("'--x\\")).toBe("\\&'\\-\\-x\\e")
  expect(quoted('say "so"')).toBe('"say \\(dqso\\(dq"')
})

test('names stand out, and links say where they lead outside', () => {
  expect(roffPage('`--db`, **never**, [a](b.md), [c](https://d.example)\n')).toBe(
    '.PP\n\\fB\\-\\-db\\fR, \\fBnever\\fR, a, c <https://d.example>',
  )
})

test('the rows of a table are items, whose cells are named where there are several', () => {
  expect(roffPage('| a | b |\n| - | - |\n| x | y |\n')).toBe('.TP 8\n\\fBx\\fR\ny')
  expect(roffPage('| a | b | c |\n| - | - | - |\n| x | y | z |\n')).toBe(
    '.TP 8\n\\fBx\\fR\nb: y\n.br\nc: z',
  )
})

test('items have their numbers, and those within them stand further in', () => {
  expect(roffPage('1. one\n   - two\n')).toBe('.IP 1. 4\none\n.RS 4\n.IP \\(bu 2\ntwo\n.RE')
})

const GROFF = Bun.which('groff')

describe.each(PAGES.map(({ name, text }) => [name, text] as const))('the page %s', (_, text) => {
  test.skipIf(GROFF === null)('has all its commands, and groff understands it', async () => {
    const roff = `.TH T 1\n${roffPage(text)}\n`
    const command = [String(GROFF), '-Kutf8', '-Tutf8', '-man', '-ww', '-rLL=400n']
    const groff = Bun.spawn(command, { stdin: new Blob([roff]), stderr: 'pipe' })
    const shown = await new Response(groff.stdout).text()
    // Only the length of a line is measured, which a terminal does not have.
    const complaints = (await new Response(groff.stderr).text())
      .split('\n')
      .filter((line) => line !== '' && !/(cannot|can't) (adjust|break) line/.test(line))
    expect([await groff.exited, complaints]).toEqual([0, []])
    const plain = Bun.stripANSI(shown)
    const commands = [...text.matchAll(/^```[\s\S]*?\n([\s\S]*?)^```$/gm)]
      .flatMap(([, lines = '']) => lines.split('\n').map((line) => line.trim()))
      .filter((line) => line !== '')
    for (const line of commands) expect(plain).toContain(line)
  })
})
