// Goal: no client is welcomed before the parent knows of it, and of every stream it learns that it
// came and that it went, in this order. Method: a real store and real records over a link that
// takes what the test lets it take, and a property over clients that come and go.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { FakeClock } from '../core/time.fixture.ts'
import { settingsOf } from '../hub/settings.fixture.ts'
import { StreamStore } from '../hub/store.ts'
import { frameOf, RecordingStream } from '../hub/stream.fixture.ts'
import { PendingStreams } from './pending-streams.ts'
import { TO_PARENT } from './protocol.ts'
import { RecordReader, RecordWriter } from './records.ts'

/** A link whose socket takes everything or nothing. */
class FakeLink {
  readonly out = new RecordWriter()
  isFull = false
  flushesSoon = 0
  /** What the parent has been sent, in order. */
  readonly told: ['opened' | 'closed', number][] = []
  /** Runs when the socket is about to take something. */
  onFlush: () => void = () => undefined
  readonly #reader = new RecordReader(({ kind, view }) => {
    for (let at = 0; at < view.byteLength; at += 4) {
      this.told.push([kind === TO_PARENT.opened ? 'opened' : 'closed', view.getUint32(at, true)])
    }
  })

  flush(): boolean {
    this.onFlush()
    if (this.isFull) return false
    this.#reader.push(this.out.waiting())
    this.out.sent(this.out.length)
    return true
  }

  flushSoon(): void {
    this.flushesSoon++
  }
}

/** The pending streams of a worker, wired to its store as the public port does. */
function pendingFor() {
  const link = new FakeLink()
  const store: StreamStore = new StreamStore({
    settings: settingsOf({ outboxBytes: 100 }),
    clock: new FakeClock(),
    onEnd: (stream) => pendingStreams.onEnd(stream),
  })
  const pendingStreams = new PendingStreams(store, link)
  return {
    link,
    store,
    pendingStreams,
    enter: (user: number) => {
      const sink = new RecordingStream()
      pendingStreams.register(user, sink)
      return sink
    },
    /** The turn of the loop is over. */
    turn: () => {
      pendingStreams.report()
      link.flush()
    },
    /** The socket has room again. */
    room: () => {
      link.isFull = false
      if (link.flush()) pendingStreams.onSent()
    },
  }
}

describe('a stream that comes', () => {
  test('is welcomed at once, after the parent was told', () => {
    const { link, store, pendingStreams } = pendingFor()
    const sink = new RecordingStream()
    const seen: unknown[] = []
    link.onFlush = () => seen.push([sink.welcomes, store.open, link.out.length > 0])
    pendingStreams.register(7, sink)
    expect(seen).toEqual([[0, 0, true]])
    expect([sink.welcomes, sink.state, sink.user, store.open]).toEqual([1, 'open', 7, 1])
    expect([link.told, store.deliver(7, frameOf(1))]).toEqual([[['opened', 7]], 1])
  })

  test('waits while the link is full, and gets nothing meanwhile', () => {
    const { link, store, enter, room } = pendingFor()
    link.isFull = true
    const sink = enter(7)
    expect([sink.welcomes, sink.state, sink.user, store.open]).toEqual([0, 'opening', 7, 0])
    expect([store.deliver(7, frameOf(1)), link.told]).toEqual([0, []])
    room()
    expect([sink.welcomes, sink.state, store.open, link.told]).toEqual([
      1,
      'open',
      1,
      [['opened', 7]],
    ])
    expect([store.deliver(7, frameOf(1)), sink.frames.length]).toEqual([1, 1])
    room()
    expect([sink.welcomes, store.opened]).toEqual([1, 1])
  })

  test('waits with the others, each for a user of its own', () => {
    const { link, store, enter, room } = pendingFor()
    link.isFull = true
    const sinks = [7, 8, 7].map(enter)
    room()
    expect(sinks.map(({ welcomes, user }) => [welcomes, user])).toEqual([
      [1, 7],
      [1, 8],
      [1, 7],
    ])
    expect([store.deliver(7, frameOf(1)), store.deliver(8, frameOf(1)), link.told]).toEqual([
      2,
      1,
      [7, 8, 7].map((user) => ['opened', user]),
    ])
  })

  test('may wait anew when the link is full anew', () => {
    const { link, enter, room } = pendingFor()
    link.isFull = true
    enter(7)
    room()
    link.isFull = true
    const next = enter(8)
    expect(next.welcomes).toBe(0)
    room()
    expect(next.welcomes).toBe(1)
  })
})

