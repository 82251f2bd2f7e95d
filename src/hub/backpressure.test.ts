// Goal: a publisher of much waits for streams that are behind and for receipts that are far too
// many, leaves the loop to others in time, and otherwise waits for nothing. Method: a real router
// over an outlet that has room when the test says so, on a clock that the test moves.

import { describe, expect, test } from 'bun:test'
import { messageLimits } from '../core/limits.ts'
import { FakeClock } from '../core/time.fixture.ts'
import { Backpressure } from './backpressure.ts'
import type { Outlet } from './outlet.ts'
import type { Receipt } from './receipt.ts'
import { routerOf } from './router.fixture.ts'

const { turnMsMax, pendingMax } = messageLimits

/** What `room` answers next. */
class Rooms implements Outlet {
  readonly waits: PromiseWithResolvers<void>[] = []
  asked = 0

  sync(): null {
    return null
  }

  ready(): Promise<void> | null {
    return this.waits[this.asked++]?.promise ?? null
  }

  deliver(): void {
    throw new Error('nothing is sent here')
  }

  broadcast(): void {
    throw new Error('nothing is sent here')
  }
}

function backpressureFor(waits = 0) {
  const outlet = new Rooms()
  for (let at = 0; at < waits; at++) outlet.waits.push(Promise.withResolvers<void>())
  const router = routerOf(outlet)
  const clock = new FakeClock()
  return { outlet, clock, backpressure: new Backpressure(router, clock), receipt: router.receipt() }
}

/** What has happened by when, in order. */
function watched(backpressure: Backpressure, receipt: Receipt): string[] {
  const seen: string[] = []
  setImmediate(() => seen.push('others'))
  Promise.resolve(backpressure.next(receipt)).then(() => seen.push('next'))
  return seen
}

/** Time for everything that can go on by itself. */
async function turns(): Promise<void> {
  for (let at = 0; at < 5; at++) await new Promise(setImmediate)
}

describe('a turn', () => {
  test('goes on at once while it is short', async () => {
    const { clock, backpressure, receipt } = backpressureFor()
    clock.advance(turnMsMax - 1)
    const seen = watched(backpressure, receipt)
    await turns()
    expect(seen).toEqual(['next', 'others'])
  })

  test('that was long enough leaves the loop to others', async () => {
    const { clock, backpressure, receipt } = backpressureFor()
    clock.advance(turnMsMax)
    const seen = watched(backpressure, receipt)
    await turns()
    expect(seen).toEqual(['others', 'next'])
  })

  test('begins anew when others had theirs', async () => {
    const { clock, backpressure, receipt } = backpressureFor()
    const firsts: (string | undefined)[] = []
    for (const ms of [turnMsMax, turnMsMax - 1, 1]) {
      clock.advance(ms)
      const seen = watched(backpressure, receipt)
      await turns()
      firsts.push(seen[0])
    }
    expect(firsts).toEqual(['others', 'next', 'others'])
  })

  test('begins anew when the publisher has something again', async () => {
    const { clock, backpressure, receipt } = backpressureFor()
    clock.advance(10 * turnMsMax)
    backpressure.begin()
    const seen = watched(backpressure, receipt)
    await turns()
    expect(seen).toEqual(['next', 'others'])
  })
})

describe('who is fast', () => {
  test('waits until the streams keep up, however often they do not', async () => {
    const { outlet, backpressure, receipt } = backpressureFor(2)
    const seen = watched(backpressure, receipt)
    for (const { resolve } of outlet.waits) {
      await turns()
      expect(seen).toEqual(['others'])
      resolve()
    }
    await turns()
    expect([seen, outlet.asked]).toEqual([['others', 'next'], 3])
  })

  test('waits until half of far too many receipts have come', async () => {
    const { backpressure, receipt } = backpressureFor()
    receipt.pending = pendingMax + 1
    const seen = watched(backpressure, receipt)
    await turns()
    while (receipt.pending > pendingMax / 2 + 1) receipt.settle(1, 0)
    await turns()
    expect(seen).toEqual(['others'])
    receipt.settle(1, 0)
    await turns()
    expect(seen).toEqual(['others', 'next'])
  })

  test('waits for none while they are just not too many', async () => {
    const { backpressure, receipt } = backpressureFor()
    receipt.pending = pendingMax
    const seen = watched(backpressure, receipt)
    await turns()
    expect(seen).toEqual(['next', 'others'])
  })
})
