// Goal: streams get what the open files allow, and no more; and there are
// as many workers as they need. Method: tables of limits and wishes, and properties.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { capacityOf, workersFor } from './capacity.ts'
import { workerLimits } from './limits.ts'

describe('capacityOf', () => {
  test.each([
    ['a common limit', 1_024, null, 960, 'open files'],
    ['a limit whose twentieth is the reserve', 10_000, null, 9_500, '500 in reserve'],
    ['a high limit', 1_048_576, null, 1_047_552, '1,024 in reserve'],
    ['no more than was asked for', 10_000, 100, 100, '--max-streams says'],
    ['all that was asked for', 10_000, 9_500, 9_500, '--max-streams says'],
    ['less than was asked for', 10_000, 9_501, 9_500, 'asks for 9,501, but'],
    ['nothing, where all is reserve', 64, null, 0, '64 in reserve'],
    ['nothing, where not even the reserve is available', 10, null, 0, 'open files'],
    ['a limit that is none', Number.MAX_SAFE_INTEGER, 5, 5, '--max-streams says'],
  ])('allows %s', (_, limit, wanted, streamsMax, why) => {
    const capacity = capacityOf(limit, wanted)
    expect(capacity.streamsMax).toBe(streamsMax)
    expect(capacity.why).toContain(why)
  })

  test('refuses, pauses and resumes at eighths of the reserve', () => {
    expect(capacityOf(1_048_576, null)).toMatchObject({
      refuseAtFiles: 1_047_552 + 3 * 128,
      pauseAtFiles: 1_047_552 + 4 * 128,
      resumeAtFiles: 1_047_552 + 3 * 128,
      pauseControlAtFiles: 1_047_552 + 6 * 128,
      resumeControlAtFiles: 1_047_552 + 5 * 128,
    })
  })

  test('refuses before it pauses, pauses before files run out, and resumes in between', () => {
    const wishes = fc.option(fc.integer({ min: 1, max: 2_000_000 }))
    fc.assert(
      fc.property(fc.integer({ min: 65, max: 2_000_000 }), wishes, (limit, wanted) => {
        const capacity = capacityOf(limit, wanted)
        const { resumeAtFiles, pauseAtFiles, resumeControlAtFiles, pauseControlAtFiles } = capacity
        const order = [capacity.streamsMax, capacity.refuseAtFiles, resumeAtFiles, pauseAtFiles]
        // The control port is the last to close and the first to open.
        order.push(resumeControlAtFiles, pauseControlAtFiles, limit - 1)
        expect(order).toEqual(order.toSorted((a, b) => a - b))
        expect(resumeAtFiles).toBeLessThan(pauseAtFiles)
        expect(resumeControlAtFiles).toBeLessThan(pauseControlAtFiles)
        expect(pauseAtFiles + capacity.reservedFiles).toBeLessThan(limit)
      }),
    )
  })
})

describe('workersFor', () => {
  const { spreadDeviations } = workerLimits
  const connections = fc.integer({ min: 1, max: 5_000_000 })
  const rooms = fc.integer({ min: 1, max: 1_000_000 })

  /** How many connections a worker may get at most, unless chance is very odd. */
  function most(connections: number, workers: number): number {
    const share = connections / workers
    return share + spreadDeviations * Math.sqrt(share)
  }

  test.each([
    ['one, which gets all of them', 19_000, 19_000, 1],
    ['one for one', 1, 1, 1],
    ['two, as soon as it is one more', 19_001, 19_000, 2],
    ['more than the even share, which would leave no room', 1_000_000, 19_000, 55],
    ['more, where the even share is small', 1_000, 100, 17],
    ['many, where there is hardly room', 1_000_000, 30, 80_672],
    ['many, where one is too few by far', 5_000_000_000, 1_000_000, 5_026],
    ['infinitely many, where there is no room at all', 1, 0, Infinity],
  ])('answers %s', (_, connections, perWorker, workers) => {
    expect(workersFor(connections, perWorker)).toBe(workers)
  })

  test('leaves room for chance, and takes no more workers than that needs', () => {
    fc.assert(
      fc.property(connections, rooms, (connections, perWorker) => {
        const workers = workersFor(connections, perWorker)
        expect(workers).toBeGreaterThanOrEqual(1)
        if (workers === 1) expect(connections).toBeLessThanOrEqual(perWorker)
        else expect(most(connections, workers)).toBeLessThanOrEqual(perWorker)
        if (workers > 2) expect(most(connections, workers - 1)).toBeGreaterThan(perWorker)
      }),
    )
  })

  test('takes no fewer workers for more connections, and no more for more room', () => {
    fc.assert(
      fc.property(connections, connections, rooms, rooms, (one, other, room, more) => {
        const workers = workersFor(one, room)
        expect(workersFor(Math.max(one, other), room)).toBeGreaterThanOrEqual(workers)
        expect(workersFor(one, Math.max(room, more))).toBeLessThanOrEqual(workers)
      }),
    )
  })
})
