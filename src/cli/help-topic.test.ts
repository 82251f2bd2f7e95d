// Goal: the name of a page shows it, that of a command alone does not, and pages are listed in a
// terminal of any width. Method: the functions, with an output that keeps what it gets.

import { describe, expect, test } from 'bun:test'
import { pageNamed } from '../manual/pages.ts'
import { HELP_STYLE, itemsOf, wrapped } from './help.ts'
import { pageList, pageWithOptions, showPage } from './help-topic.ts'
import type { Io } from './io.ts'
import { pagerCommand } from './pager.ts'

const page = pageNamed('several-machines')
if (page === undefined) throw new Error('the page of this test is gone')

async function shown(name: string, commands: readonly string[]) {
  const texts: string[] = []
  const io = {
    stdout: (text: string) => texts.push(text),
    stderr: (text: string) => texts.push(text),
  }
  const exitCode = await showPage(name, commands, io as unknown as Io)
  return { exitCode, texts }
}

describe('showPage', () => {
  test('leaves the name of a command to that command', async () => {
    expect(await shown('serve', ['serve'])).toEqual({ exitCode: null, texts: [] })
  })

  test('shows the page where a command is called like it', async () => {
    const { exitCode, texts } = await shown(page.name, [page.name])
    expect([exitCode, texts]).toEqual([0, [page.text]])
  })

  test('refuses any other name with the nearest', async () => {
    const { exitCode, texts } = await shown('several', ['serve'])
    expect(exitCode).toBe(2)
    expect(texts.join()).toContain("'several'")
  })
})

test('a page that is called like a command says where its options are', () => {
  const options = `Options: comet ${page.name} --help`
  expect(pageWithOptions(page, [page.name], 80)).toEndWith(`\n\n${options}\n`)
  expect(pageWithOptions(page, ['serve'], 80)).not.toContain(options)
})

test.each([40, 60, 80, 100])('the list of pages fits %p columns', (columns) => {
  const lines = Bun.stripANSI(pageList(columns)).split('\n')
  expect(lines.filter((line) => line.length > columns)).toEqual([])
  expect(lines.some((line) => line.includes(page.name))).toBe(true)
})

describe('items', () => {
  const ITEMS = [
    ['-l', 'one two three four five six seven eight nine ten eleven twelve'],
    ['--a-name-that-is-longer-than-others', 'short'],
  ] as const

  test('have a long name above what they are', () => {
    expect(Bun.stripANSI(itemsOf(ITEMS, 60))).toBe(
      [
        '  -l                     one two three four five six seven',
        '                         eight nine ten eleven twelve',
        '  --a-name-that-is-longer-than-others',
        '                         short',
      ].join('\n'),
    )
  })

  test('are coloured without losing their columns', () => {
    const format = HELP_STYLE.formatItem
    if (format === undefined) throw new Error('items have no form')
    const help = { ...HELP_STYLE, helpWidth: 80 } as unknown as Parameters<typeof format>[3]
    expect(format('\x1b[36m-l\x1b[39m', 6, 'text', help)).toBe('  \x1b[36m-l\x1b[39m      text')
  })
})

test('text is broken between words, and lines that are there stay', () => {
  expect(wrapped('one two\nthree four', 9)).toEqual(['one two', 'three', 'four'])
  expect(wrapped('a-word-that-is-too-long b', 9)).toEqual(['a-word-that-is-too-long', 'b'])
})

describe('the pager is', () => {
  const path = process.env['PATH'] ?? ''
  test.each([
    [{ PAGER: 'most -s', PATH: path }, 'most -s'],
    [{ PAGER: ' ', PATH: '/nowhere' }, null],
    [{ PATH: '/nowhere' }, null],
  ])('that of %j', (environment, command) => {
    expect(pagerCommand(environment)).toBe(command)
  })

  test.skipIf(Bun.which('less') === null)('less with colours, where none is chosen', () => {
    expect(pagerCommand({ PATH: path })).toBe('less -R')
  })
})
