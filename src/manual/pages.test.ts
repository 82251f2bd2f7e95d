// Goal: the list of pages is that of the files, and each says what it is about. Method: the folder
// itself.

import { describe, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { nearestPage, PAGES, pageNamed } from './pages.ts'

const NAMES = readdirSync(import.meta.dir)
  .filter((name) => name.endsWith('.md') && name !== 'README.md')
  .map((name) => name.slice(0, -'.md'.length))

test('every page in the folder is listed, once', () => {
  expect(PAGES.map(({ name }) => name).sort()).toEqual(NAMES.sort())
})

describe.each(PAGES.map((page) => [page.name, page] as const))('the page %s', (_, page) => {
  test('has the text of its file', async () => {
    expect(page.text).toBe(await Bun.file(`${import.meta.dir}/${page.name}.md`).text())
  })

  test('begins with its title, which is its only one', () => {
    const titles = page.text.replaceAll(/^```[\s\S]*?^```$/gm, '').match(/^# .+$/gm)
    expect(titles).toEqual([`# ${page.title}`])
    expect(page.text).toStartWith(`# ${page.title}\n`)
  })

  test('has a name and a summary that fit a line of the help', () => {
    expect(page.name).toMatch(/^[a-z]+(-[a-z]+)*$/)
    expect(page.summary).toMatch(/^\S.{8,70}[^.\s]$/)
    expect(page.summary.length + page.name.length).toBeLessThan(90)
  })

  test('links only to pages, and to places outside of the manual', () => {
    const links = [...page.text.matchAll(/\]\(([^)#\s]+)/g)].map(([, target]) => String(target))
    const inside = links.filter((target) => !/^(https?:|mailto:|\/)/.test(target))
    const known = PAGES.map(({ name }) => `${name}.md`)
    expect(inside.filter((target) => !known.includes(target))).toEqual([])
  })
})

test('a page is found by its name, and a name that is nearly one suggests it', () => {
  expect(pageNamed('several-machines')?.title).toBe('Several machines')
  expect(pageNamed('several-machine')).toBeUndefined()
  expect(nearestPage('several-machine')).toBe('several-machines')
  expect(nearestPage('sevre', ['serve'])).toBe('serve')
  expect(nearestPage('xyzzy')).toBeUndefined()
})
