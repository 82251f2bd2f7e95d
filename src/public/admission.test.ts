// Goal: a stream is admitted or refused for the right reason, counted and logged, no matter which
// process decides. Method: the real limiter, asked at once or as a worker asks its parent; heads
// are plain objects.

import { describe, expect, test } from 'bun:test'
import { capacityOf } from '../core/capacity.ts'
import { Log } from '../core/log.ts'
import { refused } from '../core/result.ts'
import { FakeClock } from '../core/time.fixture.ts'
import { DescriptorBudget } from '../http/descriptor-budget.ts'
import type { Head } from '../http/exchange.ts'
import { type Limiter, type LimiterDecision, localLimiter, StreamLimiter } from '../hub/limiter.ts'
import { REFUSALS, zeroCounts } from '../hub/refusals.ts'
import { CONFIG, identityOf, settingsOf } from '../hub/settings.fixture.ts'
import type { ServerConfig } from '../hub/settings.ts'
import { UNLIMITED } from '../hub/stream.ts'
import { Authenticator } from '../identity/authenticator.ts'
import { secretKey } from '../identity/keys.ts'
import type { TicketIssuer } from '../identity/tickets.ts'
import { SECRET, signToken } from '../identity/token.fixture.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import { Admission, type AdmissionResult } from './admission.ts'

const NONE_REFUSED = zeroCounts(REFUSALS)

/** Tokens that were issued then are revoked. */
const REVOKED_AT = 1_000

const PROXIES = { trusted: [{ ip: '10.0.0.0', bits: 8 }], header: 'X-Forwarded-For' }

/** The admission of a server whose clients all come from `peer`. */
function admission(
  limits: Partial<ServerConfig>,
  wrap: (limiter: Limiter) => Limiter = (limiter) => limiter,
  redeem: TicketIssuer['redeem'] = async () => refused('ticket'),
) {
  const settings = settingsOf({ proxies: PROXIES, ...limits })
  const change = (others: Partial<ServerConfig>) => settings.replace({ ...CONFIG, ...others })
  const clock = new FakeClock()
  const revoked = { isRevoked: (_: number, issuedAt: number | null) => issuedAt === REVOKED_AT }
  const lines: { event: string; message: string }[] = []
  const write = (line: string) => lines.push(JSON.parse(line)) > 0
  const log = new Log({ format: 'json', clock, write })
  const names = new NameTable({ seed: 1 })
  const limiter = new StreamLimiter({ settings, clock, revoked, names })
  const capacity = capacityOf(1_000, null)
  const open = { files: 10 }
  const openFiles = () => open.files
  const budget = new DescriptorBudget({ capacity, streams: () => 7, openFiles, log, clock })
  const from = { peer: '192.0.2.1' as string | null }
  const headOf = (fields: Record<string, string> = {}): Head => ({
    ...{ method: 'GET', path: '/test/1', query: '', header: (name) => fields[name] ?? null },
    peer: from.peer,
    host: null,
    minor: 1,
  })
  const at = new Admission({
    ...{ budget, limiter: wrap(localLimiter(limiter)), settings, log, clock },
    authenticator: new Authenticator({
      ...{ settings, clock, redeem },
      refreshKeys: async () => undefined,
    }),
  })
  return { at, headOf, change, budget, limiter, open, from, lines }
}

/** The stream of a user that follows nothing for itself. */
const ONE = { user: 1, subjects: [] }

/** As a worker has it: the answer comes later. */
function later(limiter: Limiter): Limiter {
  return {
    ...limiter,
    acquire: (request) => Promise.resolve(limiter.acquire(request)),
  }
}

