// Goal: each user's token is one that a server accepts. Method: jose checks it, as the server does.

import { expect, test } from 'bun:test'
import { jwtVerify } from 'jose'
import { TOKEN_BYTES_MAX, TokenSigner } from './token-signer.ts'

const SECRET = 'a secret of at least thirty-two characters'

test.each([
  ['/stream/{id}?format=json', 7, '7'],
  ['/stream/user-{id}?format=raw', 2_147_483_647, 'user-2147483647'],
  ['/test/{id}', 1, '1'],
])('the token for a stream at %s names its user', async (path, id, user) => {
  const token = new TokenSigner(SECRET, path).tokenOf(id)
  const options = { algorithms: ['HS256'], requiredClaims: ['exp', 'iat'] }
  const { payload } = await jwtVerify(token, Buffer.from(SECRET), options)
  expect(payload.sub).toBe(user)
  expect(token.length).toBeLessThan(TOKEN_BYTES_MAX)
  const other = Buffer.from(`${SECRET}.`)
  await expect(jwtVerify(token, other, options)).rejects.toThrow('signature verification failed')
})

test('a token is valid from now on, for an hour', async () => {
  const token = new TokenSigner(SECRET, '/stream/{id}', () => 1_700_000_000_900).tokenOf(1)
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  expect(claims).toEqual({ sub: '1', iat: 1_700_000_000, exp: 1_700_003_600 })
})

test('the longest name of a user fits', () => {
  const name = `${'x'.repeat(54)}{id}`
  const token = new TokenSigner(SECRET, `/stream/${name}`).tokenOf(2_147_483_647)
  expect(token.length).toBeLessThan(TOKEN_BYTES_MAX)
})
