// Goal: a token is found in an Authorization header, and only a bearer token. Method: examples.

import { expect, test } from 'bun:test'
import { bearerToken } from './bearer.ts'

test('the token of an Authorization header is what follows Bearer, in any case of letters', () => {
  expect(bearerToken('Bearer abc')).toBe('abc')
  expect(bearerToken('bearer  abc ')).toBe('abc')
})

test.each([null, '', 'Bearer', 'Bearer ', 'Basic abc', 'Bearerabc'])(
  '%j has no token',
  (authorization) => {
    expect(bearerToken(authorization)).toBeNull()
  },
)
