// Goal: what is a user id is read, everything else is refused. Method: a table of each.

import { describe, expect, test } from 'bun:test'
import { parseUserId } from './user.ts'

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
        failure: { code: 'invalid_user_id', message: expect.stringContaining('1 to 1000') },
      })
    },
  )

  test.each(['1001', '9'.repeat(400)])('knows no user %p', (text) => {
    expect(parseUserId(text, 1_000)).toMatchObject({
      ok: false,
      failure: { code: 'unknown_user', message: expect.stringContaining('above 1000') },
    })
  })

  test('reads the highest id there is', () => {
    const idMax = 4_294_967_295
    expect(parseUserId('4294967295', idMax)).toEqual({ ok: true, value: 4_294_967_295 })
    expect(parseUserId('4294967296', idMax).ok).toBe(false)
  })
})
