// Goal: every stream that asks gets one answer, the parent's or, when that is away, a refusal; and what
// counts at the parent without a stream is given back. Method: the parent is played by hand.

import { describe, expect, test } from 'bun:test'
import { workerLimits } from '../core/limits.ts'
import { FakeClock } from '../core/time.fixture.ts'
import type { Verdict } from '../hub/limiter.ts'
import { TO_PARENT, TO_WORKER } from './protocol.ts'
import { WorkerDoor } from './remote-limiter.ts'

const ADMITTED: Verdict = { admitted: true }
const ADDRESS: Verdict = { admitted: false, reason: 'address', retryAfterSeconds: 5 }

function doorFor() {
  const clock = new FakeClock()
  const said: [kind: number, value: unknown, ...numbers: number[]][] = []
  const door = new WorkerDoor(
    { json: (kind, value, ...numbers) => said.push([kind, value, ...numbers]) },
    clock,
  )
  /** The parent's word on the request of that number. */
  const decide = (request: number, verdict: Verdict) => {
    const bytes = Buffer.concat([Buffer.alloc(4), Buffer.from(JSON.stringify(verdict))])
    bytes.writeUInt32LE(request)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    door.onVerdict({ kind: TO_WORKER.verdict, bytes, view })
  }
  return { clock, said, door, decide }
}

describe('a stream that asks', () => {
  test('gets the answer of its own request, in whatever order they come', async () => {
    const { door, said, decide } = doorFor()
    const answers = [door.ask('a'), door.ask(null), door.ask('b')]
    expect(said).toEqual([
      [TO_PARENT.knock, 'a', 0],
      [TO_PARENT.knock, null, 1],
      [TO_PARENT.knock, 'b', 2],
    ])
    expect(door.waiting).toBe(3)
    decide(2, ADDRESS)
    decide(0, ADMITTED)
    decide(1, ADMITTED)
    expect(await Promise.all(answers)).toEqual([ADMITTED, ADMITTED, ADDRESS])
    door.look()
    expect(door.waiting).toBe(0)
  })

  test('is told of when it is over', () => {
    const { door, said } = doorFor()
    door.left('a')
    expect(said).toEqual([[TO_PARENT.parted, 'a']])
  })

  test('is refused when the parent is away for too long; what it allows later is given back', async () => {
    const { door, said, decide, clock } = doorFor()
    const early = [door.ask('a'), door.ask('b'), door.ask(null)]
    clock.advance(workerLimits.knockMsMax - 1)
    const late = door.ask('c')
    door.look()
    expect(door.waiting).toBe(4)
    clock.advance(1)
    door.look()
    expect(door.waiting).toBe(1)
    for (const answer of early) expect(await answer).toMatchObject({ reason: 'busy' })
    said.length = 0
    decide(0, ADMITTED)
    decide(1, ADDRESS)
    decide(2, ADMITTED)
    expect(said).toEqual([[TO_PARENT.parted, 'a']])
    decide(3, ADMITTED)
    expect(await late).toEqual(ADMITTED)
    expect(said).toHaveLength(1)
    door.look()
  })

  test('is refused at once when very many wait', async () => {
    const { door, decide } = doorFor()
    for (let at = 0; at < workerLimits.knocksMax; at++) door.ask(null)
    expect(door.ask('a')).toMatchObject({ admitted: false, reason: 'busy' })
    decide(0, ADMITTED)
    expect(door.ask('a')).toBeInstanceOf(Promise)
    for (let at = 1; at <= workerLimits.knocksMax; at++) decide(at, ADMITTED)
    door.look()
  })

  test('that nobody made is a bug', () => {
    const { decide } = doorFor()
    expect(() => decide(7, ADMITTED)).toThrow('which nobody asked')
  })
})
