// Goal: a log whose newest entries were dropped is the log before they were added; where they had
// pushed out older ones, it says so, and never less. Method: random logs, one of which gets a tail
// that is dropped; all that readers can ask is asked of both.

import { describe, expect, test } from 'bun:test'
import { type RandomBelow, randomFrom } from '../core/random.ts'
import { NOBODY } from './heads.ts'
import { appendItem } from './local-bus.ts'
import { about, allOf, missed, reader, to, toEveryone, user } from './log.fixture.ts'
import { BARRIER, type LogItem } from './message-bus.ts'
import { memoryLog, type RingLog } from './ring-log.ts'

const USERS = [1, 2, 3, 4, NOBODY + 1, NOBODY + 2]

function itemFrom(random: RandomBelow, count: number): LogItem {
  const one = () => {
    const id = USERS[random(USERS.length)] as number
    return user(id, id > NOBODY ? `name-${id - NOBODY}` : null)
  }
  const kind = random(20)
  if (kind === 0) return BARRIER
  if (kind < 5) return { user: one(), subject: one(), follows: random(2) === 0 }
  if (kind < 7) return toEveryone(`all ${count}`)
  const { id, name } = one()
  const text = `${count} ${'x'.repeat(random(30))}`
  const key = random(5) === 0 ? `key ${count}` : null
  return kind < 12 ? to(id, text, { name, key }) : about(id, text, { name, key })
}

function fill(log: RingLog, random: RandomBelow, count: number): void {
  for (let at = 0; at < count; at++) appendItem(log, itemFrom(random, at))
}

describe('a log whose newest entries were dropped', () => {
  test('is the one before they were added, and goes on like it', () => {
    for (let seed = 0; seed < 60; seed++) {
      const size = randomFrom(seed)(80)
      const [plain, truncated] = [0, 1].map(() => {
        const log = memoryLog({ bytes: 64 * 1024, epoch: 7, first: 5 })
        fill(log, randomFrom(seed), size)
        return log
      }) as [RingLog, RingLog]
      const { last } = truncated
      fill(truncated, randomFrom(seed + 1_000), 1 + (seed % 40))
      expect(truncated.truncate(last)).toBe(true)
      expect(allOf(truncated, USERS, [1, 2])).toEqual(allOf(plain, USERS, [1, 2]))
      for (const log of [plain, truncated]) fill(log, randomFrom(seed + 2_000), 30)
      expect(allOf(truncated, USERS, [1, 2])).toEqual(allOf(plain, USERS, [1, 2]))
    }
  })

  test('tells of a gap where they had pushed out older ones, and never of less', () => {
    for (let seed = 0; seed < 60; seed++) {
      const whole = memoryLog({ bytes: 64 * 1024, epoch: 7 })
      const small = memoryLog({ bytes: 1_500, epoch: 7 })
      for (const log of [whole, small]) fill(log, randomFrom(seed), 40)
      const { last } = small
      const tail = seed % 12
      fill(small, randomFrom(seed + 1_000), tail)
      if (!small.truncate(last)) {
        expect(small.last).toBe(last + tail)
        continue
      }
      for (const log of [whole, small]) fill(log, randomFrom(seed + 2_000), 5)
      for (const id of USERS) {
        for (let after = 0; after <= whole.last; after++) {
          const got = missed(small, reader(id, [1, 2]), after)
          if (got !== 'lost') expect(got).toEqual(missed(whole, reader(id, [1, 2]), after))
          else expect(after).toBeLessThan(small.oldest - 1)
        }
      }
    }
  })

  test('still refers to the names of changes that it keeps', () => {
    const log = memoryLog({ bytes: 4_096, epoch: 7 })
    const name = user(NOBODY + 1, 'a')
    log.appendFollow(user(1), name, true)
    log.appendFollow(user(1), name, false)
    log.truncate(1)
    expect(log.refersTo(NOBODY + 1)).toBe(true)
  })

  test('keeps all of them if it has nothing of those before', () => {
    const log = memoryLog({ bytes: 128, epoch: 7 })
    for (let at = 0; at < 10; at++) log.append(about(1, 'x'.repeat(60)))
    expect(log.truncate(2)).toBe(false)
    expect(log.last).toBe(10)
    expect(log.truncate(20)).toBe(true)
  })
})
