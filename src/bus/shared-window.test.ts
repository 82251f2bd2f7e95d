// Goal: the same entries make the same of every node, whatever branch of the log it was on. Method:
// entries by hand, as Redis would have them, and what a node's streams and cursors are after them.

import { describe, expect, test } from 'bun:test'
import type { Cursor } from '../core/cursor.ts'
import { about, missed, reader, user } from '../log/log.fixture.ts'
import { encodeBatch } from './batch.ts'
import { descriptionText, MEMBERS_ORIGIN } from './member-entry.ts'
import type { BatchEntry } from './stream-entry.ts'
import { A, ALICE, again, at, B, batch, fork, START, T1, T2, WindowNode } from './window.fixture.ts'

describe('what a node makes of the log', () => {
  test('numbers and cursors are those of the entries', () => {
    const { window, listener } = new WindowNode([...START, T1])
    expect(window.cursor).toEqual(at(5, 4))
    expect(listener.heard).toEqual([
      { text: 'one', cursor: at(5, 1) },
      { text: 'two', cursor: at(5, 2) },
      { text: 'three', cursor: at(5, 3) },
      { text: 'four', cursor: at(5, 4) },
    ])
  })

  test('a fork behind its last entry is nothing to streams, and old cursors count', () => {
    const node = new WindowNode([
      ...START,
      fork(at(9, 2), at(5, 2)),
      batch(at(9, 3), B, 1, 'three'),
    ])
    expect(node.texts).toEqual(['one', 'two', 'three'])
    expect(node.back(at(5, 1))).toEqual(['two', 'three'])
    expect(node.back(at(9, 2))).toEqual(['three'])
    expect(node.window.isWhole).toBe(true)
  })

  test('entries that were cut off are one gap, from the last one to the next', () => {
    const node = new WindowNode([...START, batch(at(5, 9), A, 5, 'nine')])
    expect(node.texts).toEqual(['one', 'two', 'gap', 'nine'])
    expect(node.listener.heard[2]).toEqual({ gap: { after: at(5, 2), resume: at(5, 8) } })
    expect(node.back(at(5, 2))).toBe('unknown')
    expect(node.back(at(5, 8))).toEqual(['nine'])
    expect(node.window.orphans).toEqual([])
    // There may have been more of the other origin.
    node.apply(batch(at(5, 20), B, 3, 'twenty'))
    expect([...node.window.batches]).toEqual([[B, 3]])
  })

  test('a tail that comes again in its places is nothing to streams that had it', () => {
    const node = new WindowNode([...START, T1, T2, fork(at(9, 2), at(5, 2))])
    expect(node.window.tail).toEqual([T1, T2])
    expect(node.back(at(5, 4))).toBe('unknown')
    node.apply(again(at(9, 3), T1), again(at(9, 5), T2), batch(at(9, 6), B, 2, 'six'))
    expect(node.texts).toEqual(['one', 'two', 'three', 'four', 'five', 'six'])
    expect(node.back(at(5, 4))).toEqual(['five', 'six'])
    expect(node.window.isWhole).toBe(true)
  })

  test('and a node that never had it hears it, and knows its old cursors', () => {
    const node = new WindowNode([...START, fork(at(9, 2), at(5, 2))])
    node.apply(again(at(9, 3), T1), again(at(9, 5), T2))
    expect(node.texts).toEqual(['one', 'two', 'three', 'four', 'five'])
    expect(node.back(at(5, 4))).toEqual(['five'])
  })

  test('a tail behind something else is held back, and then a gap, without a doubled message', () => {
    const node = new WindowNode([...START, T1, T2, fork(at(9, 2), at(5, 2))])
    node.apply(batch(at(9, 3), B, 7, 'new'), again(at(9, 4), T1))
    expect(node.texts).toEqual(['one', 'two', 'three', 'four', 'five'])
    node.apply(again(at(9, 6), T2), batch(at(9, 7), A, 3, 'seven'))
    expect(node.texts.slice(5)).toEqual(['gap', 'seven'])
    expect(node.listener.heard[5]).toEqual({ gap: { after: at(5, 5), resume: at(9, 6) } })
    expect(node.back(at(5, 4))).toBe('unknown')
    expect(node.back(at(5, 2))).toEqual(['new', 'three', 'four', 'five', 'seven'])
  })

  test('what comes again behind a gap is for streams, which may have had it held back', () => {
    const held = batch(at(9, 3), B, 7, 'held')
    const node = new WindowNode([...START, T1, T2, fork(at(9, 2), at(5, 2)), held])
    expect(node.texts.slice(5)).toEqual([])
    node.apply(fork(at(12, 4), at(11, 4), [[A, 1]]))
    node.apply(again(at(12, 5), held), again(at(12, 6), T1))
    expect(node.listener.heard[5]).toEqual({ gap: { after: at(5, 5), resume: at(12, 4) } })
    // The same as for one that comes back with what it was told.
    expect(node.texts.slice(5)).toEqual(['gap', 'held', 'three', 'four'])
    expect(node.back(at(12, 4))).toEqual(['held', 'three', 'four'])
  })

  test('streams wait until a tail is there again, or will not be', async () => {
    const lost = [...START, T1, T2, fork(at(9, 2), at(5, 2))]
    for (const rest of [[again(at(9, 3), T1), again(at(9, 5), T2)], [batch(at(9, 8), A, 9, 'x')]]) {
      const node = new WindowNode(START)
      expect(node.window.settled()).toBeNull()
      node.apply(...lost.slice(2))
      const settled = node.window.settled()
      node.apply(...rest)
      await settled
      expect(node.window.settled()).toBeNull()
    }
  })

  test('who waits for the next entry is told of any kind', async () => {
    const node = new WindowNode(START)
    for (const entry of [batch(at(5, 3), A, 2, 'three'), fork(at(9, 3), at(5, 3))]) {
      const more = node.window.more()
      node.apply(entry)
      await more
    }
    expect(node.window.cursor).toEqual(at(9, 3))
  })

  test('a second fork while a tail comes again keeps what has not come', () => {
    const node = new WindowNode([...START, T1, T2, fork(at(9, 2), at(5, 2)), again(at(9, 3), T1)])
    node.apply(fork(at(11, 2), at(9, 2)))
    expect(node.window.tail.map(({ origin, batch: count }) => [origin, count])).toEqual([
      [A, 2],
      [B, 1],
    ])
    // As if it were to begin an epoch: what is being added again is not in the log.
    expect([...node.window.batches]).toEqual([
      [A, 1],
      [B, 0],
    ])
  })

  test('a tail of which it has only a part is lost, and so it says', () => {
    const node = new WindowNode([...START, T1, T2, fork(at(9, 2), at(5, 2))], 64 * 1024, 8)
    expect(node.window.isTailLost).toBe(true)
    expect(node.window.keys.since).toBe('none')
    // Of which batches the log has, it does not know.
    expect([...node.window.batches]).toEqual([])
    node.apply({ kind: 'lost', at: at(9, 3) })
    expect(node.texts.at(-1)).toBe('gap')
    expect(node.window.isWhole).toBe(true)
    expect(node.back(at(5, 2))).toBe('unknown')
    node.apply(batch(at(9, 4), A, 3, 'four'))
    expect(node.back(at(9, 3))).toEqual(['four'])
  })

  test('a fork above its last entry is a gap, and the log has what it has read', () => {
    const node = new WindowNode([...START, fork(at(9, 7), at(5, 7), [[A, 4]])])
    expect(node.texts).toEqual(['one', 'two', 'gap'])
    expect([...node.window.batches]).toEqual([[A, 4]])
    expect(node.window.isWhole).toBe(true)
  })

  test('a fork above its last entry may have lost the tail that it was about to add again', () => {
    const node = new WindowNode([...START, T1, fork(at(9, 2), at(5, 2)), fork(at(11, 7), at(9, 7))])
    expect(node.texts).toEqual(['one', 'two', 'three', 'four', 'gap'])
    expect(node.window.orphans).toEqual([T1])
    node.window.clearOrphans()
    expect(node.window.isWhole).toBe(true)
  })

  test.each([
    ['a fork of a branch that it has not read', fork(at(12, 9), at(11, 9), [[A, 4]])],
    ['a message behind a fork that was cut off', batch(at(12, 10), A, 7, 'ten')],
  ])('%s is whole only if the log has all that it has read', (_what, entry) => {
    const base = (number: number) => ({ epoch: 12, base: at(5, number) })
    for (const [forks, isLost] of [
      [[{ epoch: 12, base: at(11, 9) }], true],
      [[{ epoch: 12, base: at(11, 9) }, base(1)], true],
      [[{ epoch: 12, base: at(11, 9) }, base(2)], false],
      [[{ epoch: 12, base: at(11, 9) }, base(8)], false],
    ] as const) {
      // It has read nothing of epoch 9 but the fork.
      const node = new WindowNode([...START, fork(at(9, 2), at(5, 2)), entry])
      expect(node.texts.slice(0, 3)).toEqual(['one', 'two', 'gap'])
      expect(node.window.isWhole).toBe(false)
      node.window.checkLeft(forks)
      expect(node.window.isTailLost).toBe(isLost)
      expect(node.window.isWhole).toBe(!isLost)
    }
  })

  test('behind a fork that was cut off, what is told to be lost is all that it has read', () => {
    const node = new WindowNode([...START, { kind: 'lost', at: at(12, 9) }])
    expect(node.texts).toEqual(['one', 'two', 'gap'])
    // It counts none of then as being in the log.
    expect([...node.window.batches]).toEqual([])
    expect(node.window.isWhole).toBe(true)
  })

  test('a fork below a gap that it was told of has lost what it cannot add again', () => {
    const lost = { kind: 'lost', at: at(5, 5) } as const
    const node = new WindowNode([...START, T1, lost, batch(at(5, 6), B, 1, 'six')])
    node.apply(fork(at(9, 2), at(5, 2), [[A, 1]]))
    expect(node.window.isTailLost).toBe(true)
    // There it knows what is missing.
    const other = new WindowNode([...START, T1, lost, batch(at(5, 6), B, 1, 'six')])
    other.apply(fork(at(9, 5), at(5, 5), [[A, 2]]))
    expect(other.window.isTailLost).toBe(false)
    expect(other.window.tail).toHaveLength(1)
  })

  test('a fork by a node that knew nothing is a gap, and no more', () => {
    const node = new WindowNode([...START, fork(at(9, 0), at(0, 0))])
    expect(node.texts).toEqual(['one', 'two', 'gap'])
    expect(node.window.orphans).toEqual([])
    expect(node.window.isWhole).toBe(true)
  })

  test('a node without a history is told of no gap', () => {
    expect(new WindowNode([batch(at(5, 9), A, 5, 'nine')]).texts).toEqual(['nine'])
    expect(new WindowNode([fork(at(9, 7), at(5, 7))]).texts).toEqual([])
  })

  test('entries of others are passed over, and those of a place that was read', () => {
    const node = new WindowNode([...START, { kind: 'foreign', at: at(5, 3) }, START[1]])
    expect(node.window.counts.foreign).toBe(2)
    expect(node.window.readAfter).toEqual(at(5, 3))
    expect(node.window.cursor).toEqual(at(5, 2))
  })

  test('a node that joins has a number, and is nothing to streams', () => {
    const joined = { ...batch(at(5, 3), MEMBERS_ORIGIN, 1), count: 1, head: `j${A},1` }
    const body = descriptionText({ name: 'a', address: 'a:1', version: '1', startedMs: 1 })
    const next = batch(at(5, 4), A, 2, 'four')
    const node = new WindowNode([...START, { ...joined, body }, next])
    expect(node.texts).toEqual(['one', 'two', 'four'])
    expect(node.back(at(5, 2))).toEqual(['four'])
    expect(node.back(at(5, 3))).toEqual(['four'])
    expect(node.changes).toMatchObject([{ kind: 'join', version: 1, member: { origin: A } }])
    expect([...node.window.batches]).toEqual([
      [A, 2],
      [MEMBERS_ORIGIN, 1],
    ])
    // Lost by a failover, it comes again in its place, like all others.
    node.apply(fork(at(9, 2), at(5, 2)))
    expect(node.window.tail).toHaveLength(2)
    node.apply(again(at(9, 3), { ...joined, body }), again(at(9, 4), next))
    expect(node.texts).toEqual(['one', 'two', 'four'])
    expect(node.back(at(5, 3))).toEqual(['four'])
    expect(node.window.isWhole).toBe(true)
  })

  test('a node that joins is no gap to a user with a name who has had no message yet', () => {
    const joined = { ...batch(at(5, 3), MEMBERS_ORIGIN, 1), count: 1, head: `j${A},1` }
    const body = descriptionText({ name: 'a', address: 'a:1', version: '1', startedMs: 1 })
    const { window } = new WindowNode([
      ...START,
      { ...joined, body },
      batch(at(5, 4), A, 2, 'four'),
    ])
    expect(missed(window.log, reader(ALICE), 2)).toEqual([])
    expect(missed(window.log, reader(ALICE, [1]), 2)).toEqual(['four'])
  })

  test('a name that is freed is told of what it missed when it comes back with another handle', () => {
    const { head, body } = encodeBatch([{ ...about(ALICE, 'to alice'), name: 'alice' }])
    const text = Buffer.from(body).toString()
    const node = new WindowNode([START[0], { ...batch(at(5, 1), A, 1, 'one'), head, body: text }])
    for (let number = 2; node.window.log.refersTo(ALICE); number++) {
      node.apply(batch(at(5, number), A, number, 'x'.repeat(10_000)))
    }
    node.window.log.onNameFreed(ALICE)
    expect(missed(node.window.log, reader(ALICE), 0)).toBe('lost')
    expect(missed(node.window.log, reader(ALICE), 1)).toEqual([])
  })

  test('a node that joined in a part that is lost for good is not added again', () => {
    const left = { ...batch(at(5, 3), MEMBERS_ORIGIN, 1), count: 1, head: `l${A},1`, body: 'dead' }
    const behind = batch(at(5, 4), B, 1, 'four')
    const node = new WindowNode([...START, left, behind, fork(at(9, 2), at(5, 2))])
    node.apply(fork(at(11, 7), at(9, 7)))
    expect(node.window.orphans).toEqual([behind])
  })

  test('a batch that comes a second time is in the window, and not with streams', () => {
    const node = new WindowNode([...START, batch(at(5, 3), A, 1, 'one', 'two')])
    expect(node.texts).toEqual(['one', 'two'])
    expect(node.window.counts.doubled).toBe(1)
  })

  test('a tail without a message whose key another batch has by now is a gap', () => {
    const node = new WindowNode([...START, T1, T2, fork(at(9, 2), at(5, 2))])
    node.window.drop(T2)
    expect(node.window.tail).toEqual([T1])
    node.apply(again(at(9, 3), T1))
    expect(node.texts.slice(5)).toEqual(['gap'])
    expect(node.listener.heard[5]).toEqual({ gap: { after: at(5, 5), resume: at(9, 4) } })
    expect(node.window.isWhole).toBe(true)
    const other = new WindowNode([...START, T1, T2, fork(at(9, 2), at(5, 2)), again(at(9, 3), T1)])
    other.window.drop(T2)
    expect(other.texts.slice(5)).toEqual(['gap'])
    expect(other.window.settled()).toBeNull()
    // It is not of a tail any more.
    other.window.drop(T2)
    expect(other.texts.slice(5)).toEqual(['gap'])
  })

  test('the first batch of an origin in a lost tail tells which one is in the log', () => {
    const later = { ...batch(at(5, 3), A, 7, 'three'), previous: 1 }
    const node = new WindowNode([...START, later, fork(at(9, 2), at(5, 2))])
    expect([...node.window.batches]).toEqual([[A, 1]])
  })
})

