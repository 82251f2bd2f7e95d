// Goal: the store does the same as a naive list of streams, whatever happens in whatever order.
// Method: random sequences of everything that can happen to it, checked after each step.

import { test } from 'bun:test'
import { deepStrictEqual as same } from 'node:assert'
import fc from 'fast-check'
import type { CloseReason } from './refusals.ts'
import { settingsOf } from './settings.fixture.ts'
import type { StreamStore } from './store.ts'
import { frameOf, RecordingStream, storeFor } from './stream.fixture.ts'
import type { Stream, WriteResult } from './stream.ts'

const OUTBOX_BYTES = 100

interface Entry {
  readonly stream: Stream
  readonly sink: RecordingStream
  readonly user: number
  /** What waits, the first with the sink. */
  queued: number[]
  /** How many frames the sink was handed. */
  frames: number
}

/** All that the store must be, as plain lists that are searched. */
class Model {
  entries: Entry[] = []
  readonly ended: Entry[] = []
  readonly closed: Record<CloseReason, number> = { client: 0, slow: 0, drained: 0 }
  undelivered = 0

  of(user: number): Entry[] {
    return this.entries.filter((entry) => entry.user === user)
  }

  end(entry: Entry, reason: CloseReason): void {
    this.entries = this.entries.filter((other) => other !== entry)
    this.ended.push(entry)
    this.closed[reason]++
    if (reason === 'drained') entry.frames += Math.max(0, entry.queued.length - 1)
    else this.undelivered += entry.queued.length
    entry.queued = []
  }

  deliver(user: number, bytes: number): number {
    let delivered = 0
    for (const entry of this.of(user)) {
      if (entry.queued.length > 0) {
        if (sum(entry.queued) + bytes > OUTBOX_BYTES) {
          this.end(entry, 'slow')
          continue
        }
        entry.queued.push(bytes)
      } else if (entry.sink.answer === 'gone') {
        this.end(entry, 'client')
        continue
      } else {
        if (entry.sink.answer === 'queued') entry.queued.push(bytes)
        entry.frames++
      }
      delivered++
    }
    return delivered
  }

  /** The frame that the sink had queued is out; the sink may answer otherwise by now. */
  flushed(entry: Entry, answer: WriteResult): void {
    entry.sink.answer = answer
    if (entry.queued.length === 0) return
    entry.queued.shift()
    if (entry.queued.length === 0) return
    if (answer === 'gone') this.end(entry, 'client')
    else if (answer === 'queued') entry.frames++
    else {
      entry.frames += entry.queued.length
      entry.queued = []
    }
  }
}

interface Both {
  readonly model: Model
  readonly store: StreamStore
}

type Step = (both: Both) => void

const users = fc.integer({ min: 1, max: 3 })
const answers = fc.constantFrom<WriteResult>('sent', 'sent', 'queued', 'queued', 'queued', 'gone')

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(users, answers).map(
    ([user, answer]): Step =>
      ({ model, store }) => {
        const sink = new RecordingStream(answer)
        model.entries.push({ stream: store.add(user, sink), sink, user, queued: [], frames: 0 })
      },
  ),
  fc.tuple(users, fc.integer({ min: 1, max: 120 })).map(
    ([user, bytes]): Step =>
      (both) => {
        const expected = both.model.deliver(user, bytes)
        same(both.store.deliver(user, frameOf(bytes)), expected)
      },
  ),
  fc.nat().map(
    (at): Step =>
      ({ model, store }) => {
        const entry = model.entries[at % Math.max(1, model.entries.length)]
        if (entry === undefined) return
        store.onClose(entry.stream)
        model.end(entry, 'client')
      },
  ),
  fc.tuple(fc.nat(), answers).map(
    ([at, answer]): Step =>
      ({ model, store }) => {
        const entry = model.entries[at % Math.max(1, model.entries.length)]
        if (entry === undefined) return
        model.flushed(entry, answer)
        store.onFlushed(entry.stream)
      },
  ),
  // What a sink may still say of a stream that has ended; nothing must change.
  fc.nat().map(
    (at): Step =>
      ({ model, store }) => {
        const entry = model.ended[at % Math.max(1, model.ended.length)]
        if (entry === undefined) return
        store.onFlushed(entry.stream)
        store.onClose(entry.stream)
      },
  ),
  fc.integer({ min: 0, max: 3 }).map(
    (count): Step =>
      ({ model, store }) => {
        const open = new Set(model.entries)
        same(store.drain(count), Math.min(count, open.size))
        // Which ones is the store's choice.
        for (const entry of open) if (entry.stream.state === 'drained') model.end(entry, 'drained')
      },
  ),
)

function check({ model, store }: Both): void {
  const { entries, ended, closed } = model
  same(
    [store.open, store.users, store.queuedBytes, store.undelivered, store.closed],
    [
      entries.length,
      new Set(entries.map(({ user }) => user)).size,
      sum(entries.flatMap(({ queued }) => queued)),
      model.undelivered,
      closed,
    ],
  )
  same(store.opened, entries.length + ended.length)
  for (const user of [1, 2, 3]) same(store.presence(user).connections, model.of(user).length)
  for (const { stream, sink, queued, frames } of [...entries, ...ended]) {
    same([sink.frames.length, stream.outbox?.bytes ?? 0], [frames, sum(queued)])
    const closedBy = stream.state === 'slow' || stream.state === 'drained' ? [stream.state] : []
    same(sink.closedWith, closedBy)
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, number) => all + number, 0)
}

test('the store equals a naive list of streams after every step', () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 40 }), (sequence) => {
      const both = {
        model: new Model(),
        store: storeFor({ settings: settingsOf({ outboxBytes: OUTBOX_BYTES }) }),
      }
      for (const step of sequence) {
        step(both)
        check(both)
      }
    }),
    { numRuns: 500 },
  )
})
