// Goal: a request's credential is found where clients may put it, and a cookie counts only for
// pages that may use it. Method: the real verifier; heads are plain objects.

import { describe, expect, test } from 'bun:test'
import { refused, success } from '../core/result.ts'
import { FakeClock } from '../core/time.fixture.ts'
import type { Head } from '../http/exchange.ts'
import { CONFIG, identityOf, settingsOf } from '../hub/settings.fixture.ts'
import type { TokenKey } from '../hub/settings.ts'
import { Authenticator } from './authenticator.ts'
import { parseJwk, secretKey } from './keys.ts'
import type { TicketIssuer } from './tickets.ts'
import { ED25519, type KeyPair, P256, publicJwkOf, SECRET, signToken } from './token.fixture.ts'

const clock = new FakeClock()
const nowSeconds = Math.floor(clock.nowMs() / 1_000)
const APP = 'https://app.example'
const identity = identityOf(secretKey(SECRET))
const refreshKeys = async () => undefined
const redeem: TicketIssuer['redeem'] = async (ticket) => {
  if (ticket === 'later') return refused('busy')
  return ticket === 'good'
    ? success({ user: '9', read: [], issuedAtSeconds: 1, expiresAtSeconds: 2 })
    : refused('ticket')
}

function tokenOf(user: string): string {
  return signToken({ alg: 'HS256' }, { sub: user, exp: nowSeconds + 60 }, SECRET)
}

function headOf(fields: Readonly<Record<string, string>>, query = ''): Head {
  return {
    ...{
      method: 'GET',
      path: '/test/1',
      query,
      host: fields['host'] ?? null,
      peer: null,
      minor: 1,
    },
    header: (name) => fields[name] ?? null,
  }
}

async function whoIs(fields: Readonly<Record<string, string>>, query = ''): Promise<string> {
  const settings = settingsOf({ identity, corsOrigins: [APP] })
  const identified = await new Authenticator({ settings, clock, redeem, refreshKeys }).identify(
    headOf(fields, query),
  )
  return identified.ok ? identified.value.user : identified.why
}

test('a token comes in the Authorization header', async () => {
  expect(await whoIs({ authorization: `Bearer ${tokenOf('7')}` })).toBe('7')
  expect(await whoIs({ authorization: `bearer ${tokenOf('alice')}` })).toBe('alice')
})

test.each([
  ['nothing', {}],
  ['another scheme', { authorization: 'Basic YTpi' }],
  ['no token after the scheme', { authorization: 'Bearer ' }],
  ['another cookie', { cookie: 'comet=x; other=y', origin: APP }],
  ['an empty cookie', { cookie: '__Host-comet=', origin: APP }],
])('a request with %s has no token', async (_, fields) => {
  expect(await whoIs(fields)).toBe('token_missing')
})

describe('a cookie', () => {
  const cookie = `other=1; __Host-comet=${tokenOf('7')}; last=2`

  test('counts for a page that is allowed', async () => {
    expect(await whoIs({ cookie, origin: APP })).toBe('7')
  })

  test('counts for a page of the same origin, which a browser says', async () => {
    expect(await whoIs({ cookie, 'sec-fetch-site': 'same-origin' })).toBe('7')
  })

  test('counts for a page of the same origin that names it, as for a WebSocket', async () => {
    const ofOwn = (host: string, origin: string) => whoIs({ cookie, host, origin })
    expect(await ofOwn('comet.example', 'https://comet.example')).toBe('7')
    expect(await ofOwn('localhost', 'http://localhost')).toBe('7')
    // Anyone in between may have sent it.
    expect(await ofOwn('comet.example', 'http://comet.example')).toBe('origin')
  })

  test.each([
    ['of another origin', { origin: 'https://evil.example' }],
    ['of a name that only begins so', { origin: `${APP}.evil.example` }],
    ['of another scheme', { origin: 'http://app.example' }],
    ['without an origin of its own', { origin: 'null' }],
    ['of the same site', { 'sec-fetch-site': 'same-site' }],
    ['of another site', { 'sec-fetch-site': 'cross-site' }],
    ['that hides its origin', {}],
  ])('does not count for a page %s', async (_, fields) => {
    expect(await whoIs({ cookie, ...fields })).toBe('origin')
  })

  test('gives way to a token in the Authorization header', async () => {
    const authorization = `Bearer ${tokenOf('8')}`
    expect(await whoIs({ cookie, authorization, origin: 'https://evil.example' })).toBe('8')
  })
})