describe('who follows whom', () => {
  const change = { user: user(1), subject: user(2), follows: true }

  /** An entry of changes. */
  function changes(where: Cursor, origin: string, count: number): BatchEntry {
    const { head } = encodeBatch([change])
    return { ...batch(where, origin, count, 'x'), head, body: '' }
  }

  test('is handed over in order, also what streams are not to hear yet, and what comes again', () => {
    const node = new WindowNode()
    node.apply(...START, changes(at(5, 3), B, 1), fork(at(9, 2), at(5, 2)))
    expect(node.changed).toEqual([change])
    // Held back from streams, as all of it is until the tail is there again.
    node.apply(batch(at(9, 3), A, 2, 'new'), changes(at(9, 4), A, 3))
    expect(node.changed).toHaveLength(2)
    node.apply(again(at(9, 5), changes(at(5, 3), B, 1)))
    expect(node.changed).toHaveLength(3)
    expect(node.texts).toEqual(['one', 'two', 'gap'])
  })

  test('is not known after a gap, nor when Redis has lost everything', () => {
    const node = new WindowNode()
    node.apply(...START, fork(at(9, 2), at(5, 2)))
    expect(node.lost).toBe(0)
    node.apply(fork(at(11, 2), at(9, 2), [[A, 1]]))
    expect(node.lost).toBe(1)
    node.apply(batch(at(11, 9), A, 5, 'nine'))
    expect(node.texts).toEqual(['one', 'two', 'gap', 'nine'])
    expect(node.lost).toBe(2)
  })

  test('is not known when a replica takes over that has what Redis had lost', () => {
    const node = new WindowNode([...START, fork(at(9, 2), at(5, 2), [[A, 1]])])
    node.apply(batch(at(9, 3), A, 2, 'three'))
    expect(node.lost).toBe(1)
    node.apply(fork(at(11, 2), at(5, 2)))
    expect(node.lost).toBe(2)
    node.apply(again(at(11, 3), batch(at(9, 3), A, 2, 'three')), fork(at(13, 3), at(11, 3)))
    expect(node.lost).toBe(2)
    expect(node.texts).toEqual(['one', 'two', 'three'])
  })
})
