// Goal: an entry of the shared feed says what it was told, and one that is none says nothing.
// Method: examples, and random events there and back.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { ConnectionEvent } from '../log/feed-source.ts'
import { eventText, nodeText, openConnectionOf, parseFeed, parseNode } from './feed-entry.ts'

const NODE = { run: '1660e931952e', name: 'push-1' }
const KEY = 'comet:feed'

function entriesOf(...fields: readonly (readonly [id: string, values: unknown])[]) {
  return parseFeed({ [KEY]: fields }, KEY)
}

const lineOf = (text: string) => ['n', nodeText(NODE), 'e', text]

test('events are read as they were told, with their places', () => {
  const user = fc.oneof(
    fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    fc.stringMatching(/^[A-Za-z][A-Za-z0-9._:@-]{0,63}$/),
  )
  const one = fc.record({
    user,
    process: fc.integer({ min: 0, max: 65_535 }),
    sinceUs: fc.integer({ min: 0, max: 2 ** 51 - 1 }),
    online: fc.boolean(),
    atMs: fc.integer({ min: 0, max: 2 ** 42 }),
    reason: fc.constantFrom(null, 'client', 'lost', 'drained'),
  })
  fc.assert(
    fc.property(fc.array(one, { minLength: 1, maxLength: 20 }), (all) => {
      const epoch = 7
      const events: ConnectionEvent[] = all.map(({ process, sinceUs, ...each }, at) => {
        const sinceMs = Math.floor(sinceUs / 1_000)
        const connection = `${NODE.run}-${process.toString(16)}-${sinceUs.toString(16)}`
        const common = { ...each, connection, node: NODE.name, sinceMs }
        const cursor = { epoch, number: 100 + at + 1 }
        if (each.reason !== null) return { ...common, cursor }
        return { ...common, cursor, online: true, atMs: sinceMs }
      })
      const text = events.map((event) => eventText(event, NODE.run)).join('\n')
      const at = { epoch, number: 100 + events.length }
      expect(entriesOf([`7-${at.number}`, lineOf(text)])).toEqual([{ at, events }])
    }),
  )
})

describe('an entry that no node has written', () => {
  test.each([
    ['no text', ['n', nodeText(NODE), 'e']],
    ['another name of a field', ['x', nodeText(NODE), 'e', '1 0-1']],
    ['no node', ['n', '', 'e', '1 0-1']],
    ['no fields', null],
    ['a user that is none', lineOf('a/b 0-1')],
    ['a connection that is none', lineOf('1 0-xyz')],
    ['a time that is none', lineOf('1 0-1 1 x client')],
    ['a time that is too late', lineOf('1 0-1 1 8640000000000001 client')],
    ['no reason', lineOf('1 0-1 1 5')],
    ['more events than there were', lineOf('1 0-1\n1 0-2\n1 0-3')],
    ['one event among others', lineOf('1 0-1\n')],
  ])('%s, has no events', (_, fields) => {
    expect(entriesOf(['7-2', fields])).toEqual([{ at: { epoch: 7, number: 2 }, events: [] }])
  })

  test('and has no id, makes the answer none', () => {
    expect(entriesOf(['x', []])).toBeNull()
    expect(parseFeed('x', KEY)).toBeNull()
    expect(parseFeed(null, KEY)).toEqual([])
  })
})

test('what Redis has of nodes and connections is checked', () => {
  expect(parseNode(nodeText(NODE))).toEqual(NODE)
  for (const text of [null, '', 'abc', 'xyz push-1', 'abc a b']) expect(parseNode(text)).toBeNull()
  expect(openConnectionOf(NODE, '0-f4240', 'alice')).toEqual({
    ...{ user: 'alice', connection: `${NODE.run}-0-f4240`, node: 'push-1', sinceMs: 1_000 },
  })
  expect(openConnectionOf(NODE, '@', '1')).toBeNull()
  expect(openConnectionOf(NODE, '0-f4240', '')).toBeNull()
})
