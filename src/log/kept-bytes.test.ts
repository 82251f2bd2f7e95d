// Goal: the figures of what the log keeps are so, also where its ring has begun again from its
// start. Method: messages of random lengths in a small ring.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { FakeClock } from '../core/time.fixture.ts'
import { memoryLog } from './ring-log.ts'

const BYTES = 1_024
/** Of an entry besides its body, and what rounds it up; of the entry for which there is no room at
 * the end of the ring. */
const EACH_BYTES_MAX = 24
const BODY_BYTES_MAX = 300

test('the log knows the bytes that its entries take', () => {
  const lengths = fc.array(fc.integer({ min: 1, max: BODY_BYTES_MAX }), { maxLength: 40 })
  fc.assert(
    fc.property(lengths, (bodies) => {
      const clock = new FakeClock()
      const log = memoryLog({ bytes: BYTES, clock })
      expect([log.keptBytes, log.keptBytesMax]).toEqual([0, BYTES])
      for (const length of bodies) {
        log.append({
          ...{ bytes: new Uint8Array(length), isAbout: true, target: 7 },
          ...{ event: null, isJson: false, name: null, key: null },
        })
        const kept = bodies.slice(log.oldest - 1, log.last)
        const bodyBytes = kept.reduce((sum, each) => sum + each, 0)
        const mostBytes = bodyBytes + kept.length * EACH_BYTES_MAX + BODY_BYTES_MAX + EACH_BYTES_MAX
        expect(log.keptBytes).toBeWithin(bodyBytes, Math.min(BYTES, mostBytes) + 1)
      }
    }),
  )
})