describe('a stream that goes', () => {
  test.each(['client', 'slow', 'drained'] as const)(
    'is told of, whatever the reason: %s',
    (why) => {
      const { link, store, pendingStreams, enter, turn } = pendingFor()
      const sink = enter(7)
      enter(8)
      if (why === 'client') pendingStreams.onClose(sink)
      else if (why === 'drained') store.drain(1)
      else {
        sink.answer = 'queued'
        for (const bytes of [100, 1]) store.deliver(7, frameOf(bytes))
      }
      expect([sink.state, link.flushesSoon]).toEqual([why, 1])
      turn()
      turn()
      expect(link.told).toEqual([
        ['opened', 7],
        ['opened', 8],
        ['closed', 7],
      ])
    },
  )

  test('is told of with the others of its turn, once each', () => {
    const { link, pendingStreams, enter, turn } = pendingFor()
    const sinks = [7, 7, 8].map(enter)
    for (const sink of [...sinks, ...sinks]) pendingStreams.onClose(sink)
    turn()
    expect(link.told.slice(3)).toEqual([7, 7, 8].map((user) => ['closed', user]))
  })

  test('while it waits is never welcomed, and reported as left after it came', () => {
    const { link, store, pendingStreams, enter, room, turn } = pendingFor()
    link.isFull = true
    const [gone, stays] = [enter(7), enter(8)]
    pendingStreams.onClose(gone)
    pendingStreams.onClose(gone)
    turn()
    expect([gone.state, link.told]).toEqual(['client', []])
    room()
    turn()
    expect(link.told).toEqual([
      ['opened', 7],
      ['opened', 8],
      ['closed', 7],
    ])
    expect([gone.welcomes, stays.welcomes, gone.closedWith]).toEqual([0, 1, []])
    expect([store.open, store.opened, store.closed.client]).toEqual([1, 1, 0])
  })
})

test('what its sink has sent is passed on to the store', () => {
  const { store, pendingStreams, enter } = pendingFor()
  const sink = enter(7)
  sink.answer = 'queued'
  store.deliver(7, frameOf(40))
  pendingStreams.onFlushed(sink)
  expect(store.queuedBytes).toBe(0)
})

describe('draining', () => {
  test('ends those that wait, properly and without a welcome, once', () => {
    const { link, store, pendingStreams, enter, room, turn } = pendingFor()
    const open = enter(6)
    link.isFull = true
    const [gone, waits] = [enter(7), enter(8)]
    pendingStreams.onClose(gone)
    pendingStreams.drain()
    pendingStreams.drain()
    expect([open, gone, waits].map(({ closedWith }) => closedWith)).toEqual([[], [], ['drained']])
    pendingStreams.onClose(waits)
    room()
    turn()
    expect(waits.welcomes + gone.welcomes).toBe(0)
    expect(link.told.slice(1)).toEqual([
      ['opened', 7],
      ['opened', 8],
      ['closed', 7],
      ['closed', 8],
    ])
    expect([store.opened, store.open]).toEqual([1, 1])
  })
})

test('the parent knows of every stream that is open, no matter who comes and goes', () => {
  const happens = fc.oneof(
    { weight: 4, arbitrary: fc.record({ come: fc.integer({ min: 1, max: 3 }) }) },
    { weight: 3, arbitrary: fc.record({ leave: fc.nat() }) },
    { weight: 2, arbitrary: fc.constantFrom('full' as const, 'room' as const, 'turn' as const) },
  )
  fc.assert(
    fc.property(fc.array(happens, { maxLength: 40 }), (sequence) => {
      const { link, store, pendingStreams, enter, room, turn } = pendingFor()
      const sinks: RecordingStream[] = []
      /** As the parent counts them; throws if one leaves before it came. */
      const known = () => {
        const streams = new Map<number, number>()
        for (const [what, user] of link.told) {
          const count = (streams.get(user) ?? 0) + (what === 'opened' ? 1 : -1)
          if (count < 0) throw new Error(`${user} left before it came`)
          streams.set(user, count)
        }
        return streams
      }
      const check = (isSettled: boolean) => {
        const streams = known()
        for (const user of [1, 2, 3]) {
          const open = store.presence(user).connections
          expect(streams.get(user) ?? 0)[isSettled ? 'toBe' : 'toBeGreaterThanOrEqual'](open)
        }
        for (const { welcomes, state } of sinks) {
          if (state === 'opening') expect(welcomes).toBe(0)
          else if (state === 'open') expect(welcomes).toBe(1)
        }
      }
      for (const what of sequence) {
        if (what === 'full') link.isFull = true
        else if (what === 'room') room()
        else if (what === 'turn') turn()
        else if ('come' in what) sinks.push(enter(what.come))
        else if (sinks.length > 0)
          pendingStreams.onClose(sinks[what.leave % sinks.length] as RecordingStream)
        check(false)
      }
      room()
      turn()
      check(true)
      expect(sinks.every(({ state }) => state === 'open' || state === 'client')).toBe(true)
    }),
  )
})
