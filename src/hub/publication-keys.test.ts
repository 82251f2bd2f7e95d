// Goal: what is published with a key goes out once in five minutes, and each answer is that of the
// first; after a restart, too. Method: a real router and log beside a list that is searched, over
// streams that answer when the test says so, on a clock that it moves.

import { describe, expect, test } from 'bun:test'
import { deepStrictEqual as same } from 'node:assert'
import fc from 'fast-check'
import { keyLimits } from '../core/history-limits.ts'
import { FakeClock } from '../core/time.fixture.ts'
import { PAYLOAD_BYTES_MAX } from '../log/entry.ts'
import { memoryLog, type RingLog } from '../log/ring-log.ts'
import type { Message } from './message.ts'
import type { Outlet } from './outlet.ts'
import { PublicationKeys } from './publication-keys.ts'
import type { DeliveryAck, Receipt } from './receipt.ts'
import { routerOptions } from './router.fixture.ts'
import { Router } from './router.ts'

/** Frames that the streams have not answered for. */
class HeldOutlet implements Outlet {
  readonly acks: DeliveryAck[] = []
  sent = 0
  /** Answers at once, as streams do of which there are none. */
  isEmpty = false

  ready(): null {
    return null
  }

  sync(): null {
    return null
  }

  deliver(_user: number, _followers: Uint32Array, _frame: unknown, ack: DeliveryAck): void {
    this.broadcast(_frame, ack)
  }

  broadcast(_frame: unknown, ack: DeliveryAck): void {
    this.sent++
    if (this.isEmpty) ack.settle(0, 0)
    else this.acks.push(ack)
  }
}

interface Opened {
  readonly clock: FakeClock
  readonly outlet: HeldOutlet
  readonly keys: PublicationKeys
  readonly router: Router
}

const FEW = { ...keyLimits, keysMax: 6, forgottenTogetherMax: 2 }

function newLog(): RingLog {
  return memoryLog({ bytes: 64 * 1_024, epoch: 7 })
}

/** A server that starts now, with what an earlier one has left in the log. */
function openedOn(log: RingLog, clock: FakeClock, limits = FEW): Opened {
  const outlet = new HeldOutlet()
  const keys = new PublicationKeys({ log, clock, limits })
  return { clock, outlet, keys, router: new Router(routerOptions(outlet, { log, keys, clock })) }
}

/** A log whose entries are as old as the clock of the test says. */
function logOn(clock: () => FakeClock): RingLog {
  const now = () => clock().nowMs()
  return memoryLog({ bytes: 256 * 1_024, epoch: 7, clock: { nowMs: now, elapsedMs: now } })
}

function message(others: Partial<Message> = {}): Message {
  return { to: 7, body: 'x', key: 'k', ...others } as Message
}

function publish({ router }: Opened, of: Message): Receipt {
  const receipt = router.receipt()
  expect(router.publish(of, receipt)).toEqual({ ok: true, value: receipt })
  return receipt
}

function told({ number, epoch, delivered, skipped, unknown, pending, restored }: Receipt) {
  return { number, epoch, delivered, skipped, unknown, pending, restored }
}

