// Goal: whatever happens to connections, each message is handed out once and in order, unless a gap
// is told; and a gap is told only if something was lost. Method: random faults under a steady flow
// of messages, by each format and by all, with a slow iterator now and then; seeds are printed.

import { expect, test } from 'bun:test'
import { until } from '../core/time.fixture.ts'
import type { CometGapItem, CometMessage, ConnectOptions } from './api.ts'
import { connect } from './comet.ts'
import { type Fault, StreamServer } from './server.fixture.ts'

const STEPS = 150

/** A generator of random numbers below 1 (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** What may happen between two bursts of messages. */
function disturb(server: StreamServer, random: () => number): void {
  const dice = random()
  if (dice < 0.15) server.cut()
  else if (dice < 0.2) server.silence()
  else if (dice < 0.25) server.end('drained')
  else if (dice < 0.3) {
    server.stop()
    server.start()
  } else if (dice < 0.32) server.evict()
}

const FAULTS: readonly Fault[] = [
  ...(['hang', 'buffer', 'silence'] as const),
  () => new Response('', { status: 503 }),
  () => new Response('', { status: 502, headers: { 'content-type': 'text/html' } }),
]

const FORMATS: readonly ConnectOptions['format'][] = ['websocket', 'sse', 'json', 'poll', undefined]

test.each(FORMATS)(
  'by %s all messages come once, or are told as a gap',
  async (format) => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    console.log(`${format ?? 'all'}: seed ${seed}`)
    const random = randomOf(seed)
    using server = new StreamServer({ heartbeatMs: 40, pollMs: 600 })
    server.fault = () => (random() < 0.25 ? (FAULTS[Math.floor(random() * 5)] ?? null) : null)
    const waits = {
      retryMs: 5,
      retryMsMax: 50,
      openMs: 100,
      heartbeatMs: format === 'poll' ? 700 : 40,
    }
    const options = { ...waits, ...(format && { format }), gaps: true, queueMax: 20 } as const
    const stream = connect(`${server.url}/stream/alice`, options)
    await until('it is open', () => stream.state === 'open')

    const published: string[] = []
    const items: (CometMessage | CometGapItem)[] = []
    const reading = (async () => {
      for await (const item of stream) {
        items.push(item)
        if (random() < 0.1) await Bun.sleep(random() * 10)
        if ('body' in item && item.body === 'last') return
      }
    })()
    for (let step = 0; step < STEPS; step++) {
      const burst = Math.floor(random() * 6)
      for (let count = 0; count < burst; count++) {
        published.push(server.publish({ to: 'alice', body: `${published.length}` }))
      }
      disturb(server, random)
      await Bun.sleep(random() * 25)
    }
    server.fault = () => null
    // Again, should the first ones be in a gap.
    const lasts = setInterval(() => {
      published.push(server.publish({ to: 'alice', body: 'last' }))
    }, 50)
    await reading
    clearInterval(lasts)

    let at = 0
    let gaps = 0
    for (const item of items) {
      if ('gap' in item) {
        // A gap leaves out something, and nothing that is not said.
        const resumed = published.findIndex((id) => id > item.gap.resume)
        expect(resumed < 0 || resumed > at).toBe(true)
        at = resumed < 0 ? published.length : resumed
        gaps++
      } else {
        expect(item.id).toBe(published[at] ?? 'none')
        at++
      }
    }
    expect(items.at(-1)).toMatchObject({ id: published[at - 1], body: 'last' })
    console.log(
      `${items.length - gaps} of ${at} messages, ${gaps} gaps, ${server.asked.length} requests`,
    )
  },
  30_000,
)