test('a ticket comes in the query, and gives way to a token', async () => {
  expect(await whoIs({}, 'ticket=good')).toBe('9')
  expect(await whoIs({}, 'format=raw&ticket=go%6fd')).toBe('9')
  expect(await whoIs({}, 'ticket=used')).toBe('ticket')
  expect(await whoIs({}, 'ticket=later')).toBe('busy')
  expect(await whoIs({}, 'ticket=')).toBe('ticket')
  expect(await whoIs({ authorization: `Bearer ${tokenOf('7')}` }, 'ticket=good')).toBe('7')
})

test('keys that were replaced count from then on', async () => {
  const settings = settingsOf({ identity })
  const authenticator = new Authenticator({ settings, clock, redeem, refreshKeys })
  const head = headOf({ authorization: `Bearer ${tokenOf('7')}` })
  expect(await authenticator.identify(head)).toMatchObject({ ok: true })
  const keys = [secretKey('another secret of more than thirty-two bytes')]
  settings.replace({ ...CONFIG, identity: { ...identity, keys } })
  expect(await authenticator.identify(head)).toEqual({ ok: false, why: 'token_signature' })
})

describe('keys at a URL', () => {
  const [OLD, NEW] = [keyOf(P256, 'key-0'), keyOf(ED25519, 'key-1')]
  const token = signToken(
    { alg: 'EdDSA', kid: 'key-1' },
    { sub: '7', exp: nowSeconds + 86_400 },
    ED25519.privateKey,
  )
  const head = headOf({ authorization: `Bearer ${token}` })

  function withUrl(
    onRefresh: (replace: (keys: readonly TokenKey[]) => void) => void,
    keys: readonly TokenKey[] = [],
  ) {
    const at = new FakeClock()
    const remote = (remoteKeys: readonly TokenKey[]) => ({
      ...identityOf(...keys),
      ...{ keysUrl: 'https://issuer.example/', remoteKeys },
    })
    const settings = settingsOf({ identity: remote([OLD]) })
    const asked = { times: 0 }
    const authenticator = new Authenticator({
      settings,
      clock: at,
      redeem,
      refreshKeys: async () => {
        asked.times++
        onRefresh((others) => settings.replace({ ...CONFIG, identity: remote(others) }))
      },
    })
    return { authenticator, asked, clock: at }
  }

  test('are fetched again for a token that names one that is not there', async () => {
    const { authenticator, asked } = withUrl((replace) => replace([OLD, NEW]))
    expect(await authenticator.identify(head)).toMatchObject({ ok: true, value: { user: '7' } })
    expect(await authenticator.identify(head)).toMatchObject({ ok: true })
    expect(asked.times).toBe(1)
  })

  test('are waited for by all tokens that come meanwhile', async () => {
    const { authenticator, asked } = withUrl((replace) => replace([OLD, NEW]))
    const all = await Promise.all(Array.from({ length: 10 }, () => authenticator.identify(head)))
    expect(all.every(({ ok }) => ok)).toBe(true)
    expect(asked.times).toBe(1)
  })

  test('are asked for also where other keys have no id', async () => {
    const { authenticator } = withUrl((replace) => replace([OLD, NEW]), [secretKey(SECRET)])
    expect(await authenticator.identify(head)).toMatchObject({ ok: true })
  })

  test('are not asked for all the time, however many tokens name keys that are nowhere', async () => {
    const { authenticator, asked, clock: at } = withUrl(() => undefined)
    const refused = { ok: false, why: 'token_key' } as const
    for (let times = 0; times < 100; times++) {
      expect(await authenticator.identify(head)).toEqual(refused)
    }
    expect(asked.times).toBe(1)
    at.advance(5_001)
    expect(await authenticator.identify(head)).toEqual(refused)
    expect(asked.times).toBe(2)
  })
})

function keyOf(pair: KeyPair, kid: string): TokenKey {
  const key = parseJwk({ ...publicJwkOf(pair), kid })
  if (!key.ok) throw new Error(key.why)
  return key.value
}