describe('the second message with a key', () => {
  test('is not sent, and gets the answer of the first', () => {
    const server = openedOn(newLog(), new FakeClock())
    const first = publish(server, message())
    server.outlet.acks[0]?.settle(3, 2, 1)
    const second = publish(server, message())
    expect(told(first)).toEqual({
      ...{ number: 1, epoch: 7, delivered: 3, skipped: 2, unknown: 1, pending: 0, restored: 0 },
    })
    expect(told(second)).toEqual(told(first))
    const { accepted, deliveries, skipped, unknown, dropped } = server.router
    expect([server.outlet.sent, accepted]).toEqual([1, 1])
    expect([deliveries, skipped, unknown, dropped]).toEqual([3, 2, 1, 0])
  })

  test('waits while the first is pending', () => {
    const server = openedOn(newLog(), new FakeClock())
    publish(server, message())
    const settled: number[] = []
    publish(server, message()).whenSettled(({ delivered }) => settled.push(delivered))
    publish(server, message()).whenSettled(({ delivered }) => settled.push(delivered))
    expect(settled).toEqual([])
    server.outlet.acks[0]?.settle(4, 0)
    expect(settled).toEqual([4, 4])
    expect([server.outlet.sent, server.router.deliveries]).toEqual([1, 4])
  })

  test('is answered at once where no stream is', () => {
    const server = openedOn(newLog(), new FakeClock())
    server.outlet.isEmpty = true
    for (let round = 0; round < 3; round++) expect(publish(server, message()).pending).toBe(0)
    expect([server.outlet.sent, server.router.dropped]).toEqual([1, 1])
  })

  test('of another input of the same server is not sent, either', () => {
    const server = openedOn(newLog(), new FakeClock())
    const { outlet, keys, clock } = server
    publish(server, message())
    outlet.acks[0]?.settle(1, 0)
    const other = new Router(routerOptions(outlet, { log: newLog(), keys, clock }))
    const receipt = publish({ ...server, router: other }, message())
    expect([receipt.delivered, outlet.sent, other.accepted, other.deliveries]).toEqual([1, 1, 0, 0])
  })

  test.each([
    ['to another user', message({ to: 8 })],
    ['about the same number', { subject: 7, body: 'x', key: 'k' }],
    ['to everyone', message({ to: '*' })],
    ['to a name', message({ to: 'alice' })],
    ['with another body', message({ body: 'y' })],
    ['with data of the same bytes', { to: 7, data: 'x', key: 'k' }],
    ['with an event', message({ event: 'e' })],
  ] as const)('%s is a conflict', (_, other) => {
    const server = openedOn(newLog(), new FakeClock())
    const first = publish(server, message())
    const receipt = server.router.receipt()
    const refused = server.router.publish(other, receipt)
    expect(refused).toMatchObject({ ok: false, why: { code: 'key_conflict' } })
    expect([receipt.pending, receipt.number, server.outlet.sent]).toEqual([0, 0, 1])
    // The number as text is the same user.
    expect(publish(server, message({ to: '7' })).number).toBe(first.number)
  })

  test('is another message without a key, or with another one', () => {
    const server = openedOn(newLog(), new FakeClock())
    publish(server, message())
    publish(server, { to: 7, body: 'x' })
    publish(server, message({ key: 'K' }))
    expect([server.outlet.sent, server.keys.size]).toEqual([3, 2])
  })

  test('is sent five minutes later, and not before', () => {
    const server = openedOn(newLog(), new FakeClock())
    publish(server, message())
    server.clock.advance(keyLimits.keptMs - 1)
    publish(server, message())
    expect(server.outlet.sent).toBe(1)
    server.clock.advance(1_000)
    publish(server, message({ body: 'y' }))
    expect([server.outlet.sent, server.keys.size]).toEqual([2, 1])
  })
})

test('one message more than keys are kept is refused, until the oldest is forgotten', () => {
  const server = openedOn(newLog(), new FakeClock())
  for (let at = 0; at < FEW.keysMax; at++) {
    publish(server, message({ key: `${at}` }))
    server.clock.advance(10_000)
  }
  const refused = server.router.publish(message({ key: 'more' }), server.router.receipt())
  expect(refused).toMatchObject({ ok: false, why: { code: 'too_many_keys' } })
  expect([server.outlet.sent, server.keys.retryAfterSeconds]).toEqual([6, 240])
  publish(server, message({ key: '0' }))
  publish(server, { to: 7, body: 'without a key' })
  server.clock.advance(240_000)
  publish(server, message({ key: 'more' }))
  expect(server.outlet.sent).toBe(8)
})

test('a message that finds no room for its name leaves its key free', () => {
  const log = newLog()
  const clock = new FakeClock()
  const keys = new PublicationKeys({ log, clock })
  const outlet = new HeldOutlet()
  let isFull = true
  const names = {
    idOf: () => 0,
    findBytes: () => 0,
    intern: () => (isFull ? null : 2 ** 31 + 1),
  }
  const router = new Router(routerOptions(outlet, { log, keys, clock, names }))
  const toName = message({ to: 'alice' })
  expect(router.publish(toName, router.receipt())).toMatchObject({
    ...{ ok: false, why: { code: 'too_many_names' } },
  })
  isFull = false
  expect(router.publish(toName, router.receipt()).ok).toBe(true)
  expect([outlet.sent, keys.size]).toEqual([1, 1])
})