describe.each([
  ['in this process', (limiter: Limiter) => limiter],
  ['at the parent', later],
])('a stream that is decided on %s', (_, wrap) => {
  test('is refused when its address has as many as it may, until one is over', async () => {
    const { at, headOf, lines } = admission({ streamsPerAddressMax: 1 }, wrap)
    const first = await at.admit(headOf(), ONE)
    expect(first.admitted).toBe(true)
    const refused: AdmissionResult = { admitted: false, reason: 'address', retryAfterSeconds: 5 }
    expect(await at.admit(headOf(), ONE)).toEqual(refused)
    expect(at.refused).toEqual({ ...NONE_REFUSED, address: 1 })
    expect(lines.map(({ event }) => event)).toEqual(['refused_address'])
    if (first.admitted) first.lease?.release()
    expect((await at.admit(headOf(), ONE)).admitted).toBe(true)
  })

  test('is refused when too many come a second, with a line that says so', async () => {
    const { at, headOf, lines, limiter } = admission({ newStreamsPerSecondMax: 2 }, wrap)
    const answers: AdmissionResult[] = []
    for (let times = 0; times < 5; times++) answers.push(await at.admit(headOf(), ONE))
    expect(answers.map(({ admitted }) => admitted)).toEqual([true, true, false, false, false])
    expect(at.refused).toEqual({ ...NONE_REFUSED, rate: 3 })
    expect(lines).toMatchObject([
      {
        event: 'refused_rate',
        message: 'A stream was refused: more come a second than --max-new-streams allows.',
      },
    ])
    // Without a limit per address, nothing is kept of addresses.
    expect([answers[0], limiter.networks]).toEqual([{ admitted: true, user: 1, ...UNLIMITED }, 0])
  })
})

test('without limits the limiter is not asked', () => {
  const { at, headOf } = admission({}, (limiter) => ({
    ...limiter,
    acquire: (): LimiterDecision => {
      throw new Error('the limiter was asked')
    },
  }))
  expect(at.admit(headOf(), ONE)).toEqual({ admitted: true, user: 1, ...UNLIMITED })
})

test('no room counts before all limits, and takes nothing from them', () => {
  const { at, headOf, budget, limiter } = admission({ streamsPerAddressMax: 1 })
  budget.draining = true
  expect(at.admit(headOf(), ONE)).toMatchObject({ admitted: false, reason: 'draining' })
  expect([at.refused.draining, limiter.networks]).toEqual([1, 0])
})

test('who is let in when the server has begun to stop meanwhile is refused, and does not count', async () => {
  const { at, headOf, budget, limiter } = admission({ streamsPerAddressMax: 1 }, later)
  const answer = at.admit(headOf(), ONE)
  budget.draining = true
  expect(await answer).toMatchObject({ admitted: false, reason: 'draining' })
  expect([at.refused.draining, limiter.networks]).toEqual([1, 0])
})

test('clients behind a trusted proxy are told apart, and IPv6 counts by network', async () => {
  const { at, headOf, from, limiter } = admission({ streamsPerAddressMax: 1 })
  from.peer = '::ffff:10.1.2.3'
  const by = async (client: string) =>
    (await at.admit(headOf({ 'x-forwarded-for': client }), ONE)).admitted
  expect([await by('192.0.2.1'), await by('192.0.2.2'), await by('192.0.2.1')]).toEqual([
    ...[true, true, false],
  ])
  expect([await by('2001:db8::1'), await by('2001:db8::2'), await by('2001:db8:0:1::2')]).toEqual([
    ...[true, false, true],
  ])
  expect(limiter.networks).toBe(4)
})

test('a proxy that is not trusted is named, since all behind it count as one', async () => {
  const { at, headOf, lines } = admission({ streamsPerAddressMax: 1 })
  for (const client of ['198.51.100.1', '198.51.100.2']) {
    await at.admit(headOf({ 'x-forwarded-for': client }), ONE)
  }
  expect(lines.map(({ message }) => message)).toEqual([
    'A stream was refused: 192.0.2.1 has as many open as --max-streams-per-address allows.',
    'If 192.0.2.1 is a proxy, name it by --trusted-proxy: it names clients in X-Forwarded-For, ' +
      'and all count as its own.',
  ])
})

