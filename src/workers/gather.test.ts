// Goal: frames cross at once while there is little to do, together while the worker is busy or very
// many are on their way, and none is left behind. Method: batches whose link counts its flushes, on
// a clock that the test moves.

import { describe, expect, test } from 'bun:test'
import { workerLimits } from '../core/limits.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import { Batch, Gathering } from './gather.ts'
import { RecordWriter } from './records.ts'

const { gatherFromPerSecond, gatherCountedMs } = workerLimits

function batchWithLink() {
  const batch = new Batch()
  const counts = { flushes: 0 }
  batch.link = { out: new RecordWriter(), flushSoon: () => counts.flushes++ }
  return { batch, counts }
}

/** A gathering that has just counted as many frames a second, for a worker of no interest. */
function gatheringAt(perSecond: number, sharesCores: boolean) {
  const clock = new FakeClock()
  const gathering = new Gathering(clock, sharesCores)
  const { batch: other } = batchWithLink()
  const frames = Math.ceil((perSecond * gatherCountedMs) / 1000)
  for (let frame = 0; frame < frames; frame++) gathering.written(other)
  clock.advance(gatherCountedMs)
  return gathering
}

describe('with little to do', () => {
  test('a frame crosses at once', () => {
    const gathering = gatheringAt(gatherFromPerSecond / 2, true)
    const { batch, counts } = batchWithLink()
    gathering.written(batch)
    expect(counts.flushes).toBe(1)
  })

  test('frames for a busy worker wait for its answer, and cross together', () => {
    const gathering = gatheringAt(0, true)
    const { batch, counts } = batchWithLink()
    gathering.written(batch)
    gathering.written(batch)
    gathering.written(batch)
    expect(counts.flushes).toBe(1)
    gathering.answered(batch, true)
    expect(counts.flushes).toBe(2)
    gathering.answered(batch, false)
    gathering.written(batch)
    expect(counts.flushes).toBe(3)
  })

  test('one worker does not wait for another', () => {
    const gathering = gatheringAt(0, true)
    const [one, other] = [batchWithLink(), batchWithLink()]
    gathering.written(one.batch)
    gathering.written(other.batch)
    expect([one.counts.flushes, other.counts.flushes]).toEqual([1, 1])
  })
})

describe('with much to do', () => {
  test('frames wait for each other, and cross by themselves', async () => {
    const gathering = gatheringAt(gatherFromPerSecond * 2, true)
    const [one, other] = [batchWithLink(), batchWithLink()]
    gathering.written(one.batch)
    gathering.written(one.batch)
    gathering.written(other.batch)
    expect([one.counts.flushes, other.counts.flushes]).toEqual([0, 0])
    await until('frames cross', () => one.counts.flushes > 0)
    expect([one.counts.flushes, other.counts.flushes]).toEqual([1, 1])
    expect([one.batch.isBusy, one.batch.isWaiting]).toEqual([true, false])
  })

  test('they do not where each worker has a core', () => {
    const gathering = gatheringAt(gatherFromPerSecond * 2, false)
    const { batch, counts } = batchWithLink()
    gathering.written(batch)
    expect(counts.flushes).toBe(1)
  })

  test('a worker that ends while frames wait leaves nothing to go wrong', async () => {
    const gathering = gatheringAt(gatherFromPerSecond * 2, true)
    const [gone, other] = [batchWithLink(), batchWithLink()]
    gathering.written(gone.batch)
    gathering.written(other.batch)
    gone.batch.link = null
    await until('frames cross', () => other.counts.flushes > 0)
    expect(gone.counts.flushes).toBe(0)
  })
})
