// Goal: a wait ends as soon as few enough are under way, and not before.

import { describe, expect, test } from 'bun:test'
import { Waiter } from './waiter.ts'

/** Counts the waits that have ended. */
function countEnded() {
  const ended = { count: 0 }
  const add = (wait: Promise<void>) => wait.then(() => ended.count++)
  return { ended, add }
}

/** Lets settled promises call back. */
function turn(): Promise<void> {
  return new Promise(setImmediate)
}

describe('a waiter', () => {
  test('ends the wait at the first update with no more than the count that was asked for', async () => {
    const waiter = new Waiter()
    const { ended, add } = countEnded()
    add(waiter.wait(2))
    for (const count of [5, 4, 3]) waiter.update(count)
    await turn()
    expect(ended.count).toBe(0)
    waiter.update(2)
    await turn()
    expect(ended.count).toBe(1)
  })

  test('ends all waits together, at the lowest count of them', async () => {
    const waiter = new Waiter()
    const { ended, add } = countEnded()
    for (const countMax of [3, 1, 2]) add(waiter.wait(countMax))
    waiter.update(2)
    await turn()
    expect(ended.count).toBe(0)
    waiter.update(1)
    await turn()
    expect(ended.count).toBe(3)
  })

  test('waits for a new count after the last wait ended', async () => {
    const waiter = new Waiter()
    const first = waiter.wait(0)
    waiter.update(0)
    await first
    const { ended, add } = countEnded()
    add(waiter.wait(7))
    waiter.update(7)
    await turn()
    expect(ended.count).toBe(1)
  })

  test('wakes at any count, and ignores an update without a wait', async () => {
    const waiter = new Waiter()
    waiter.update(0)
    waiter.wake()
    const { ended, add } = countEnded()
    add(waiter.wait())
    await turn()
    expect(ended.count).toBe(0)
    waiter.wake()
    await turn()
    expect(ended.count).toBe(1)
  })
})
