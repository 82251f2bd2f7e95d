// Goal: a stream is admitted or refused for the right reason, counted and logged, no matter
// who has to be asked. Method: the real doorman, asked at once or as a worker asks its parent;
// requests are plain objects.

import { describe, expect, test } from 'bun:test'
import { Log } from '../core/log.ts'
import { FakeClock } from '../core/time.fixture.ts'
import { capacityOf } from '../http/capacity.ts'
import { DescriptorBudget } from '../http/descriptor-budget.ts'
import { NONE_REFUSED } from '../hub/figures.ts'
import { localLimiter } from '../hub/host.ts'
import { type Limiter, type LimiterDecision, StreamLimiter } from '../hub/limiter.ts'
import type { Admission } from './admission.ts'
import { type AdmissionOptions, StreamAdmission } from './gate.ts'

const RULES = {
  perAddressMax: null as number | null,
  newPerSecondMax: null as number | null,
  proxies: { trusted: [{ ip: '10.0.0.0', bits: 8 }], header: 'X-Forwarded-For' },
}

/** A gate before which everybody comes from `peer`. */
function admission(
  rules: Partial<typeof RULES>,
  wrap: (limiter: Limiter) => Limiter = (limiter) => limiter,
) {
  const all = { ...RULES, ...rules }
  const clock = new FakeClock()
  const lines: { event: string; message: string }[] = []
  const write = (line: string) => lines.push(JSON.parse(line)) > 0
  const log = new Log({ format: 'json', clock, write })
  const limiter = new StreamLimiter(all, clock)
  const capacity = capacityOf(1_000, null)
  const budget = new DescriptorBudget({
    capacity,
    streams: () => 0,
    openFiles: () => 10,
    log,
    clock,
  })
  const from = { peer: '192.0.2.1' as string | null }
  const options: AdmissionOptions = {
    ...{ budget, limiter: wrap(localLimiter(limiter)), rules: all, log },
    peerOf: () => from.peer,
  }
  return { admission: new StreamAdmission(options), budget, limiter, from, lines }
}

function asked(headers: Record<string, string> = {}): Request {
  return new Request('http://localhost/test/1', { headers })
}

/** As a worker has it: the answer comes later. */
function later(limiter: Limiter): Limiter {
  return { ...limiter, ask: (network) => Promise.resolve(limiter.ask(network)) }
}

describe.each([
  ['in this process', (limiter: Limiter) => limiter],
  ['at the parent', later],
])('a stream that is decided on %s', (_, wrap) => {
  test('is refused when its address has as many as it may, until one is over', async () => {
    const { admission: at, lines } = admission({ perAddressMax: 1 }, wrap)
    const first = await at.admit(asked())
    expect(first.admitted).toBe(true)
    const refused: Admission = { admitted: false, reason: 'address', retryAfterSeconds: 5 }
    expect(await at.admit(asked())).toEqual(refused)
    expect(at.refused).toEqual({ ...NONE_REFUSED, address: 1 })
    expect(lines.map(({ event }) => event)).toEqual(['refused_address'])
    if (first.admitted) first.lease?.left()
    expect((await at.admit(asked())).admitted).toBe(true)
  })

  test('is refused when too many come a second, with a line that says so', async () => {
    const { admission: at, lines, limiter } = admission({ newPerSecondMax: 2 }, wrap)
    const answers: Admission[] = []
    for (let times = 0; times < 5; times++) answers.push(await at.admit(asked()))
    expect(answers.map(({ admitted }) => admitted)).toEqual([true, true, false, false, false])
    expect(at.refused).toEqual({ ...NONE_REFUSED, rate: 3 })
    expect(lines).toMatchObject([
      {
        event: 'refused_rate',
        message: 'A stream was refused: more come a second than --max-new-streams allows.',
      },
    ])
    // Nobody wants to know where they are, so nothing is kept of them.
    expect([answers[0], limiter.places]).toEqual([{ admitted: true, lease: null }, 0])
  })
})

test('without limits nobody is asked', () => {
  const { admission: at } = admission({}, (limiter) => ({
    ...limiter,
    ask: (): LimiterDecision => {
      throw new Error('somebody was asked')
    },
  }))
  expect(at.admit(asked())).toEqual({ admitted: true, lease: null })
})

test('no room counts before all limits, and takes nothing from them', () => {
  const { admission: at, budget, limiter } = admission({ perAddressMax: 1 })
  budget.draining = true
  expect(at.admit(asked())).toMatchObject({ admitted: false, reason: 'draining' })
  expect([at.refused.draining, limiter.places]).toEqual([1, 0])
})

test('who is let in when the server has begun to stop meanwhile is refused, and does not count', async () => {
  const { admission: at, budget, limiter } = admission({ perAddressMax: 1 }, later)
  const answer = at.admit(asked())
  budget.draining = true
  expect(await answer).toMatchObject({ admitted: false, reason: 'draining' })
  expect([at.refused.draining, limiter.places]).toEqual([1, 0])
})

test('clients behind a trusted proxy are told apart, and IPv6 counts by network', async () => {
  const { admission: at, from, limiter } = admission({ perAddressMax: 1 })
  from.peer = '::ffff:10.1.2.3'
  const by = async (client: string) =>
    (await at.admit(asked({ 'x-forwarded-for': client }))).admitted
  expect([await by('192.0.2.1'), await by('192.0.2.2'), await by('192.0.2.1')]).toEqual([
    ...[true, true, false],
  ])
  expect([await by('2001:db8::1'), await by('2001:db8::2'), await by('2001:db8:0:1::2')]).toEqual([
    ...[true, false, true],
  ])
  expect(limiter.places).toBe(4)
})

test('a proxy that is not trusted is named, since all behind it count as one', async () => {
  const { admission: at, lines } = admission({ perAddressMax: 1 })
  for (const client of ['198.51.100.1', '198.51.100.2']) {
    await at.admit(asked({ 'x-forwarded-for': client }))
  }
  expect(lines.map(({ message }) => message)).toEqual([
    'A stream was refused: 192.0.2.1 has as many open as --max-streams-per-address allows.',
    'If 192.0.2.1 is a proxy, name it by --trusted-proxy: it names clients in X-Forwarded-For, ' +
      'and all count as its own.',
  ])
})

test('a trusted proxy that names nobody is told of, for the same reason', async () => {
  const { admission: at, lines, from } = admission({ perAddressMax: 1 })
  from.peer = '10.0.0.1'
  await at.admit(asked())
  await at.admit(asked())
  expect(lines.map(({ message }) => message)).toEqual([
    'A stream was refused: 10.0.0.1 has as many open as --max-streams-per-address allows.',
    'The trusted proxy 10.0.0.1 names no client in X-Forwarded-For: all count as its own.',
  ])
})

test('other rules hold from then on', async () => {
  const { admission: at, limiter, from } = admission({ perAddressMax: 1 })
  const rules = { ...RULES, perAddressMax: 2, proxies: { trusted: [], header: 'X-Forwarded-For' } }
  limiter.change(rules)
  at.change(rules)
  from.peer = '10.0.0.1'
  const answers = await Promise.all(
    [1, 2, 3].map((client) => at.admit(asked({ 'x-forwarded-for': `192.0.2.${client}` }))),
  )
  expect(answers.map(({ admitted }) => admitted)).toEqual([true, true, false])
})

test('a client that is gone already is let through to where its end is seen', () => {
  const { admission: at, from } = admission({ perAddressMax: 1 })
  from.peer = null
  expect(at.admit(asked())).toEqual({ admitted: true, lease: null })
})
