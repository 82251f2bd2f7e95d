// Goal: every stream of a user gets what is for it, slow ones are cut and harm no other, and the
// figures hold. Method: a real store over sinks that remember and answer as a test tells them.

import { describe, expect, test } from 'bun:test'
import { streamLimits } from '../core/limits.ts'
import { FakeClock } from '../core/time.fixture.ts'
import type { CloseReason } from './refusals.ts'
import { settingsOf } from './settings.fixture.ts'
import { frameOf, RecordingStream, storeFor } from './stream.fixture.ts'
import type { Stream } from './stream.ts'

describe('delivery', () => {
  test('reaches every stream of the user and no other', () => {
    const store = storeFor()
    const sinks = [7, 7, 7, 8].map((user) => {
      const sink = new RecordingStream()
      store.add(user, sink)
      return sink
    })
    expect([store.deliver(7, frameOf(3)), store.deliver(8, frameOf(3))]).toEqual([3, 1])
    expect(sinks.map(({ frames }) => frames.length)).toEqual([1, 1, 1, 1])
    expect([store.open, store.users, store.opened]).toEqual([4, 2, 4])
  })

  test('passes the frame itself on, uncopied', () => {
    const store = storeFor()
    const sink = new RecordingStream()
    store.add(7, sink)
    const frame = frameOf(3)
    store.deliver(7, frame)
    expect(sink.frames[0]).toBe(frame)
  })

  test('delivers to none where no stream is open', () => {
    expect(storeFor().deliver(7, frameOf(1))).toBe(0)
  })

  test('counts what is queued as delivered', () => {
    const store = storeFor()
    store.add(7, new RecordingStream('queued'))
    expect([store.deliver(7, frameOf(40)), store.queuedBytes]).toEqual([1, 40])
  })
})

describe('a stream that reads too slowly', () => {
  test('is closed when its outbox is full; the others, also of its user, go on', () => {
    const closes: [number, CloseReason][] = []
    const store = storeFor({
      settings: settingsOf({ outboxBytes: 100 }),
      onEnd: ({ user }, reason) => closes.push([user, reason]),
    })
    const slow = new RecordingStream('queued')
    const sibling = new RecordingStream()
    const other = new RecordingStream('queued')
    store.add(7, slow)
    store.add(7, sibling)
    store.add(8, other)
    store.deliver(8, frameOf(10))
    const counts = [50, 50, 1, 1].map((bytes) => store.deliver(7, frameOf(bytes)))
    expect(counts).toEqual([2, 2, 1, 1])
    expect([slow.frames.length, sibling.frames.length]).toEqual([1, 4])
    expect([slow.closedWith, sibling.closedWith, other.closedWith]).toEqual([['slow'], [], []])
    expect(closes).toEqual([[7, 'slow']])
    expect([store.open, store.closed]).toEqual([2, { client: 0, slow: 1, drained: 0 }])
    expect([store.queuedBytes, store.undelivered]).toEqual([10, 2])
  })

  test('may fill its outbox to the last byte', () => {
    const store = storeFor({ settings: settingsOf({ outboxBytes: 100 }) })
    store.add(7, new RecordingStream('queued'))
    expect([store.deliver(7, frameOf(99)), store.deliver(7, frameOf(1))]).toEqual([1, 1])
    expect(store.queuedBytes).toBe(100)
    expect([store.deliver(7, frameOf(1)), store.queuedBytes]).toEqual([0, 0])
  })

  test('takes one message of any size when nothing waits', () => {
    const store = storeFor({ settings: settingsOf({ outboxBytes: 100 }) })
    const sink = new RecordingStream('queued')
    store.add(7, sink)
    expect([store.deliver(7, frameOf(1000)), store.open]).toEqual([1, 1])
  })

  test('starts afresh once all is out', () => {
    const store = storeFor({ settings: settingsOf({ outboxBytes: 100 }) })
    const stream = store.add(7, new RecordingStream('queued'))
    for (let round = 0; round < 5; round++) {
      store.deliver(7, frameOf(60))
      store.onFlushed(stream)
    }
    expect([store.open, store.queuedBytes, store.undelivered]).toEqual([1, 0, 0])
  })

  test('gets what waits in order, one frame at a time, while its socket is full', () => {
    const store = storeFor({ settings: settingsOf({ outboxBytes: 100 }) })
    const sink = new RecordingStream('queued')
    const stream = store.add(7, sink)
    const frames = [10, 20, 30].map(frameOf)
    for (const frame of frames) store.deliver(7, frame)
    expect([sink.frames.length, store.queuedBytes]).toEqual([1, 60])
    store.onFlushed(stream)
    expect([sink.frames.length, store.queuedBytes]).toEqual([2, 50])
    sink.answer = 'sent'
    store.onFlushed(stream)
    expect([sink.frames, store.queuedBytes]).toEqual([frames, 0])
    store.deliver(7, frameOf(40))
    expect([sink.frames.length, store.queuedBytes]).toEqual([4, 0])
  })

  test('is not taken for slow while it keeps up, however far behind it is', () => {
    const store = storeFor({ settings: settingsOf({ outboxBytes: 100 }) })
    const stream = store.add(7, new RecordingStream('queued'))
    for (const bytes of [30, 30]) store.deliver(7, frameOf(bytes))
    for (let round = 0; round < 50; round++) {
      expect(store.deliver(7, frameOf(30))).toBe(1)
      store.onFlushed(stream)
    }
    expect([store.open, store.queuedBytes, store.undelivered]).toEqual([1, 60, 0])
  })

  test('is told of before its connection is cut, so that the kernel can be asked first', () => {
    const sink = new RecordingStream('queued')
    const told: unknown[] = []
    const store = storeFor({
      settings: settingsOf({ outboxBytes: 100 }),
      onEnd: (_, reason) => told.push([reason, [...sink.closedWith]]),
    })
    store.add(7, sink)
    store.deliver(7, frameOf(100))
    store.deliver(7, frameOf(1))
    expect([told, sink.closedWith]).toEqual([[['slow', []]], ['slow']])
  })

  test('is closed when too many frames wait, however small they are', () => {
    const store = storeFor({ settings: settingsOf({ outboxBytes: 1_000_000 }) })
    store.add(7, new RecordingStream('queued'))
    const { outboxFramesMax } = streamLimits
    const delivered = Array.from({ length: outboxFramesMax + 1 }, () =>
      store.deliver(7, frameOf(1)),
    )
    expect(delivered.indexOf(0)).toBe(outboxFramesMax)
    expect([store.closed.slow, store.undelivered]).toEqual([1, outboxFramesMax])
  })

  test('changes nothing by what its sink still says after its end', () => {
    const store = storeFor({ settings: settingsOf({ outboxBytes: 100 }) })
    const stream = store.add(7, new RecordingStream('queued'))
    store.add(8, new RecordingStream('queued'))
    store.deliver(8, frameOf(30))
    store.deliver(7, frameOf(100))
    store.deliver(7, frameOf(1))
    store.onFlushed(stream)
    store.onClose(stream)
    expect([store.queuedBytes, store.open, stream.state]).toEqual([30, 1, 'slow'])
    expect(store.closed).toEqual({ client: 0, slow: 1, drained: 0 })
  })
})

