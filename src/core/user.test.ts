// Goal: users and subjects are read, all else is refused. Method: a table of each.

import { describe, expect, test } from 'bun:test'
import { checkSubject, checkUserId, parseSubject, userIdOf } from './user.ts'

describe('parseSubject', () => {
  test.each([
    ['1', 1],
    ['1000', 1_000],
  ])('reads %s', (text, value) => {
    expect(parseSubject(text, 1_000)).toEqual({ ok: true, value })
  })

  test.each(['0', '000', '007', '+1', '', ' 1', '1\n', 'a b', 'ä', 'a/b', '١'])(
    'refuses %p',
    (text) => {
      expect(parseSubject(text, 1_000)).toMatchObject({
        ok: false,
        why: { code: 'invalid_user_id', message: expect.stringContaining('1 to 1000') },
      })
    },
  )

  test.each(['1001', '9'.repeat(400)])('returns unknown_user for %p', (text) => {
    expect(parseSubject(text, 1_000)).toMatchObject({
      ok: false,
      why: { code: 'unknown_user', message: expect.stringContaining('above 1000') },
    })
  })

  test('reads the highest possible id', () => {
    const idMax = 2_147_483_647
    expect(parseSubject('2147483647', idMax)).toEqual({ ok: true, value: 2_147_483_647 })
    expect(parseSubject('2147483648', idMax).ok).toBe(false)
  })
})

test.each(['alice', 'room:42', 'a@b.c', '-1', '_', '1.0', '0x1', 'x'.repeat(64)])(
  'a name like %s is a user or subject',
  (name) => {
    expect(parseSubject(name, 1_000)).toEqual({ ok: true, value: name })
  },
)

test('a name of more than 64 characters is none', () => {
  expect(parseSubject('x'.repeat(65), 1_000)).toMatchObject({ why: { code: 'invalid_user_id' } })
})

test('in JSON a number may be written as one, or as text', () => {
  const checked = [7, '7', 'alice', '07', 1.5].map((subject) => checkSubject(subject, 1_000))
  expect(checked.map((of) => (of.ok ? of.value : of.why.code))).toEqual([
    ...[7, 7, 'alice', 'invalid_user_id', 'invalid_user_id'],
  ])
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
