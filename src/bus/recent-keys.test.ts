// Goal: a node knows for which messages its keys count, and whether these are all. Method: entries
// by hand, and what a Redis that has lost everything would get back.

import { describe, expect, test } from 'bun:test'
import type { Cursor } from '../core/cursor.ts'
import { about } from '../log/log.fixture.ts'
import { encodeBatch } from './batch.ts'
import { RecentKeys } from './recent-keys.ts'
import type { BatchEntry } from './stream-entry.ts'
import { A, at, B, batch, fork, WindowNode } from './window.fixture.ts'

describe('the keys of messages that a node knows', () => {
  function keyed(where: Cursor, count: number, key: string, seconds = 1_000): BatchEntry {
    const { head, body } = encodeBatch([about(1, key, { key })])
    const more = { head, body: Buffer.from(body).toString(), seconds }
    return { ...batch(where, A, count, key), ...more }
  }

  /** Of each one when, and where its message is. */
  function keysOf({ window }: WindowNode): string[] {
    return window.keys.lines
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [, seconds, , , place] = line.split(' ')
        return `${seconds} ${place}`
      })
  }

  const BEGUN = fork(at(5, 0), at(0, 0))

  test('are those of its log, since it began', () => {
    const node = new WindowNode([BEGUN, keyed(at(5, 1), 1, 'a'), batch(at(5, 2), B, 1, 'x')])
    expect(keysOf(node)).toEqual(['1000 5-1'])
    expect(node.window.keys.since).toBe('all')
    node.apply(keyed(at(5, 3), 2, 'b'), fork(at(9, 2), at(5, 2)), keyed(at(9, 3), 3, 'c'))
    expect(keysOf(node)).toEqual(['1000 5-1', '1000 9-3'])
    expect(node.window.keys.since).toBe('all')
  })

  test('end after five minutes', () => {
    const node = new WindowNode([BEGUN, keyed(at(5, 1), 1, 'a'), keyed(at(5, 2), 2, 'b', 1_300)])
    expect(keysOf(node)).toEqual(['1000 5-1', '1300 5-2'])
    node.apply(keyed(at(5, 3), 3, 'c', 1_301))
    expect(keysOf(node)).toEqual(['1300 5-2', '1301 5-3'])
  })

  test('are not all behind a gap, or in a log that has gone another way', () => {
    const node = new WindowNode([keyed(at(5, 8), 1, 'a')])
    expect(node.window.keys.since).toBe('1000')
    node.apply(keyed(at(5, 20), 5, 'b', 1_100))
    expect(node.window.keys.since).toBe('1100')
    expect(keysOf(node)).toEqual(['1000 5-8', '1100 5-20'])
    node.apply(fork(at(9, 40), at(5, 40)))
    expect(node.window.keys.since).toBe('none')
    expect(keysOf(node)).toEqual([])
    node.apply(keyed(at(9, 41), 6, 'c', 1_200))
    expect(node.window.keys.since).toBe('1200')
    // All are told of a gap.
    node.apply({ kind: 'lost', at: at(9, 42) })
    expect(node.window.keys.since).toBe('all')
  })

  test('are no more than may be, and then it does not know all', () => {
    const keys = new RecentKeys(2)
    keys.onNewStart()
    for (const [number, seconds] of [10, 11, 12].entries()) {
      keys.push(about(1, 'x', { key: 'x' }), 'x', at(5, number), seconds)
    }
    expect(keys.since).toBe('11')
    expect(keys.lines.split('\n')).toHaveLength(3)
  })
})