describe('after a restart', () => {
  test('a key is known with its id, and it is said that the deliveries are not', () => {
    const clock = new FakeClock()
    const log = logOn(() => clock)
    const before = openedOn(log, clock)
    const names = message({ to: 'alice', event: 'e' })
    const data = { subject: 'room:42', data: '[1]', key: 'other' } as const
    for (const of of [names, data, message({ to: '*', key: 'all' })]) publish(before, of)
    before.outlet.acks[0]?.settle(5, 0)
    const after = openedOn(log, clock)
    const restored = { epoch: 7, delivered: 0, skipped: 0, unknown: 0, pending: 0, restored: 1 }
    expect(told(publish(after, names))).toEqual({ number: 1, ...restored })
    expect(told(publish(after, data))).toEqual({ number: 2, ...restored })
    expect(told(publish(after, message({ to: '*', key: 'all' })))).toEqual({
      ...{ number: 3, ...restored },
    })
    expect(after.router.publish(message({ to: 'bob' }), after.router.receipt())).toMatchObject({
      ...{ ok: false, why: { code: 'key_conflict' } },
    })
    expect([after.outlet.sent, after.router.accepted]).toEqual([0, 0])
  })

  test('a log with more keys than are kept leaves the newest', () => {
    const clock = new FakeClock()
    const log = logOn(() => clock)
    const many = openedOn(log, clock, { ...FEW, keysMax: 100 })
    for (let at = 0; at < 10; at++) publish(many, message({ key: `${at}` }))
    const { keys } = openedOn(log, clock)
    expect(keys.size).toBe(FEW.keysMax)
  })

  test('a key is kept for five minutes though the clock was set back meanwhile', () => {
    let clock = new FakeClock(400_000)
    const log = logOn(() => clock)
    publish(openedOn(log, clock), message({ key: 'first' }))
    clock = new FakeClock(100_000)
    publish(openedOn(log, clock), message({ key: 'second' }))
    clock = new FakeClock(300_000)
    const after = openedOn(log, clock)
    clock.advance(200_000)
    expect(publish(after, message({ key: 'first' })).restored).toBe(1)
    clock.advance(102_000)
    expect(publish(after, message({ key: 'second' })).restored).toBe(0)
  })

  test('the last one counts of two messages that had the same key', () => {
    const clock = new FakeClock()
    const log = logOn(() => clock)
    for (let at = 0; at < 2; at++) {
      // The clock of the log was set back meanwhile.
      const server = openedOn(memoryLog({ bytes: 1_024, epoch: 7 }), clock)
      const router = new Router(routerOptions(server.outlet, { log, keys: server.keys, clock }))
      publish({ ...server, router }, message({ body: `${at}` }))
    }
    const after = openedOn(log, clock)
    expect(publish(after, message({ body: '1' })).number).toBe(2)
  })
})

test('the longest message fits into an entry of the log', () => {
  const log = memoryLog({ bytes: 1024 * 1024 })
  const server = openedOn(log, new FakeClock())
  const longest = {
    ...{ to: 'n'.repeat(64), body: 'é'.repeat(32 * 1024) },
    ...{ event: 'e'.repeat(64), key: '~'.repeat(keyLimits.lengthMax) },
  }
  const { number } = publish(server, longest)
  const { key, event, name, bytes } = log.read(number)
  expect([key, event, name]).toEqual([longest.key, longest.event, longest.to])
  expect(bytes.length).toBe(65_536)
  const textBytes = 2 * (1 + 64) + 1 + keyLimits.lengthMax
  expect(bytes.length + textBytes).toBeLessThan(PAYLOAD_BYTES_MAX)
})

// The random model: all that was published with a key, as a list that is searched.

interface Publication {
  readonly key: string
  readonly body: string
  readonly number: number
  readonly atMs: number
  counts: readonly [delivered: number, skipped: number, unknown: number] | null
  isRestored: boolean
}

/** A request: the lines that were accepted of it. */
interface Request {
  readonly receipt: Receipt
  readonly lines: Publication[]
}

class Model {
  publications: Publication[] = []
  requests: Request[] = []
  /** Those that the streams have not answered for, in the order in which they were sent. */
  unanswered: Publication[] = []
  sent = 0
  totals = [0, 0, 0, 0]

  kept(nowMs: number): Publication[] {
    return this.publications.filter(({ atMs }) => nowMs - atMs < keyLimits.keptMs)
  }

