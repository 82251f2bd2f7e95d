// Goal: the table finds the last row of a key that is not forgotten, whatever the places are.
// Method: random additions and removals beside a list, from places just before they start over.

import { expect, test } from 'bun:test'
import { deepStrictEqual as same } from 'node:assert'
import fc from 'fast-check'
import { type Fingerprint, KeyTable } from './key-table.ts'

/** Of few keys, some of which have the first word in common, and one whose first word is 0. */
function fingerprintOf(key: number, content = 0): Fingerprint {
  return Uint32Array.of(key % 3, key, 0, 0, content, 7)
}

interface Row {
  readonly key: number
  readonly until: number
  readonly number: number
  readonly era: number
  readonly isRestored: boolean
  delivered: number
}

const steps = fc.array(
  fc.oneof(
    { weight: 60, arbitrary: fc.record({ add: fc.nat(11), later: fc.nat(2) }) },
    { weight: 15, arbitrary: fc.constant('remove' as const) },
    { weight: 10, arbitrary: fc.record({ settle: fc.nat(200) }) },
    { weight: 1, arbitrary: fc.constant('clear' as const) },
  ),
  { maxLength: 400, size: 'max' },
)

test('the table equals a list after every step', () => {
  fc.assert(
    fc.property(steps, fc.nat(200), (sequence, before) => {
      const first = 2 ** 32 - before
      const table = new KeyTable(first % 2 ** 32)
      const rows: Row[] = []
      let [removed, until, number] = [0, 1, 2 ** 48 - 1_000]
      const placeOf = (at: number) => (first + removed + at) % 2 ** 32
      for (const step of sequence) {
        if (step === 'remove') {
          if (rows.length === 0) continue
          same(table.removeOldest(), placeOf(0))
          rows.shift()
          removed++
        } else if (step === 'clear') {
          table.clear()
          removed += rows.length
          rows.length = 0
        } else if ('settle' in step) {
          const row = rows[step.settle]
          if (row === undefined) continue
          row.delivered = 2 ** 32 - 1
          table.settle(placeOf(step.settle), { delivered: 2 ** 32 - 1, skipped: 2, unknown: 3 })
        } else {
          until += step.later
          const isRestored = step.add % 2 === 0
          const era = step.add
          const row = { key: step.add, until, number: number++, era, isRestored, delivered: 0 }
          const answer = { ...row, skipped: 2, unknown: 3 }
          same(table.add(fingerprintOf(step.add), until, answer), placeOf(rows.length))
          rows.push(row)
        }
        same(
          [table.size, table.oldestUntil, table.lastUntil],
          [rows.length, rows[0]?.until ?? 0, rows.at(-1)?.until ?? 0],
        )
        for (let key = 0; key < 12; key++) {
          const second = until - 2
          const at = rows.findLastIndex((row) => row.key === key && row.until > second)
          const place = table.find(fingerprintOf(key), second)
          same(place, at < 0 ? -1 : placeOf(at))
          if (at < 0) continue
          const { number, era, delivered, isRestored } = rows[at] as Row
          const counts = { delivered, skipped: 2, unknown: 3 }
          same(table.answerOf(place), { number, era, ...counts, isRestored })
          same(table.hasContent(place, fingerprintOf(key)), true)
          same(table.hasContent(place, fingerprintOf(key, 1)), false)
        }
      }
    }),
    { numRuns: 300 },
  )
})

test('a million keys take 64 bytes each, and none once they are forgotten', () => {
  const table = new KeyTable()
  const idle = table.byteLength
  const answer = { number: 1, era: 0, delivered: 1, skipped: 0, unknown: 0, isRestored: false }
  for (let key = 0; key < 2 ** 20; key++) {
    table.add(Uint32Array.of(Math.imul(key, 0x9e3779b1), key, 0, 0, 0, 0), 1, answer)
  }
  expect(table.byteLength).toBe(64 * 2 ** 20)
  table.clear()
  expect([table.byteLength, idle]).toEqual([4 * 1_024, 4 * 1_024])
})
