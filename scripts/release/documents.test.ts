// Goal: packages get the man page and the completions that the executable prints. Method: both are
// asked.

import { expect, test } from 'bun:test'
import { run } from '../support/comet.ts'
import { shellDocuments } from './documents.ts'

test('the documents for the shell are those of the executable', async () => {
  const documents = await shellDocuments()
  const expected = [
    ['help', '--man'],
    ...['bash', 'zsh', 'fish'].map((shell) => ['completion', shell]),
  ]
  const own = await Promise.all(expected.map(async (args) => (await run(args)).stdout))
  expect(documents.map(({ text }) => text)).toEqual(own)
  expect(documents.every(({ text }) => text.length > 1_000)).toBe(true)
})