  /** Is one of them at an age at which it may be kept or not? */
  isUncertain(nowMs: number): boolean {
    return this.publications.some(({ atMs }) => {
      const ageMs = nowMs - atMs - keyLimits.keptMs
      return ageMs >= 0 && ageMs < 4_000
    })
  }
}

interface Both {
  server: Opened
  readonly log: RingLog
  readonly model: Model
}

type Step = (both: Both) => void

const [KEYS, BODIES] = [
  ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'],
  ['x', 'x', 'x', 'y'],
] as const

function publishLine(both: Both, request: Request, key: string, body: string): void {
  const { server, model } = both
  while (model.isUncertain(server.clock.nowMs())) server.clock.advance(1_000)
  const nowMs = server.clock.nowMs()
  const kept = model.kept(nowMs)
  const known = kept.findLast((each) => each.key === key)
  const result = server.router.publish({ to: 7, body, key }, request.receipt)
  const code = result.ok ? null : result.why.code
  if (known !== undefined && known.body !== body) same(code, 'key_conflict')
  else if (known === undefined && kept.length >= FEW.keysMax) same(code, 'too_many_keys')
  else {
    same(code, null)
    const number = both.log.last
    const sent = known ?? { key, body, number, atMs: nowMs, counts: null, isRestored: false }
    if (known === undefined) {
      model.sent++
      model.publications.push(sent)
      model.unanswered.push(sent)
    }
    request.lines.push(sent)
    same(request.receipt.number, sent.number)
  }
}

const lines = fc.array(fc.tuple(fc.constantFrom(...KEYS), fc.constantFrom(...BODIES)), {
  minLength: 1,
  maxLength: 4,
})

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: lines.map(
      (many): Step =>
        (both) => {
          const request = { receipt: both.server.router.receipt(), lines: [] }
          both.model.requests.push(request)
          for (const [key, body] of many) publishLine(both, request, key, body)
        },
    ),
  },
  {
    weight: 6,
    arbitrary: fc.tuple(fc.nat(3), fc.nat(2), fc.nat(2), fc.nat(2)).map(
      ([at, delivered, skipped, unknown]): Step =>
        ({ server, model }) => {
          const [publication] = model.unanswered.splice(at, 1)
          if (publication === undefined) return
          publication.counts = [delivered, skipped, unknown]
          server.outlet.acks.splice(at, 1)[0]?.settle(delivered, skipped, unknown)
          const isDropped = delivered + skipped + unknown === 0
          const added = [delivered, skipped, unknown, isDropped ? 1 : 0]
          model.totals = model.totals.map((total, place) => total + (added[place] as number))
        },
    ),
  },
  {
    weight: 3,
    arbitrary: fc.integer({ min: 1, max: 200_000 }).map(
      (ms): Step =>
        ({ server }) => {
          server.clock.advance(ms)
        },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constant<Step>((both) => {
      const { model, log } = both
      both.server = openedOn(log, new FakeClock(both.server.clock.nowMs()))
      for (const publication of model.publications) {
        publication.counts = [0, 0, 0]
        publication.isRestored = true
      }
      Object.assign(model, { requests: [], unanswered: [], sent: 0, totals: [0, 0, 0, 0] })
    }),
  },
)

function check({ server, model }: Both): void {
  const { outlet, router } = server
  same([outlet.sent, router.accepted], [model.sent, model.sent])
  same([router.deliveries, router.skipped, router.unknown, router.dropped], model.totals)
  for (const { receipt, lines } of model.requests) {
    const answered = lines.flatMap(({ counts }) => (counts === null ? [] : [counts]))
    const sum = (place: 0 | 1 | 2) => answered.reduce((all, counts) => all + counts[place], 0)
    same(
      [receipt.delivered, receipt.skipped, receipt.unknown, receipt.pending, receipt.restored],
      [
        ...[sum(0), sum(1), sum(2), lines.length - answered.length],
        lines.filter(({ isRestored }) => isRestored).length,
      ],
    )
  }
}

test('keys equal a list that is searched, whatever happens in whatever order', () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 80, size: 'max' }), (sequence) => {
      let both: Both | null = null
      const clock = new FakeClock()
      const log = logOn(() => both?.server.clock ?? clock)
      both = { server: openedOn(log, clock), log, model: new Model() }
      for (const step of sequence) {
        step(both)
        check(both)
      }
    }),
    { numRuns: 1_000 },
  )
})
