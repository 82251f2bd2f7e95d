// Goal: what is written goes out in order and whole, few writes at a time, and no more waits than may.
// Method: a socket pair whose other end reads when the test says so.

import { describe, expect, test } from 'bun:test'
import { erlangLimits } from '../core/limits.ts'
import { until } from '../core/time.fixture.ts'
import { Outbound } from './outbound.ts'
import { SocketPair } from './socket.fixture.ts'

const { outBytesMax } = erlangLimits
const MIB = 1024 * 1024

async function outbound() {
  const pair = await SocketPair.open()
  const out = new Outbound(pair.near)
  pair.near.data.owner = {
    data: () => undefined,
    drained: () => out.drained(),
    closed: () => undefined,
  }
  return { pair, out }
}

describe('what is written', () => {
  test('goes out together at the end of the turn', async () => {
    const { pair, out } = await outbound()
    using _ = pair
    out.writer.integer(1)
    out.flushSoon()
    out.writer.integer(2)
    out.flushSoon()
    expect([out.writer.length, out.isActive]).toEqual([4, false])
    await until('it has come', () => pair.got.length === 4)
    expect([pair.gotHex(), out.isActive, out.writer.length]).toEqual(['61016102', true, 0])
  })

  test('goes out at once when that is asked for', async () => {
    const { pair, out } = await outbound()
    using _ = pair
    out.writer.integer(1)
    out.flush()
    out.flush()
    expect(out.writer.length).toBe(0)
    await until('it has come', () => pair.got.length === 2)
    expect(pair.gotHex()).toBe('6101')
  })

  test('is whole and in order, however much waits', async () => {
    const { pair, out } = await outbound()
    using _ = pair
    pair.far.pause()
    const numbers = 4 * MIB
    for (let at = 0; at < numbers; at++) {
      out.writer.uint32(at)
      if (at % 100_000 === 0) out.flush()
    }
    out.flush()
    expect(out.room()).not.toBeNull()
    pair.far.resume()
    await until('all has come', () => pair.got.length === 4 * numbers)
    const view = new DataView(pair.gotBytes().buffer)
    let wrong = 0
    for (let at = 0; at < numbers; at++) if (view.getUint32(4 * at) !== at) wrong++
    expect(wrong).toBe(0)
  })
})

describe('a tick', () => {
  test('is four bytes of nothing', async () => {
    const { pair, out } = await outbound()
    using _ = pair
    out.tick()
    await until('it has come', () => pair.got.length === 4)
    expect([pair.gotHex(), out.isActive]).toEqual(['00000000', true])
  })

  test('is left out while anything waits', async () => {
    const { pair, out } = await outbound()
    using _ = pair
    pair.far.pause()
    out.writer.raw(new Uint8Array(16 * MIB).fill(1))
    out.flush()
    out.isActive = false
    out.tick()
    expect(out.isActive).toBe(false)
    pair.far.resume()
    await until('all has come', () => pair.got.length >= 16 * MIB)
    expect(pair.gotBytes().every((byte) => byte === 1)).toBe(true)
  })
})

describe('room', () => {
  test('is there while what waits is not too much', async () => {
    const { pair, out } = await outbound()
    using _ = pair
    expect(out.room()).toBeNull()
    out.writer.raw(new Uint8Array(outBytesMax))
    expect(out.room()).toBeNull()
    pair.far.pause()
    out.writer.raw(new Uint8Array(32 * MIB))
    expect(out.room()).not.toBeNull()
  })

  test('is there at once when the socket takes all that was written but not handed over', async () => {
    const { pair, out } = await outbound()
    using _ = pair
    // The kernel has room for as much; nothing would ever tell that it has been taken.
    for (let at = 0; at <= outBytesMax / 4; at++) out.writer.uint32(at)
    expect([out.room(), out.empty(), out.writer.length]).toEqual([null, null, 0])
  })

  test('comes when the other end has read enough', async () => {
    const { pair, out } = await outbound()
    using _ = pair
    pair.far.pause()
    out.writer.raw(new Uint8Array(32 * MIB))
    out.flush()
    let isThere = false
    out.room()?.then(() => {
      isThere = true
    })
    await new Promise(setImmediate)
    expect([out.room() === null, isThere]).toEqual([false, false])
    pair.far.resume()
    await until('there is room', () => out.room() === null)
    await until('all has come', () => pair.got.length === 32 * MIB)
  })
})
