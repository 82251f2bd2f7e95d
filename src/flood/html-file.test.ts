// Goal: whether a page can be written is known before the run, and leaves nothing behind.
// Method: real files in a folder of its own.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { commandLine, whyNotWritable } from './html-file.ts'

let folder: string

beforeAll(() => {
  folder = mkdtempSync(`${tmpdir()}/comet-page-`)
})

afterAll(() => {
  rmSync(folder, { recursive: true })
})

describe('a file', () => {
  test('that is new can be written, and is not there yet', () => {
    expect(whyNotWritable(`${folder}/new.html`)).toBeNull()
    expect(existsSync(`${folder}/new.html`)).toBe(false)
  })

  test('that is there can be written, and is left as it is', () => {
    writeFileSync(`${folder}/old.html`, 'old')
    expect(whyNotWritable(`${folder}/old.html`)).toBeNull()
    expect(readFileSync(`${folder}/old.html`, 'utf8')).toBe('old')
  })

  test('that lies in no folder, or is one, is refused with what to do', () => {
    expect(whyNotWritable(`${folder}/none/page.html`)).toBe(
      `--html ${folder}/none/page.html cannot be written (ENOENT); make its folder first`,
    )
    expect(whyNotWritable(folder)).toContain('is a folder; name a file in it')
  })
})

test.each([
  [['comet', 'flood', '--rate', '5'], 'comet flood --rate 5'],
  [['comet', 'http://x:1/{id}'], "comet 'http://x:1/{id}'"],
  [['comet', "it's", ''], "comet 'it'\\''s' ''"],
])('%j is %s', (words, line) => {
  expect(commandLine(words)).toBe(line)
})
