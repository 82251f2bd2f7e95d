// Goal: with keys a client opens only the streams that its token allows, and as long as it does;
// without keys the port is open on loopback alone. Method: the executable with and without
// workers, tokens made by hand.

import { afterEach, describe, expect, test } from 'bun:test'
import { chmodSync, writeFileSync } from 'node:fs'
import {
  ED25519,
  P256,
  publicJwkOf,
  publicPem,
  RSA,
  SECRET,
  signToken,
  tokenFor,
} from '../../../src/identity/token.fixture.ts'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, NO_FILE, NONE_REFUSED, run, serve } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { scrape } from '../../support/metrics.ts'
import { get, RawClient } from '../../support/raw-client.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1_000) + seconds
}

/** A file with the secret, or with other text. */
function fileWith(folder: { readonly path: string }, text: string, name = 'key'): string {
  const path = `${folder.path}/${name}`
  writeFileSync(path, text)
  chmodSync(path, 0o600)
  return path
}

/** A client's answer so far: a stream that is open, or the whole text of a refusal. */
async function ask(server: CometServer, fields: string, user = 7): Promise<RawClient> {
  const text = get(`/test/${user}`).replace('\r\n\r\n', `\r\n${fields}\r\n`)
  const client = await RawClient.open(server.publicPort, text)
  await waitFor('an answer', () => client.text.includes(`Id: ${user}\n`) || client.end !== null)
  return client
}

/** A stream by another path. */
async function open(server: CometServer, path: string): Promise<RawClient> {
  const client = await RawClient.open(server.publicPort, get(path))
  await waitFor('the head', () => client.text.includes('\r\n\r\n') || client.end !== null)
  return client
}

function bearer(token: string): string {
  return `Authorization: Bearer ${token}\r\n`
}

describe.each([[[]], [['--workers', '3']]])('with a secret, %p', (args) => {
  test('a token opens the stream of its user and no other', async () => {
    await using folder = await makeFolder()
    const secret = fileWith(folder, `${SECRET}\n`)
    await using server = await serve(['--jwt-secret-file', secret, ...args])
    const sent = { own: tokenFor('7'), other: tokenFor('8'), old: tokenFor('7', -60) }
    const own = await ask(server, bearer(sent.own))
    expect(own.text).toStartWith('HTTP/1.1 200 ')
    expect(await server.publish({ to: 7, body: 'for seven' })).toBe(1)
    await waitFor('the message', () => own.text.includes('for seven'))

    const other = await ask(server, bearer(sent.other))
    expect(other.text).toStartWith('HTTP/1.1 403 ')
    expect(other.text).toEndWith('user: The token is not for the stream of this user\n')
    const none = await ask(server, '')
    expect(none.text).toStartWith('HTTP/1.1 401 ')
    expect(none.text.toLowerCase()).toContain('\r\nwww-authenticate: bearer\r\n')
    const old = await ask(server, bearer(sent.old))
    expect(old.text).toContain('error="invalid_token", error_description="token_expired"')
    const forged = await ask(server, bearer(`${sent.own.slice(0, -4)}AAAA`))
    expect(forged.text).toEndWith('token_signature: The signature of the token is wrong\n')

    const refused = { user: 1, token_missing: 1, token_expired: 1, token_signature: 1 }
    await waitFor('the refusals to be counted', async () => {
      const { streams } = await server.stats()
      return Bun.deepEquals(streams.refused, { ...NONE_REFUSED, ...refused })
    })
    const metrics = await scrape(server)
    expect(metrics.value('comet_streams_refused_total{reason="token_expired"}')).toBe(1)
    await server.logged('"event":"refused_token"')
    for (const token of Object.values(sent)) {
      for (const part of token.split('.').slice(1)) expect(server.stderr).not.toContain(part)
    }
    for (const client of [own, other, none, old, forged]) client.terminate()
  })

  test('a stream ends properly when its token expires, and the others stay', async () => {
    await using folder = await makeFolder()
    const secret = fileWith(folder, SECRET)
    await using server = await serve(['--jwt-secret-file', secret, ...args])
    // Expiry is in whole seconds: one of a second may be over before the server sees it, and then
    // counts for as long as clocks may differ.
    const short = await ask(server, bearer(tokenFor('7', 2)))
    const long = await ask(server, bearer(tokenFor('7', 60)))
    await waitFor('its end', () => short.end !== null, 10_000)
    expect(short.text).toEndWith('0\r\n\r\n')
    await server.open(1)
    expect((await server.stats()).streams.closed.expired).toBe(1)
    expect(long.end).toBeNull()
    long.terminate()
  })
})

