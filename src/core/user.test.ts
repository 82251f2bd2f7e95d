// Goal: user ids are read, all else is refused. Method: a table of each.

import { describe, expect, test } from 'bun:test'
import { checkUserId, parseUserId, userIdOf } from './user.ts'

describe('parseUserId', () => {
  test.each([
    ['1', 1],
    ['1000', 1_000],
  ])('reads %s', (text, value) => {
    expect(parseUserId(text, 1_000)).toEqual({ ok: true, value })
  })

  test.each(['0', '000', '007', '-1', '+1', '1.0', '1e2', '0x1', '', ' 1', '1\n', 'one', '١'])(
    'refuses %p',
    (text) => {
      expect(parseUserId(text, 1_000)).toMatchObject({
        ok: false,
        why: { code: 'invalid_user_id', message: expect.stringContaining('1 to 1000') },
      })
    },
  )

  test.each(['1001', '9'.repeat(400)])('returns unknown_user for %p', (text) => {
    expect(parseUserId(text, 1_000)).toMatchObject({
      ok: false,
      why: { code: 'unknown_user', message: expect.stringContaining('above 1000') },
    })
  })

  test('reads the highest possible id', () => {
    const idMax = 4_294_967_295
    expect(parseUserId('4294967295', idMax)).toEqual({ ok: true, value: 4_294_967_295 })
    expect(parseUserId('4294967296', idMax).ok).toBe(false)
  })
})

describe('checkUserId', () => {
  test('takes numbers from 1 to the highest id', () => {
    const checked = [0, 1, 1_000, 1_001].map((user) => checkUserId(user, 1_000))
    expect(checked).toMatchObject([
      { ok: false, why: { code: 'invalid_user_id' } },
      { ok: true, value: 1 },
      { ok: true, value: 1_000 },
      { ok: false, why: { code: 'unknown_user' } },
    ])
  })

  test('refuses a number that is no id with the code that it is given', () => {
    const refused = { ok: false, why: { code: 'invalid_message' } }
    expect(checkUserId(-1, 1_000, 'invalid_message')).toMatchObject(refused)
  })
})

test('userIdOf returns 0 for any text but an id, of any length', () => {
  expect(['7', '4294967296', '07', '', 'x'].map(userIdOf)).toEqual([7, 4_294_967_296, 0, 0, 0])
})