test('a trusted proxy that names no client is logged, for the same reason', async () => {
  const { at, headOf, lines, from } = admission({ streamsPerAddressMax: 1 })
  from.peer = '10.0.0.1'
  await at.admit(headOf(), ONE)
  await at.admit(headOf(), ONE)
  expect(lines.map(({ message }) => message)).toEqual([
    'A stream was refused: 10.0.0.1 has as many open as --max-streams-per-address allows.',
    'The trusted proxy 10.0.0.1 names no client in X-Forwarded-For: all count as its own.',
  ])
})

test('settings that were replaced hold from then on', async () => {
  const { at, headOf, change, from } = admission({ streamsPerAddressMax: 1 })
  change({ streamsPerAddressMax: 2 })
  from.peer = '10.0.0.1'
  const answers = await Promise.all(
    [1, 2, 3].map((client) => at.admit(headOf({ 'x-forwarded-for': `192.0.2.${client}` }), ONE)),
  )
  expect(answers.map(({ admitted }) => admitted)).toEqual([true, true, false])
})

test('a client that is gone already is let through to where its end is seen', () => {
  const { at, headOf, from } = admission({ streamsPerAddressMax: 1 })
  from.peer = null
  expect(at.admit(headOf(), ONE)).toEqual({ admitted: true, user: 1, ...UNLIMITED })
})

test('a thousand streams without room are refused with one line that counts the open ones', () => {
  const { at, headOf, open, lines } = admission({})
  open.files = 1_000
  for (let times = 0; times < 1_000; times++) at.admit(headOf(), ONE)
  expect(at.refused).toEqual({ ...NONE_REFUSED, full: 1_000 })
  expect(lines).toMatchObject([
    { event: 'refused', message: 'A stream was refused: 7 are open, the limit.' },
  ])
})

describe('with keys, a client', () => {
  const identity = identityOf(secretKey(SECRET))
  const nowSeconds = Math.floor(new FakeClock().nowMs() / 1_000)
  const claims = { sub: '1', exp: nowSeconds + 60 }
  const token = signToken({ alg: 'HS256' }, claims, SECRET)

  test('that presents a token of the user is admitted until it expires', async () => {
    const { at, headOf } = admission({ identity })
    expect(at.admitsAll()).toBe(false)
    const head = headOf({ authorization: `Bearer ${token}` })
    expect(await at.admit(head, ONE)).toEqual({
      ...{ admitted: true, user: 1, lease: null, expiresAtSeconds: claims.exp },
      subjects: [],
      readable: [],
    })
  })

  test.each([
    ['no token', {}, 'token_missing'],
    ['a token of another user', { authorization: `Bearer ${token}` }, 'user'],
    ['no JWT', { authorization: 'Bearer abc' }, 'token_malformed'],
    ['a cookie and no page', { cookie: `__Host-comet=${token}` }, 'origin'],
  ] as const)('with %s is refused, for good', async (_, fields, reason) => {
    const { at, headOf, lines } = admission({ identity })
    expect(await at.admit(headOf(fields), { ...ONE, user: 2 })).toEqual({
      ...{ admitted: false, reason },
      retryAfterSeconds: null,
    })
    expect(at.refused).toEqual({ ...NONE_REFUSED, [reason]: 1 })
    expect(lines).toHaveLength(1)
    expect(lines[0]?.message).not.toContain(token)
  })

  test('is refused for its token before limits and room are looked at', async () => {
    const { at, headOf, budget, limiter } = admission({ identity, streamsPerAddressMax: 1 })
    budget.draining = true
    expect(await at.admit(headOf(), ONE)).toMatchObject({ reason: 'token_missing' })
    expect(limiter.networks).toBe(0)
  })

  test('whose token has just expired has a stream as long as it is accepted', async () => {
    const { at, headOf } = admission({ identity })
    const over = signToken({ alg: 'HS256' }, { ...claims, exp: nowSeconds - 10 }, SECRET)
    const head = headOf({ authorization: `Bearer ${over}` })
    expect(await at.admit(head, ONE)).toMatchObject({ expiresAtSeconds: nowSeconds + 20 })
  })

  test('whose token was revoked is refused, for good', async () => {
    const { at, headOf } = admission({ identity })
    const old = signToken({ alg: 'HS256' }, { ...claims, iat: REVOKED_AT }, SECRET)
    expect(await at.admit(headOf({ authorization: `Bearer ${old}` }), ONE)).toEqual({
      ...{ admitted: false, reason: 'token_revoked' },
      retryAfterSeconds: null,
    })
    expect(at.refused).toEqual({ ...NONE_REFUSED, token_revoked: 1 })
  })

  test('counts towards the limits, and only when it is admitted', async () => {
    const { at, headOf, limiter } = admission({ identity, streamsPerAddressMax: 1 })
    const head = headOf({ authorization: `Bearer ${token}` })
    expect(await at.admit(head, ONE)).toMatchObject({
      admitted: true,
      expiresAtSeconds: claims.exp,
    })
    expect(await at.admit(head, ONE)).toMatchObject({ admitted: false, reason: 'address' })
    expect(limiter.networks).toBe(1)
  })
})