describe.each([[[]], [['--workers', '3']]])('DELETE /users/{id}/streams, %p', (args) => {
  test('ends the streams of the user, and the tokens from before open none any more', async () => {
    await using folder = await makeFolder()
    const secret = fileWith(folder, SECRET)
    const database = ['--db', `${folder.path}/comet.db`]
    const old = tokenFor('7')
    const delete7 = (server: CometServer) =>
      server.ask('/users/7/streams?note=bye%20now', { method: 'DELETE' })
    {
      await using server = await serve(['--jwt-secret-file', secret, ...database, ...args])
      const streams = [await ask(server, bearer(old)), await ask(server, bearer(old))]
      const lines = await RawClient.open(
        server.publicPort,
        get('/stream').replace('\r\n\r\n', `\r\n${bearer(old)}\r\n`),
      )
      const other = await ask(server, bearer(tokenFor('8')), 8)
      await server.open(4)
      expect(await (await delete7(server)).json()).toEqual({ ended: 3 })
      for (const stream of [...streams, lines]) {
        await waitFor('its end', () => stream.end !== null)
        expect(stream.text).toEndWith('0\r\n\r\n')
      }
      expect(lines.text).toContain('{"end":"ended","note":"bye now"}\n')
      await server.open(1)
      const refused = await ask(server, bearer(old))
      expect(refused.text).toContain('token_revoked: ')
      expect((await server.stats()).streams.refused.token_revoked).toBe(1)
      for (const client of [...streams, lines, refused, other]) client.terminate()
    }
    await using again = await serve(['--jwt-secret-file', secret, ...database, ...args])
    const refused = await ask(again, bearer(old))
    expect(refused.text).toContain('token_revoked: ')
    const claims = { sub: '7', exp: inSeconds(600), iat: inSeconds(5) }
    const fresh = await ask(again, bearer(signToken({ alg: 'HS256' }, claims, SECRET)))
    expect(fresh.text).toStartWith('HTTP/1.1 200 ')
    for (const client of [refused, fresh]) client.terminate()
  })
})

interface TicketAnswer {
  readonly ticket: string
  readonly expires: string
  readonly error: { readonly code: string }
}

describe.each([[[]], [['--workers', '3']]])('a ticket, %p', (args) => {
  const issue = async (server: CometServer, body: unknown) => {
    const response = await server.ask('/tickets', { method: 'POST', body: JSON.stringify(body) })
    return { status: response.status, answer: (await response.json()) as TicketAnswer }
  }
  const openBy = (server: CometServer, ticket: string, user: number | null = null) =>
    open(server, `/stream${user === null ? '' : `/${user}`}?ticket=${ticket}`)

  test('opens one stream of its user, for as long as it says', async () => {
    await using folder = await makeFolder()
    await using server = await serve(['--jwt-secret-file', fileWith(folder, SECRET), ...args])
    const { status, answer } = await issue(server, { user: 7, ttl: 2 })
    expect([status, Date.parse(answer.expires) > Date.now()]).toEqual([200, true])
    const client = await openBy(server, answer.ticket)
    expect(client.text).toStartWith('HTTP/1.1 200 ')
    expect(await server.publish({ to: 7, body: 'x' })).toBe(1)
    const again = await openBy(server, answer.ticket)
    expect(again.text).toStartWith('HTTP/1.1 401 ')
    expect(again.text).toContain('\r\n\r\nticket: ')
    const other = await openBy(server, (await issue(server, { user: 7 })).answer.ticket, 8)
    expect(other.text).toStartWith('HTTP/1.1 403 ')
    await waitFor('its end', () => client.end !== null, 12_000)
    expect(client.text).toContain('{"end":"expired"}\n')
    for (const each of [client, again, other]) each.terminate()
  })

  test('is refused to a request that does not ask for one', async () => {
    await using server = await serve(args)
    for (const body of [{}, { user: true }, { user: 7, read: ['a*b'] }, { user: 7, ttl: 0 }]) {
      const { status, answer } = await issue(server, body)
      expect([status, answer.error.code]).toEqual([422, 'invalid_ticket'])
    }
  })
})

