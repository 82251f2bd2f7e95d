// Goal: what one node sends is what the other reads, and what no node has sent does no harm.
// Method: random items there and back, and random damage to their text.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type InboxItem, itemsText, parseInbox } from './inbox-entry.ts'

const FROM = 'a'.repeat(16)
const count = fc.nat({ max: 2 ** 31 })

const item: fc.Arbitrary<InboxItem> = fc.oneof(
  fc.record({
    type: fc.constant('ask' as const),
    id: count,
    kind: fc.string(),
    body: fc.string({ unit: 'grapheme' }),
  }),
  fc.record({ type: fc.constant('answer' as const), id: count, body: fc.option(fc.string()) }),
  fc.record({
    type: fc.constant('report' as const),
    report: fc.record({
      cursor: fc.record({ epoch: fc.nat({ max: 2 }), number: count }),
      delivered: count,
      skipped: count,
      unknown: count,
    }),
  }),
)

function read(text: unknown, fields: readonly unknown[] = ['f', FROM, 'm', text]) {
  return parseInbox({ inbox: [['5-1', fields]] }, 'inbox')
}

function sorted(items: readonly InboxItem[]): string[] {
  return items.map((one) => JSON.stringify(one, Object.keys(one).sort())).toSorted()
}

describe('an entry of an inbox', () => {
  test('is read as it was sent', () => {
    fc.assert(
      fc.property(fc.array(item), (items) => {
        const batch = read(itemsText(items))
        expect(batch?.last).toBe('5-1')
        expect(sorted(batch?.entries[0]?.items ?? [])).toEqual(sorted(items))
      }),
    )
  })

  test('has reports of one epoch together, which people can read', () => {
    const counts = { delivered: 1, skipped: 2, unknown: 3 }
    const items = [7, 8].map((number): InboxItem => {
      return { type: 'report', report: { cursor: { epoch: 5, number }, ...counts } }
    })
    expect(itemsText(items)).toBe('[["r",5,7,1,2,3,8,1,2,3]]')
    expect(read(itemsText(items))?.entries).toEqual([{ from: FROM, items }])
  })

  test('that is damaged has fewer items, and never others than numbers and texts', () => {
    fc.assert(
      fc.property(fc.array(item, { minLength: 1 }), fc.nat(), fc.string(), (items, at, text) => {
        const whole = itemsText(items)
        const place = at % whole.length
        const damaged = whole.slice(0, place) + text + whole.slice(place + 1)
        for (const { items: found } of read(damaged)?.entries ?? []) {
          for (const one of found) {
            const numbers = one.type === 'report' ? Object.values(one.report).slice(1) : [one.id]
            expect(numbers.every((value) => Number.isSafeInteger(value))).toBe(true)
            if (one.type === 'ask') expect(typeof one.body).toBe('string')
          }
        }
      }),
    )
  })

  test.each([
    [['f', FROM, 'm', 5]],
    [['f', 'nobody', 'm', '[]']],
    [['x', FROM, 'm', '[]']],
    [['f', FROM]],
    [['f', FROM, 'm', '{}']],
    [['f', FROM, 'm', '[']],
    [['f', FROM, 'm', `["${'x'.repeat(9 * 1024 * 1024)}"]`]],
  ])('is passed over if it is none: %#', (fields) => {
    expect(read('', fields)).toEqual({ last: '5-1', entries: [] })
  })

  test('is none in an answer that has nothing of the inbox', () => {
    expect(parseInbox(null, 'inbox')).toEqual({ last: null, entries: [] })
    expect(parseInbox({ log: [] }, 'inbox')).toEqual({ last: null, entries: [] })
    for (const answer of [[], 7, { inbox: 7 }, { inbox: [['x', []]] }, { inbox: [7] }]) {
      expect(parseInbox(answer, 'inbox')).toBeNull()
    }
  })
})
