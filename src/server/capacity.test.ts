// Goal: streams get what the open files allow, and no more. Method: a table of limits and wishes.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { capacityOf } from './capacity.ts'

describe('capacityOf', () => {
  test.each([
    ['a common limit', 1_024, null, 960, 'open files'],
    ['a limit whose twentieth is the reserve', 10_000, null, 9_500, '500 in reserve'],
    ['a high limit', 1_048_576, null, 1_047_552, '1,024 in reserve'],
    ['no more than was asked for', 10_000, 100, 100, '--max-streams says'],
    ['all that was asked for', 10_000, 9_500, 9_500, '--max-streams says'],
    ['less than was asked for', 10_000, 9_501, 9_500, 'asks for 9,501, but'],
    ['nothing, where all is reserve', 64, null, 0, '64 in reserve'],
    ['nothing, where not even the reserve is to be had', 10, null, 0, 'open files'],
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
        expect(pauseAtFiles + capacity.heldFiles).toBeLessThan(limit)
      }),
    )
  })
})
