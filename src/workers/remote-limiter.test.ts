// Goal: every stream that asks gets one answer, the parent's or, when that is away, a refusal; and what
// counts at the parent without a stream is given back. Method: the parent is played by hand.

import { describe, expect, test } from 'bun:test'
import { workerLimits } from '../core/limits.ts'
import { FakeClock } from '../core/time.fixture.ts'
import type { LimiterDecision } from '../hub/limiter.ts'
import { TO_PARENT, TO_WORKER } from './protocol.ts'
import { RemoteLimiter } from './remote-limiter.ts'

const ADMITTED: LimiterDecision = { admitted: true }
const ADDRESS: LimiterDecision = { admitted: false, reason: 'address', retryAfterSeconds: 5 }

function doorFor() {
  const clock = new FakeClock()
  const said: [kind: number, value: unknown, ...numbers: number[]][] = []
  const limiter = new RemoteLimiter(
    { json: (kind, value, ...numbers) => said.push([kind, value, ...numbers]) },
    clock,
  )
  /** The parent's word on the request of that number. */
  const decide = (request: number, verdict: LimiterDecision) => {
    const bytes = Buffer.concat([Buffer.alloc(4), Buffer.from(JSON.stringify(verdict))])
    bytes.writeUInt32LE(request)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    limiter.onVerdict({ kind: TO_WORKER.verdict, bytes, view })
  }
  return { clock, said, limiter, decide }
}

describe('a stream that asks', () => {
  test('gets the answer of its own request, in whatever order they come', async () => {
    const { limiter, said, decide } = doorFor()
    const answers = [limiter.ask('a'), limiter.ask(null), limiter.ask('b')]
    expect(said).toEqual([
      [TO_PARENT.knock, 'a', 0],
      [TO_PARENT.knock, null, 1],
      [TO_PARENT.knock, 'b', 2],
    ])
    expect(limiter.waiting).toBe(3)
    decide(2, ADDRESS)
    decide(0, ADMITTED)
    decide(1, ADMITTED)
    expect(await Promise.all(answers)).toEqual([ADMITTED, ADMITTED, ADDRESS])
    limiter.look()
    expect(limiter.waiting).toBe(0)
  })

  test('is told of when it is over', () => {
    const { limiter, said } = doorFor()
    limiter.left('a')
    expect(said).toEqual([[TO_PARENT.parted, 'a']])
  })

  test('is refused when the parent is away for too long; what it allows later is given back', async () => {
    const { limiter, said, decide, clock } = doorFor()
    const early = [limiter.ask('a'), limiter.ask('b'), limiter.ask(null)]
    clock.advance(workerLimits.knockMsMax - 1)
    const late = limiter.ask('c')
    limiter.look()
    expect(limiter.waiting).toBe(4)
    clock.advance(1)
    limiter.look()
    expect(limiter.waiting).toBe(1)
    for (const answer of early) expect(await answer).toMatchObject({ reason: 'busy' })
    said.length = 0
    decide(0, ADMITTED)
    decide(1, ADDRESS)
    decide(2, ADMITTED)
    expect(said).toEqual([[TO_PARENT.parted, 'a']])
    decide(3, ADMITTED)
    expect(await late).toEqual(ADMITTED)
    expect(said).toHaveLength(1)
    limiter.look()
  })

  test('is refused at once when very many wait', async () => {
    const { limiter, decide } = doorFor()
    for (let at = 0; at < workerLimits.knocksMax; at++) limiter.ask(null)
    expect(limiter.ask('a')).toMatchObject({ admitted: false, reason: 'busy' })
    decide(0, ADMITTED)
    expect(limiter.ask('a')).toBeInstanceOf(Promise)
    for (let at = 1; at <= workerLimits.knocksMax; at++) decide(at, ADMITTED)
    limiter.look()
  })

  test('that nobody made is a bug', () => {
    const { decide } = doorFor()
    expect(() => decide(7, ADMITTED)).toThrow('which nobody asked')
  })
})