test('a stream that is cut as slow stays so, though its sink says at once that it left', () => {
  const store = storeFor({ settings: settingsOf({ outboxBytes: 100 }) })
  class EagerSink extends RecordingStream {
    override close(reason: CloseReason): void {
      super.close(reason)
      store.onClose(stream)
    }
  }
  const sink = new EagerSink('queued')
  const stream = store.add(7, sink)
  store.deliver(7, frameOf(100))
  store.deliver(7, frameOf(1))
  expect([store.closed, sink.closedWith]).toEqual([{ client: 0, slow: 1, drained: 0 }, ['slow']])
})

describe('a client that leaves', () => {
  test('is forgotten, once, however often it is told', () => {
    const closes: CloseReason[] = []
    const store = storeFor({ onEnd: (_, reason) => closes.push(reason) })
    const sink = new RecordingStream('queued')
    const stream = store.add(7, sink)
    store.add(7, new RecordingStream())
    store.deliver(7, frameOf(10))
    store.onClose(stream)
    store.onClose(stream)
    expect([store.open, store.users, store.queuedBytes, store.undelivered]).toEqual([1, 1, 0, 1])
    expect([closes, sink.closedWith, store.closed.client]).toEqual([['client'], [], 1])
    expect(store.deliver(7, frameOf(10))).toBe(1)
  })

  test('is forgotten when its sink says that it is gone', () => {
    const store = storeFor()
    const sink = new RecordingStream('gone')
    store.add(7, sink)
    const sibling = new RecordingStream()
    store.add(7, sibling)
    expect([store.deliver(7, frameOf(1)), store.open, store.closed.client]).toEqual([1, 1, 1])
    expect([sink.closedWith, sibling.frames.length]).toEqual([[], 1])
  })

  test.each([
    ['first', 0],
    ['middle', 1],
    ['last', 2],
  ])('leaves the others of its user, as the %s of three', (_, at) => {
    const store = storeFor()
    const sinks = [new RecordingStream(), new RecordingStream(), new RecordingStream()]
    const streams = sinks.map((sink) => store.add(7, sink))
    for (const stream of streams.slice(at, at + 1)) store.onClose(stream)
    expect(store.deliver(7, frameOf(1))).toBe(2)
    expect(sinks.map(({ frames }) => frames.length)).toEqual([1, 1, 1].with(at, 0))
  })

  test('leaves no user behind when it was the last', () => {
    const store = storeFor()
    store.onClose(store.add(7, new RecordingStream()))
    expect([store.open, store.users, store.deliver(7, frameOf(1))]).toEqual([0, 0, 0])
  })
})

