// Goal: frames cross at once while there is little to do, together while the worker is busy or very
// many are on their way, and none is left behind. Method: batches whose link counts its flushes, on
// a clock that the test moves.

import { describe, expect, test } from 'bun:test'
import { workerLimits } from '../core/limits.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import { Batch, Gathering } from './gather.ts'
import { RecordWriter } from './records.ts'

const { gatherFromPerMs, gatherMeasuredMs, gatherMsEach, gatherMsMax } = workerLimits

/**
 * A rate at which frames wait, and milliseconds that are enough then, while half of them are not.
 */
const MANY = gatherFromPerMs * 2
const gatherMs = MANY * gatherMsEach * 1.6

class CountedBatch extends Batch {
  unacked = 0
}

function batchWithLink() {
  const batch = new CountedBatch()
  const counts = { flushes: 0 }
  batch.link = { out: new RecordWriter(), flushSoon: () => counts.flushes++ }
  return { batch, counts }
}

/** A gathering that has just counted as many frames a millisecond, for a worker of no interest. */
function gatheringAt(perMs: number, sharesCores: boolean) {
  const clock = new FakeClock()
  const gathering = new Gathering(clock, sharesCores)
  const { batch: other } = batchWithLink()
  const frames = Math.ceil(perMs * gatherMeasuredMs)
  for (let frame = 0; frame < frames; frame++) write(gathering, other)
  clock.advance(gatherMeasuredMs)
  return { gathering, clock }
}

function write(gathering: Gathering, batch: CountedBatch): void {
  batch.unacked++
  gathering.written(batch)
}

/** @param left frames that it has not answered for */
function answer(gathering: Gathering, batch: CountedBatch, left: number): void {
  batch.unacked = left
  gathering.answered(batch)
}

describe('with little to do', () => {
  test('a frame crosses at once', () => {
    const { gathering } = gatheringAt(gatherFromPerMs / 2, true)
    const { batch, counts } = batchWithLink()
    write(gathering, batch)
    expect(counts.flushes).toBe(1)
  })

  test('frames for a busy worker wait for its answer, and cross together', () => {
    const { gathering } = gatheringAt(0, true)
    const { batch, counts } = batchWithLink()
    write(gathering, batch)
    write(gathering, batch)
    write(gathering, batch)
    expect(counts.flushes).toBe(1)
    answer(gathering, batch, 1)
    expect(counts.flushes).toBe(2)
    answer(gathering, batch, 0)
    write(gathering, batch)
    expect(counts.flushes).toBe(3)
  })

  test('one worker does not wait for another', () => {
    const { gathering } = gatheringAt(0, true)
    const [one, other] = [batchWithLink(), batchWithLink()]
    write(gathering, one.batch)
    write(gathering, other.batch)
    expect([one.counts.flushes, other.counts.flushes]).toEqual([1, 1])
  })
})

describe('with much to do', () => {
  test('the first frame crosses at once, others wait for each other and cross together', async () => {
    const { gathering, clock } = gatheringAt(MANY, true)
    const [one, other] = [batchWithLink(), batchWithLink()]
    for (const { batch } of [one, other]) {
      write(gathering, batch)
      answer(gathering, batch, 0)
    }
    expect([one.counts.flushes, other.counts.flushes]).toEqual([1, 1])
    clock.advance(gatherMs / 2)
    write(gathering, one.batch)
    write(gathering, one.batch)
    write(gathering, other.batch)
    expect([one.counts.flushes, other.counts.flushes]).toEqual([1, 1])
    clock.advance(gatherMs / 2)
    await until('frames cross', () => one.counts.flushes > 1)
    expect([one.counts.flushes, other.counts.flushes]).toEqual([2, 2])
    expect([one.batch.isBusy, one.batch.isWaiting]).toEqual([true, false])
  })

  test('a worker does not wait for one that is due later', async () => {
    const { gathering, clock } = gatheringAt(MANY, true)
    const [early, late] = [batchWithLink(), batchWithLink()]
    write(gathering, early.batch)
    clock.advance(gatherMs / 2)
    write(gathering, late.batch)
    answer(gathering, late.batch, 1)
    answer(gathering, early.batch, 1)
    expect([early.batch.isWaiting, late.batch.isWaiting]).toEqual([true, true])
    clock.advance(gatherMs / 2)
    await until('the one that is due is sent to', () => early.counts.flushes > 1)
    expect([late.counts.flushes, late.batch.isWaiting]).toEqual([1, true])
    clock.advance(gatherMs / 2)
    await until('the other one is sent to', () => late.counts.flushes > 1)
  })

  test('the more there are, the longer they wait, up to a bound', () => {
    const { gathering, clock } = gatheringAt((gatherMsMax / gatherMsEach) * 10, true)
    const { batch } = batchWithLink()
    write(gathering, batch)
    clock.advance(gatherMsMax - 1)
    answer(gathering, batch, 1)
    expect(batch.isWaiting).toBe(true)
    const { batch: other } = batchWithLink()
    write(gathering, other)
    clock.advance(gatherMsMax)
    answer(gathering, other, 1)
    expect(other.isWaiting).toBe(false)
  })

  test('a worker whose answer took long gets what waits at once', () => {
    const { gathering, clock } = gatheringAt(MANY, true)
    const { batch, counts } = batchWithLink()
    write(gathering, batch)
    write(gathering, batch)
    clock.advance(gatherMs)
    answer(gathering, batch, 1)
    expect(counts.flushes).toBe(2)
  })

  test('a worker that answers for frames while they wait gets the next ones', async () => {
    const { gathering, clock } = gatheringAt(MANY, true)
    const [one, other] = [batchWithLink(), batchWithLink()]
    for (const { batch } of [one, other]) {
      write(gathering, batch)
      answer(gathering, batch, 0)
      write(gathering, batch)
    }
    expect([one.batch.isWaiting, other.batch.isWaiting]).toEqual([true, true])
    // Its frame has crossed with something else, as a request.
    answer(gathering, one.batch, 0)
    clock.advance(gatherMs)
    await until('frames cross', () => other.counts.flushes > 1)
    expect([one.batch.isBusy, one.batch.isWaiting]).toEqual([false, false])
    const { flushes } = one.counts
    write(gathering, one.batch)
    expect(one.counts.flushes).toBe(flushes + 1)
  })

  test('they do not where each worker has a core', () => {
    const { gathering } = gatheringAt(MANY, false)
    const { batch, counts } = batchWithLink()
    write(gathering, batch)
    expect(counts.flushes).toBe(1)
  })

  test('a worker that ends while frames wait leaves nothing to go wrong', async () => {
    const { gathering, clock } = gatheringAt(MANY, true)
    const [gone, other] = [batchWithLink(), batchWithLink()]
    for (const { batch } of [gone, other]) {
      write(gathering, batch)
      answer(gathering, batch, 1)
    }
    gone.batch.link = null
    clock.advance(gatherMs)
    await until('frames cross', () => other.counts.flushes > 1)
    expect(gone.counts.flushes).toBe(1)
  })
})