test.each([
  ['RS256 and PEM', 'RS256', RSA, publicPem(RSA)],
  ['ES256 and a JWK', 'ES256', P256, JSON.stringify(publicJwkOf(P256))],
  ['EdDSA and a JWKS', 'EdDSA', ED25519, JSON.stringify({ keys: [publicJwkOf(ED25519)] })],
] as const)('tokens are checked by %s', async (_, alg, { privateKey }, text) => {
  await using folder = await makeFolder()
  await using server = await serve(['--jwt-key-file', fileWith(folder, text)])
  const claims = { sub: '7', exp: inSeconds(60) }
  const client = await ask(server, bearer(signToken({ alg }, claims, privateKey)))
  expect(client.text).toStartWith('HTTP/1.1 200 ')
  const confused = await ask(server, bearer(signToken({ alg: 'HS256' }, claims, text)))
  expect(confused.text).toContain('token_algorithm: ')
  client.terminate()
  confused.terminate()
})

test('keys are read again at SIGHUP, and a file that is invalid then changes nothing', async () => {
  await using folder = await makeFolder()
  const path = fileWith(folder, SECRET)
  await using server = await serve(['--jwt-secret-file', path, '--workers', '2'])
  const token = tokenFor('7')
  expect((await ask(server, bearer(token))).text).toStartWith('HTTP/1.1 200 ')
  fileWith(folder, 'short')
  server.kill('SIGHUP')
  await server.logged('is shorter than 32 characters')
  expect((await ask(server, bearer(token))).text).toStartWith('HTTP/1.1 200 ')
  fileWith(folder, 'another secret of more than thirty-two bytes')
  server.kill('SIGHUP')
  await waitFor('the old key to be gone', async () => {
    const client = await ask(server, bearer(token))
    const isRefused = client.text.includes('token_signature: ')
    client.terminate()
    return isRefused
  })
})

describe.each([[[]], [['--workers', '2']]])('--jwks-url, %p', (args) => {
  test('has keys fetched at the start, and not again within a minute', async () => {
    const keys = [{ ...publicJwkOf(P256), kid: 'old' }]
    const asked: string[] = []
    await using issuer = issuerOf(() => {
      asked.push('/')
      return Response.json({ keys })
    })
    await using server = await serve(['--jwks-url', issuer.url, ...args])
    const claims = { sub: '7', exp: inSeconds(600) }
    const old = await ask(
      server,
      bearer(signToken({ alg: 'ES256', kid: 'old' }, claims, P256.privateKey)),
    )
    expect(old.text).toStartWith('HTTP/1.1 200 ')
    keys.push({ ...publicJwkOf(ED25519), kid: 'new' })
    const unknown = signToken({ alg: 'EdDSA', kid: 'new' }, claims, ED25519.privateKey)
    // Within a minute of the first fetch there is no other.
    const refused = await ask(server, bearer(unknown))
    expect(refused.text).toContain('token_key: ')
    expect(asked).toHaveLength(1)
    for (const client of [old, refused]) client.terminate()
  })
})

test('a server whose keys cannot be fetched does not start', async () => {
  await using issuer = issuerOf(() => new Response('', { status: 404 }))
  const { exitCode, stderr } = await run([
    ...['serve', '--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', ...NO_FILE],
    ...['--jwks-url', issuer.url],
  ])
  expect(exitCode).toBe(69)
  expect(stderr).toBe(`comet serve: the keys at ${issuer.url} answered 404\n`)
})

/** A server of keys. */
function issuerOf(answer: () => Response) {
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: answer })
  const url = `http://127.0.0.1:${server.port}/jwks.json`
  return { url, [Symbol.asyncDispose]: () => server.stop(true) }
}

