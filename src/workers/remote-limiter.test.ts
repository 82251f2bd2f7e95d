// Goal: every stream that asks gets one decision, the parent's or, when that is stuck, a refusal;
// and what counts at the parent without a stream is released. Method: a real link whose other end
// the test plays.

import { describe, expect, test } from 'bun:test'
import { until } from '../core/time.fixture.ts'
import type { LimiterDecision, StreamRequest } from '../hub/limiter.ts'
import { hasPairs } from '../os/socket-pair.fixture.ts'
import { type End, Pair } from './link.fixture.ts'
import { TO_PARENT } from './protocol.ts'
import { RemoteLimiter } from './remote-limiter.ts'

const ADMITTED: LimiterDecision = { admitted: true, user: 7, subjects: [] }
const ADDRESS: LimiterDecision = { admitted: false, reason: 'address', retryAfterSeconds: 5 }
const REQUEST_MS_MAX = 60_000

/** A stream of a client at a place. */
function streamOf(network: string | null): StreamRequest {
  return { user: 7, subjects: [], network, token: null }
}

/** A limiter, and the records that its parent has got: their kinds and JSON. */
async function limiterFor(pair: Pair) {
  const parent = await pair.openRight()
  const got: [kind: number, json: string][] = []
  parent.onRecord = ({ kind, bytes }) => {
    const start = kind === TO_PARENT.acquire ? 4 : 0
    got.push([kind, new TextDecoder().decode(bytes.subarray(start))])
  }
  const worker: End = pair.left
  return { limiter: new RemoteLimiter(worker.link), worker, parent: parent.link, got }
}

describe.if(hasPairs)('a stream that asks', () => {
  test('gets the decision of its own request, in any order', async () => {
    using pair = await Pair.open()
    const { limiter, parent, got } = await limiterFor(pair)
    const requests = ['a', null, 'b'].map((network) => ({
      ...{ user: 'alice', subjects: ['news'], network, token: { issuedAtSeconds: 1_000 } },
    }))
    const answers = requests.map((request) => limiter.acquire(request))
    await until('the parent has all', () => got.length === 3)
    expect(got.map(([, json]) => JSON.parse(json))).toEqual(requests)
    expect(limiter.waiting).toBe(3)
    parent.reply(2, ADDRESS)
    parent.reply(0, ADMITTED)
    parent.reply(1, ADMITTED)
    expect(await Promise.all(answers)).toEqual([ADMITTED, ADMITTED, ADDRESS])
    expect(limiter.waiting).toBe(0)
  })

  test('is released at the parent when it ends', async () => {
    using pair = await Pair.open()
    const { limiter, got } = await limiterFor(pair)
    limiter.release('a')
    await until('the parent has it', () => got.length > 0)
    expect(got).toEqual([[TO_PARENT.release, '"a"']])
  })

  test('is refused when the parent is stuck; what it admits later is released', async () => {
    using pair = await Pair.open()
    const { limiter, worker, parent, got } = await limiterFor(pair)
    const early = [
      limiter.acquire(streamOf('a')),
      limiter.acquire(streamOf('b')),
      limiter.acquire(streamOf(null)),
    ]
    worker.clock.advance(REQUEST_MS_MAX - 1)
    const late = limiter.acquire(streamOf('c'))
    worker.link.expire()
    expect(limiter.waiting).toBe(4)
    worker.clock.advance(1)
    worker.link.expire()
    expect(limiter.waiting).toBe(1)
    for (const answer of early) expect(await answer).toMatchObject({ reason: 'busy' })
    await until('the parent has all', () => got.length === 4)
    parent.reply(0, ADMITTED)
    parent.reply(1, ADDRESS)
    parent.reply(2, ADMITTED)
    parent.reply(3, ADMITTED)
    expect(await late).toEqual(ADMITTED)
    await until('the release has come', () => got.length > 4)
    expect(got.slice(4)).toEqual([[TO_PARENT.release, '"a"']])
  })

  test('is refused when the link ends', async () => {
    using pair = await Pair.open()
    const { limiter } = await limiterFor(pair)
    const answer = limiter.acquire(streamOf('a'))
    pair.loseRight()
    expect(await answer).toMatchObject({ admitted: false, reason: 'busy' })
    expect(limiter.waiting).toBe(0)
  })
})

test('a stream is refused at once when too many requests have no reply', () => {
  const limiter = new RemoteLimiter({
    ...{ takesRequests: false, waiting: 0, json: () => undefined },
    request: () => Promise.reject(new Error('no request is to be sent')),
  })
  expect(limiter.acquire(streamOf('a'))).toMatchObject({ admitted: false, reason: 'busy' })
})
