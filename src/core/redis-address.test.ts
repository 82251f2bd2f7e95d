// Goal: what people write as the address of Redis is read as they mean it, and no log shows a
// password. Method: one table of texts that are addresses, and one of those that are none.

import { expect, test } from 'bun:test'
import { clientUrl, parseRedisUrl, redisName, writtenUrl } from './redis-address.ts'

const PLAIN = {
  host: 'db',
  port: 6379,
  database: 0,
  isTls: false,
  user: null,
  password: null,
  authorities: null,
}

test.each([
  ['redis://db', {}],
  ['redis://db/', {}],
  ['redis://db:7000/3', { port: 7000, database: 3 }],
  ['rediss://db', { isTls: true }],
  ['redis://comet@db', { user: 'comet' }],
  ['redis://comet:a%2Fb:c@db', { user: 'comet', password: 'a/b:c' }],
  ['redis://:secret@db', { password: 'secret' }],
  ['redis://[::1]:7000', { host: '[::1]', port: 7000 }],
])('%s is an address of Redis', (text, expected) => {
  expect(parseRedisUrl(text)).toEqual({ ok: true, value: { ...PLAIN, ...expected } })
})

test.each(['', 'db', 'http://db', 'redis://', 'redis://db:0', 'redis://db:65536', 'redis://db/x'])(
  '"%s" is no address of Redis',
  (text) => {
    expect(parseRedisUrl(text).ok).toBe(false)
  },
)

test('a % that is no escape is refused in words', () => {
  expect(parseRedisUrl('redis://a:%zz@db')).toEqual({
    ok: false,
    why: 'A % in the user or password of Redis is written as %25.',
  })
})

test('the client gets any user and password, and logs get none', () => {
  const address = { ...PLAIN, user: 'a@b', password: 'p/:@ %', isTls: true }
  expect(clientUrl(address)).toBe('rediss://a%40b:p%2F%3A%40%20%25@db:6379/0')
  expect(redisName(address)).toBe('Redis at db:6379')
})

test('people are shown the user, whom they have to name, and not the password', () => {
  expect(writtenUrl({ ...PLAIN, user: 'a@b', password: 'secret', database: 3 })).toBe(
    'redis://a%40b@db:6379/3',
  )
  expect(writtenUrl({ ...PLAIN, password: 'secret', isTls: true })).toBe('rediss://db:6379/0')
})