describe.each([[[]], [['--wire', 'socket']], [['--workers', '2']]])('--cors-origin, %p', (args) => {
  const APP = 'https://app.example'
  const allowed = [
    `\r\naccess-control-allow-origin: ${APP}\r\n`,
    '\r\naccess-control-allow-credentials: true\r\n',
    '\r\nvary: origin\r\n',
  ]
  const headOf = ({ text }: RawClient) => `${text.split('\r\n\r\n')[0]?.toLowerCase()}\r\n`

  test('lets pages of the list read streams, and no others', async () => {
    await using server = await serve(['--cors-origin', APP, ...args])
    const page = await ask(server, `Origin: ${APP}\r\n`)
    for (const field of allowed) expect(headOf(page)).toContain(field)
    expect(await server.publish({ to: 7, body: 'for the page' })).toBe(1)
    await waitFor('the message', () => page.text.includes('for the page'))
    for (const fields of ['Origin: https://evil.example\r\n', 'Origin: null\r\n', '']) {
      const other = await ask(server, fields)
      expect(headOf(other)).not.toContain('access-control')
      expect(headOf(other)).toContain('\r\nvary: origin\r\n')
      other.terminate()
    }
    page.terminate()
  })

  test('lets them read why there is no stream, and answers their preflight requests', async () => {
    await using folder = await makeFolder()
    const secret = fileWith(folder, SECRET)
    await using server = await serve(['--cors-origin', APP, '--jwt-secret-file', secret, ...args])
    const refused = await ask(server, `Origin: ${APP}\r\n`)
    expect(headOf(refused)).toStartWith('http/1.1 401 ')
    for (const field of allowed) expect(headOf(refused)).toContain(field)
    const answer = await fetch(`${server.publicUrl}/test/7`, {
      method: 'OPTIONS',
      headers: { origin: APP, 'access-control-request-method': 'GET' },
    })
    expect([answer.status, answer.headers.get('access-control-allow-headers')]).toEqual([
      204,
      'Authorization, Last-Event-ID, Cache-Control, If-None-Match',
    ])
    const cookie = await ask(server, `Origin: ${APP}\r\nCookie: __Host-comet=${tokenFor('7')}\r\n`)
    expect(headOf(cookie)).toStartWith('http/1.1 200 ')
    const foreign = await ask(
      server,
      `Origin: https://evil.example\r\nCookie: __Host-comet=${tokenFor('7')}\r\n`,
    )
    expect(foreign.text).toContain('\r\n\r\norigin: ')
    for (const client of [refused, cookie, foreign]) client.terminate()
  })
})

describe('the public port off loopback', () => {
  test('is not opened without keys', async () => {
    const { exitCode, stderr } = await run(['serve', '--listen', '0.0.0.0:0', ...NO_FILE])
    expect(exitCode).toBe(2)
    expect(stderr).toBe(
      "comet serve: anyone who reaches 0.0.0.0 could read every user's messages: give a key for " +
        "clients' tokens with --jwt-key-file, --jwt-secret-file or --jwks-url, or --anonymous to allow that\n",
    )
  })

  test('is opened where everyone may read, or with a key', async () => {
    await using folder = await makeFolder()
    await using open = await serve(['--listen', '0.0.0.0:0', '--anonymous'])
    const client = await ask(open, '')
    expect(client.text).toStartWith('HTTP/1.1 200 ')
    client.terminate()
    const secret = fileWith(folder, SECRET)
    await using guarded = await serve(['--listen', '0.0.0.0:0', '--jwt-secret-file', secret])
    const refused = await ask(guarded, '')
    expect(refused.text).toStartWith('HTTP/1.1 401 ')
    refused.terminate()
  })
})

test.each([
  [['--anonymous', '--jwt-secret-file', 'x'], '--anonymous'],
  [['--jwt-secret-file', '/nowhere'], 'the secret file /nowhere is not there'],
  [['--jwt-key-file', '/dev/null'], 'the key file /dev/null is no file'],
] as const)('%p is refused', async (args, why) => {
  const { exitCode, stderr } = await run(['serve', '--listen', '127.0.0.1:0', ...args, ...NO_FILE])
  expect(exitCode).toBe(2)
  expect(stderr).toContain(why)
})
