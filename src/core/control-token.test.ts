// Goal: a token file gives its tokens with their roles, or says what is wrong without showing one.
// Method: texts as people write them.

import { expect, test } from 'bun:test'
import { parseControlTokens } from './control-token.ts'

const [ONE, TWO] = ['correct-horse-battery', 'staple-correct-horse']

test('a token alone is that of an admin', () => {
  for (const text of [ONE, `${ONE}\n`, `# for all\n${ONE}\r\n\n`]) {
    expect(parseControlTokens(text)).toEqual({ ok: true, value: [{ role: 'admin', token: ONE }] })
  }
})

test('lines name a role for each token', () => {
  expect(parseControlTokens(`# Prometheus\nread ${ONE}\n\npublish\t${TWO}\n`)).toEqual({
    ok: true,
    value: [
      { role: 'read', token: ONE },
      { role: 'publish', token: TWO },
    ],
  })
  expect(parseControlTokens(`read ${ONE}`)).toMatchObject({ value: [{ role: 'read' }] })
})

const MANY = Array.from({ length: 101 }, (_, at) => `read ${ONE}-${at}`).join('\n')

test.each([
  ['no text', '', 'is empty'],
  ['comments alone', '# nothing\n', 'is empty'],
  ['a short token', 'short', 'shorter than 16 characters'],
  ['a short token with a role', 'read short', 'shorter than 16 characters, in line 1'],
  ['a long token', 'x'.repeat(4_097), 'longer than 4096 characters'],
  ['two tokens without roles', `${ONE}\n${TWO}`, 'has no role in line 1: publish, read, admin'],
  ['a role that is none', `read ${ONE}\nwrite ${TWO}`, 'has no role in line 2'],
  ['one token for two roles', `read ${ONE}\nadmin ${ONE}`, 'has a token twice'],
  ['a letter beyond ASCII', 'correct-hörse-battery', 'has characters that a token cannot have'],
  ['a hundred and one tokens', MANY, 'more than 100 tokens'],
])('%s is refused, and no token shown', (_, text, why) => {
  const parsed = parseControlTokens(text)
  expect(parsed).toEqual({ ok: false, why: expect.stringContaining(why) })
  expect(JSON.stringify(parsed)).not.toContain('horse')
})
