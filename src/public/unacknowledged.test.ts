// Goal: the bytes of those connections are counted that a cut closed; a cut whose connection was
// not found is counted as such, and looking for them takes a bounded part of the time. Method: send
// queues and a clock that a test sets; a connection is closed in a microtask, as Bun does it.

import { describe, expect, test } from 'bun:test'
import { cutLimits } from '../core/limits.ts'
import { FakeClock } from '../core/time.fixture.ts'
import { Unacknowledged } from './unacknowledged.ts'

/** What a look at all descriptors takes. */
const LOOK_MS = 3

class Machine {
  readonly clock = new FakeClock()
  /** Connections that are full, by descriptor. */
  readonly full = new Map<number, number>()
  /** Sockets that are open. */
  readonly open = new Set<number>()
  looks = 0
  /** Where the last look ended. */
  end = 0
  lastDescriptor = 1_000
  readonly lost = new Unacknowledged({
    clock: this.clock,
    lastDescriptor: () => this.lastDescriptor,
    queues: {
      bytes: (descriptor) => (this.open.has(descriptor) ? (this.full.get(descriptor) ?? 0) : null),
      full: (end) => {
        this.looks++
        this.end = end
        this.clock.advance(LOOK_MS)
        return new Map(this.full)
      },
    },
  })

  constructor(connections: Readonly<Record<number, number>>) {
    for (const [descriptor, bytes] of Object.entries(connections)) {
      this.open.add(Number(descriptor))
      if (bytes > 0) this.full.set(Number(descriptor), bytes)
    }
  }

  /** As the store ends a stream: it tells, and then has Bun close it. */
  cut(descriptor: number): void {
    this.lost.beforeCut()
    queueMicrotask(() => {
      this.open.delete(descriptor)
      this.full.delete(descriptor)
    })
  }

  get counted(): readonly [bytes: number, unmeasured: number] {
    return [this.lost.bytes, this.lost.unmeasured]
  }
}

/** All microtasks are done. */
async function turnIsOver(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0))
}

describe('what is not acknowledged', () => {
  test('is that of the stream that was cut, not of the others that are full', async () => {
    const machine = new Machine({ 7: 100, 8: 20, 9: 0 })
    machine.cut(8)
    await turnIsOver()
    expect(machine.counted).toEqual([20, 0])
  })

  test('is found by one look for all that are cut in one turn', async () => {
    const machine = new Machine({ 7: 100, 8: 20, 9: 3 })
    for (const descriptor of [7, 8]) machine.cut(descriptor)
    await turnIsOver()
    expect([machine.counted, machine.looks]).toEqual([[120, 0], 1])
  })

  test('is found for a cut that another microtask of the turn makes', async () => {
    const machine = new Machine({ 7: 100, 8: 20 })
    machine.cut(7)
    queueMicrotask(() => queueMicrotask(() => machine.cut(8)))
    await turnIsOver()
    expect([machine.counted, machine.looks]).toEqual([[120, 0], 1])
  })

  test('is not known of a stream whose connection was not full', async () => {
    const machine = new Machine({ 7: 100, 9: 0 })
    machine.cut(9)
    await turnIsOver()
    expect(machine.counted).toEqual([0, 1])
  })

  test('is looked for at those that were full when a look at all was not long ago', async () => {
    const machine = new Machine({ 7: 100, 8: 20, 9: 0 })
    machine.cut(7)
    await turnIsOver()
    machine.full.set(8, 30).set(9, 5)
    machine.cut(8)
    await turnIsOver()
    expect([machine.counted, machine.looks]).toEqual([[130, 0], 1])
    machine.cut(9)
    await turnIsOver()
    expect([machine.counted, machine.looks]).toEqual([[130, 1], 1])
  })

  test('is looked for at all again after twenty times as long as that took', async () => {
    const machine = new Machine({ 7: 100, 8: 20, 9: 3 })
    machine.cut(7)
    await turnIsOver()
    machine.clock.advance(LOOK_MS * cutLimits.restRatio - 1)
    machine.cut(8)
    await turnIsOver()
    machine.clock.advance(1)
    machine.cut(9)
    await turnIsOver()
    expect([machine.counted, machine.looks]).toEqual([[123, 0], 2])
  })

  test.each([
    [1_000, 1_001],
    [1_000_000, cutLimits.descriptorsMax],
  ])('is looked for up to descriptor %i, if there is time for so many', async (last, end) => {
    const machine = new Machine({ 7: 100 })
    machine.lastDescriptor = last
    machine.cut(7)
    await turnIsOver()
    expect([machine.counted, machine.end]).toEqual([[100, 0], end])
  })

  test('is not known where the kernel cannot be asked', async () => {
    const { clock } = new Machine({})
    const lost = new Unacknowledged({ queues: null, lastDescriptor: () => 9, clock })
    lost.beforeCut()
    await turnIsOver()
    expect([lost.bytes, lost.unmeasured]).toEqual([0, 1])
  })
})