describe('while a frame is on its way to the streams of a user', () => {
  /** Of three streams of a user, the first that is written to ends those so many places further. */
  function endDuringDelivery(...further: number[]) {
    const store = storeFor()
    const sinks = [new RecordingStream(), new RecordingStream(), new RecordingStream()]
    const streams = sinks.map((sink) => store.add(7, sink))
    const ended = new Set<RecordingStream>()
    const endOthers = (first: number) => {
      for (const place of further.map((step) => (first + step) % 3)) {
        ended.add(sinks[place] as RecordingStream)
        store.onClose(streams[place] as Stream)
      }
    }
    for (const [at, sink] of sinks.entries()) {
      sink.onWrite = () => {
        if (ended.size === 0) endOthers(at)
      }
    }
    store.deliver(7, frameOf(1))
    const received = (of: boolean) =>
      sinks.filter((sink) => ended.has(sink) === of).map(({ frames }) => frames.length)
    return { ended: received(true), others: received(false), open: store.open }
  }

  test('the one that is written to may end', () => {
    expect(endDuringDelivery(0)).toEqual({ ended: [1], others: [1, 1], open: 2 })
  })

  // Whichever way the store goes through them, one is next and the other last.
  test.each([[1], [2]])('another may end, and the third still gets it (%p further)', (place) => {
    expect(endDuringDelivery(place)).toEqual({ ended: [0], others: [1, 1], open: 2 })
  })

  test('both others may end, and nothing is written to them', () => {
    expect(endDuringDelivery(1, 2)).toEqual({ ended: [0, 0], others: [1], open: 1 })
  })
})

describe('draining', () => {
  test('ends streams in batches, properly, until none is left', () => {
    const closes: CloseReason[] = []
    const store = storeFor({ onEnd: (_, reason) => closes.push(reason) })
    const sinks = Array.from({ length: 7 }, (_, at) => {
      const sink = new RecordingStream('queued')
      store.add(at % 3, sink)
      return sink
    })
    store.deliver(0, frameOf(10))
    expect([store.drain(3), store.drain(3), store.drain(3), store.drain(3)]).toEqual([3, 3, 1, 0])
    expect(sinks.map(({ closedWith }) => closedWith)).toEqual(sinks.map(() => ['drained']))
    expect([store.open, store.users, store.queuedBytes]).toEqual([0, 0, 0])
    expect([store.closed.drained, closes.length]).toEqual([7, 7])
  })

  test('loses nothing that waits: it is still sent', () => {
    const store = storeFor()
    const sink = new RecordingStream('queued')
    store.add(7, sink)
    const frames = [10, 20, 30].map(frameOf)
    for (const frame of frames) store.deliver(7, frame)
    store.drain(1)
    expect(sink.frames).toEqual(frames)
    expect([sink.closedWith, store.undelivered, store.queuedBytes]).toEqual([['drained'], 0, 0])
  })
})

test('a stream is forgotten before its end is told, so that the teller sees it gone', () => {
  const opens: number[] = []
  const store = storeFor({ onEnd: () => opens.push(store.open) })
  store.onClose(store.add(7, new RecordingStream()))
  expect(opens).toEqual([0])
})

describe('presence', () => {
  test('says how many connections a user has and since when', () => {
    const clock = new FakeClock(1_000)
    const store = storeFor({ clock })
    const first = store.add(7, new RecordingStream())
    clock.advance(500)
    store.add(7, new RecordingStream())
    clock.advance(500)
    const third = store.add(7, new RecordingStream())
    expect(store.presence(7)).toEqual({ connections: 3, sinceMs: 1_000 })
    store.onClose(first)
    store.onClose(third)
    expect(store.presence(7)).toEqual({ connections: 1, sinceMs: 1_500 })
  })

  test('of a user who is not connected is none', () => {
    expect(storeFor().presence(7)).toEqual({ connections: 0, sinceMs: null })
  })
})
