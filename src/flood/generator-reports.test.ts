// Goal: promised deliveries add up over the reports of generators, or the reason is given why not.
// Method: files in a folder of the test's own, good and bad.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisedDeliveries } from './generator-reports.ts'

/** The number, null without files, or the reason why it is not known. */
async function promised(...given: Parameters<typeof promisedDeliveries>) {
  const outcome = await promisedDeliveries(...given)
  return outcome.ok ? outcome.value : outcome.why
}

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'comet-promise-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Writes a file and answers its path. */
async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await Bun.write(path, text)
  return path
}

describe('the promise', () => {
  test('of no file is none', async () => {
    expect(await promised([])).toBeNull()
  })

  test('of several files is their sum, whatever else they say', async () => {
    const first = await file('first.json', '{"delivered":40,"other":{"a":1},"unpromised":0}')
    const second = await file('second.json', ' {\n"delivered": 2 }\n')
    expect(await promised([first])).toBe(40)
    expect(await promised([first, second])).toBe(42)
  })

  test('is not known while messages of others came, which would hide what is lost', async () => {
    const of = (first: number) => `{"delivered":5,"generators":{"first":${first},"count":2}}`
    const one = await file('one.json', of(10))
    const other = await file('other.json', of(20))
    expect(await promised([one], [10, 11])).toBe(5)
    expect(await promised([one], [10, 12, 20])).toContain('messages of 2 generators came')
    expect(await promised([one, other], [11, 20, 21])).toBe(10)
  })

  test('to streams that resume is each message that was accepted', async () => {
    const sent = '"sent":50,"rejected":2,"delivered":7,"unpromised":0'
    const one = await file('resumed.json', `{${sent},"unknown":3,"unanswered":0}`)
    expect(await promised([one], [], true)).toBe(48)
    const other = await file('unanswered.json', `{${sent},"unanswered":4}`)
    expect(await promised([other], [], true)).toContain('4 messages were not answered')
  })

  test.each([
    ['no JSON', 'delivered: 3', 'it is not JSON'],
    ['an empty file', '', 'it is not JSON'],
    ['two reports', '{"delivered":1}\n{"delivered":2}', 'it is not JSON'],
    ['another JSON', '{"opened":3}', 'is not a report of comet gen --json'],
    ['null', 'null', 'is not a report of comet gen --json'],
    ['a list', '[{"delivered":3}]', 'is not a report of comet gen --json'],
    ['a negative number', '{"delivered":-1}', 'is not a report of comet gen --json'],
    ['half a delivery', '{"delivered":1.5}', 'is not a report of comet gen --json'],
    ['a number as text', '{"delivered":"1"}', 'is not a report of comet gen --json'],
    ['deliveries not known', '{"delivered":1,"unknown":2}', 'did not know whether 2 deliveries'],
    ['messages without a promise', '{"delivered":1,"unpromised":2}', 'did not report how many'],
  ])('of %s is not known, and the file is named', async (name, text, why) => {
    const good = await file('good.json', '{"delivered":1}')
    const bad = await file(`${name}.json`, text)
    for (const files of [[bad], [good, bad], [bad, good]]) {
      const outcome = await promised(files)
      expect(outcome).toContain(why)
      expect(outcome).toContain(`--expect ${bad} `)
    }
  })

  test('of a file that is not there is not known', async () => {
    expect(await promised([join(folder, 'none.json')])).toContain('cannot be read (ENOENT)')
  })

  test('of a folder is not known', async () => {
    expect(await promised([folder])).toMatch(/cannot be read \(E[A-Z]+\)/)
  })
})