test('a ticket is not used up by a server without room', async () => {
  const redeemed: string[] = []
  const redeem: TicketIssuer['redeem'] = async (ticket) => {
    redeemed.push(ticket)
    return refused('ticket')
  }
  const { at, headOf, budget } = admission(
    { identity: identityOf(secretKey(SECRET)) },
    (limiter) => limiter,
    redeem,
  )
  const head = { ...headOf(), query: 'ticket=abc' }
  budget.draining = true
  expect(await at.admit(head, ONE)).toMatchObject({ reason: 'draining' })
  budget.draining = false
  expect(await at.admit(head, ONE)).toMatchObject({ reason: 'ticket' })
  expect(redeemed).toEqual(['abc'])
})

describe('with keys, a stream that follows subjects for itself', () => {
  const identity = identityOf(secretKey(SECRET))
  const exp = Math.floor(new FakeClock().nowMs() / 1_000) + 60
  const claims = { sub: 'alice', exp, comet: { read: ['room:*', 'news', '4*', '9'] } }
  const authorization = `Bearer ${signToken({ alg: 'HS256' }, claims, SECRET)}`

  test.each([[['room:42', 'news']], [['room:']], [[4, 42, 9]], [[]]])(
    'is admitted to %j by a token that lists them',
    async (subjects) => {
      const { at, headOf } = admission({ identity })
      const answer = await at.admit(headOf({ authorization }), { user: 'alice', subjects })
      expect(answer).toMatchObject({ admitted: true })
      expect(answer.admitted && answer.subjects.length).toBe(subjects.length)
    },
  )

  test('is admitted to its own user, whose messages it gets anyway', async () => {
    const { at, headOf } = admission({ identity })
    const requested = { user: 'alice', subjects: ['alice', 'news'] }
    const answer = await at.admit(headOf({ authorization }), requested)
    expect(answer.admitted && answer.subjects.length).toBe(1)
  })

  test.each([[['rooms']], [['news', 'news2']], [[5]], [[90]], [['bob']], [['Room:1']]])(
    'is refused for %j, of which it does not list one',
    async (subjects) => {
      const { at, headOf } = admission({ identity })
      const answer = await at.admit(headOf({ authorization }), { user: 'alice', subjects })
      expect(answer).toEqual({ admitted: false, reason: 'subject', retryAfterSeconds: null })
      const ofHead = await at.authorize(headOf({ authorization }), { user: null, subjects })
      expect(ofHead).toMatchObject({ admitted: false, reason: 'subject' })
    },
  )
})
