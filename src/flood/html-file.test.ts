// Goal: whether a page can be written is known before the run, and its samples are numbers only.
// Method: real files in a folder of its own.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { OK, refused } from '../core/result.ts'
import { foldSamples } from '../report/samples.ts'
import type { FloodSample } from './flood-report.ts'
import { checkWritable, commandLine, PAGE_FOLDS, pageSampleOf } from './html-file.ts'

let folder: string

beforeAll(() => {
  folder = mkdtempSync(`${tmpdir()}/comet-page-`)
})

afterAll(() => {
  rmSync(folder, { recursive: true })
})

describe('a file', () => {
  test('that is new can be written, and is not there yet', () => {
    expect(checkWritable(`${folder}/new.html`)).toEqual(OK)
    expect(existsSync(`${folder}/new.html`)).toBe(false)
  })

  test('that is there can be written, and is left as it is', () => {
    writeFileSync(`${folder}/old.html`, 'old')
    expect(checkWritable(`${folder}/old.html`)).toEqual(OK)
    expect(readFileSync(`${folder}/old.html`, 'utf8')).toBe('old')
  })

  test('that lies in no folder, or is one, is refused with what to do', () => {
    const page = `${folder}/none/page.html`
    expect(checkWritable(page)).toEqual(
      refused(`--html ${page} cannot be written (ENOENT); create its folder first`),
    )
    expect(checkWritable(folder)).toEqual(
      refused(`--html ${folder} is a folder; name a file in it`),
    )
  })
})

test.each([
  [['comet', 'flood', '--rate', '5'], 'comet flood --rate 5'],
  [['comet', 'http://x:1/{id}'], "comet 'http://x:1/{id}'"],
  [['comet', "it's", ''], "comet 'it'\\''s' ''"],
])('%j is %s', (words, line) => {
  expect(commandLine(words)).toBe(line)
})

function sampleOf(seconds: number, maxMs: number | null): FloodSample {
  return {
    seconds,
    time: '2026-11-24T11:00:02.500Z',
    open: 7 * seconds,
    behaviour: { reopened: 0, churned: 0, slow: 0, slowEnded: 0, vanished: 0 },
    errors: {},
    connections: { opened: 10 * seconds, failed: 2 * seconds, closed: seconds },
    received: {
      chunks: 0,
      bytes: 100 * seconds,
      messages: 5 * seconds,
      duplicated: 0,
      reordered: 0,
      untracked: 0,
    },
    latency: { p50Ms: 1, p99Ms: 2, p999Ms: 3, maxMs },
    histogram: 'a long text',
  }
}

test('samples of a long run become one without losing a total or a slow second', () => {
  const samples = [sampleOf(1, 1), sampleOf(2, 99), sampleOf(3, null)].map(pageSampleOf)
  expect(foldSamples(samples, PAGE_FOLDS)).toEqual({
    ...{ seconds: 3, open: 21, opened: 30, failed: 6, closed: 3, messages: 15, bytes: 300 },
    ...{ p50Ms: 1, p99Ms: 2, p999Ms: 3, maxMs: 99 },
  })
})
