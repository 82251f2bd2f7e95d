// Goal: comet token makes tokens that comet accepts, and says of every other one why it does not.
// Method: the executable, with keys that openssl makes.

import { describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { P256, publicJwkOf, SECRET, signToken } from '../../../src/identity/token.fixture.ts'
import { run } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'

/** Each kind of key as a person makes it on the command line. */
const KEYS = [
  ['RS256', ['genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048']],
  ['ES256', ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']],
  ['EdDSA', ['genpkey', '-algorithm', 'ed25519']],
] as const

function parts(token: string): unknown[] {
  return token
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()))
}

describe.each(KEYS)('a key for %s made by openssl', (alg, args) => {
  test('signs tokens that its public part checks', async () => {
    await using folder = await makeFolder()
    const [privatePath, publicPath] = [`${folder.path}/private.pem`, `${folder.path}/public.pem`]
    await Bun.$`openssl ${args} -out ${privatePath}`.quiet()
    await Bun.$`openssl pkey -in ${privatePath} -pubout -out ${publicPath}`.quiet()
    const created = await run([
      ...['token', 'create', '--user', 'alice', '--read', 'news,room:*', '--ttl', '10min'],
      ...['--jwt-key-file', privatePath, '--issuer', 'me', '--audience', 'comet', '--key-id', 'k'],
    ])
    expect([created.exitCode, created.stderr]).toEqual([0, ''])
    const token = created.stdout.trim()
    expect(parts(token)).toMatchObject([
      { alg, typ: 'JWT', kid: 'k' },
      { sub: 'alice', iss: 'me', aud: 'comet', comet: { read: ['news', 'room:*'] } },
    ])
    const rules = ['--jwt-issuer', 'me', '--jwt-audience', 'comet']
    const checked = await run(['token', 'check', token, '--jwt-key-file', publicPath, ...rules])
    expect([checked.exitCode, checked.stderr]).toEqual([0, ''])
    const allowed = JSON.parse(checked.stdout)
    expect(allowed).toMatchObject({ user: 'alice', read: ['news', 'room:*'] })
    const lastsMs = Date.parse(allowed.expiresAt) - Date.parse(allowed.issuedAt)
    expect(lastsMs).toBe(600_000)
    const asPublic = await run(['token', 'create', '--user', '7', '--jwt-key-file', publicPath])
    expect([asPublic.exitCode, asPublic.stderr]).toEqual([
      2,
      `comet token create: the key file ${publicPath} has a public key; ` +
        'tokens are signed with the private one\n',
    ])
  })
})

test('a secret signs and checks', async () => {
  await using folder = await makeFolder()
  const path = `${folder.path}/secret`
  writeFileSync(path, SECRET, { mode: 0o600 })
  const { stdout } = await run(['token', 'create', '--user', '7', '--jwt-secret-file', path])
  const checked = await run(['token', 'check', '--jwt-secret-file', path], {
    stdin: new Blob([stdout]),
  })
  expect([checked.exitCode, JSON.parse(checked.stdout).user]).toEqual([0, '7'])
})

test('keys may be at a URL', async () => {
  using issuer = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: ({ url }) =>
      url.endsWith('/keys')
        ? Response.json({ keys: [{ ...publicJwkOf(P256), kid: 'k' }] })
        : new Response('', { status: 404 }),
  })
  const url = `http://127.0.0.1:${issuer.port}`
  const claims = { sub: '7', exp: Math.floor(Date.now() / 1_000) + 60 }
  const token = signToken({ alg: 'ES256', kid: 'k' }, claims, P256.privateKey)
  const checked = await run(['token', 'check', token, '--jwks-url', `${url}/keys`])
  expect([checked.exitCode, JSON.parse(checked.stdout).user]).toEqual([0, '7'])
  expect(await run(['token', 'check', token, '--jwks-url', url])).toMatchObject({
    exitCode: 69,
    stderr: `comet token check: the keys at ${url}/ answered 404\n`,
  })
})

test('a token that is not valid is refused with its reason, and exit 1', async () => {
  await using folder = await makeFolder()
  const path = `${folder.path}/secret`
  writeFileSync(path, SECRET, { mode: 0o600 })
  const old = signToken({ alg: 'HS256' }, { sub: '7', exp: 1_000 }, SECRET)
  expect(await run(['token', 'check', old, '--jwt-secret-file', path])).toMatchObject({
    exitCode: 1,
    stdout: '',
    stderr: 'comet token check: token_expired: The token has expired\n',
  })
})

test.each([
  [['create', '--jwt-secret-file', 'x'], 'give --user'],
  [['create', '--user', '7'], 'give --jwt-secret-file or --jwt-key-file'],
  [['create', '--user', 'a b'], 'a number like 123, or a name'],
  [['create', '--user', '7', '--read', 'a*b'], "the beginning of some like 'room:*'"],
  [['check', 'abc'], 'give --jwt-secret-file or --jwt-key-file'],
] as const)('comet token %p is refused', async (args, why) => {
  const { exitCode, stderr } = await run(['token', ...args])
  expect(exitCode).toBe(2)
  expect(stderr).toContain(why)
})
