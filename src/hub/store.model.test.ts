// Goal: the store does the same as a naive list of streams, whatever happens in whatever order.
// Method: random sequences of everything that can happen to it, checked after each step.

import { test } from 'bun:test'
import { deepStrictEqual as same } from 'node:assert'
import fc from 'fast-check'
import type { CloseReason } from './refusals.ts'
import { settingsOf } from './settings.fixture.ts'
import type { StreamStore } from './store.ts'
import {
  NONE_CLOSED,
  openStream,
  type RecordingStream,
  storeFor,
  textFrame,
} from './stream.fixture.ts'

const OUTBOX_BYTES = 100

/** A message, and how many streams took it. */
interface Sent {
  readonly text: string
  delivered: number
  /** What the store answered. */
  answer: number | null
}

interface Entry {
  readonly stream: RecordingStream
  state: 'open' | 'ending' | 'gone' | 'closed'
  /** Messages of this turn. */
  turn: Sent[]
  /** What waits, the first one in part if `begun` of its bytes are sent. */
  queued: string[]
  begun: number
  received: string
  room: number
}

/** All that the store must be, as plain lists that are searched. */
class Model {
  readonly entries: Entry[] = []
  readonly closed: Record<CloseReason, number> = { ...NONE_CLOSED }
  turn: Sent[] = []
  readonly settled: Sent[] = []
  undelivered = 0

  get open(): Entry[] {
    return this.entries.filter(({ state }) => state === 'open')
  }

  end(entry: Entry, reason: CloseReason, state: Entry['state']): void {
    this.closed[reason]++
    entry.state = state
    if (reason === 'drained') return
    this.undelivered += entry.queued.length
    entry.queued = []
  }

  publish(user: number, sent: Sent): void {
    this.turn.push(sent)
    for (const entry of this.open) if (entry.stream.user === user) entry.turn.push(sent)
  }

  send(): void {
    for (const entry of this.entries) {
      const messages = entry.turn
      entry.turn = []
      if (entry.state === 'open') this.#sendTo(entry, messages)
    }
  }

  #sendTo(entry: Entry, messages: Sent[]): void {
    if (messages.length === 0) return
    if (entry.queued.length === 0 && entry.stream.answer === 'gone') {
      this.end(entry, 'client', 'gone')
      return
    }
    for (const message of messages) {
      const waiting = sum(entry.queued.map(({ length }) => length))
      if (entry.queued.length > 0 && waiting + message.text.length > OUTBOX_BYTES) {
        this.end(entry, 'slow', 'closed')
        return
      }
      message.delivered++
      entry.queued.push(message.text)
      // Only what the socket did not take at once waits.
      if (entry.queued.length === 1) this.move(entry)
    }
  }

  /** Moves what waits to where there is room. */
  move(entry: Entry): void {
    while (entry.queued.length > 0 && entry.room > 0) {
      const [first = ''] = entry.queued
      const part = first.slice(entry.begun, entry.begun + entry.room)
      entry.received += part
      entry.room -= part.length
      entry.begun += part.length
      if (entry.begun < first.length) return
      entry.queued.shift()
      entry.begun = 0
    }
  }
}

interface Both {
  readonly model: Model
  readonly store: StreamStore
}

type Step = (both: Both) => void

const users = fc.integer({ min: 1, max: 3 })

let letters = 0

/** A text unlike those around it. */
function textOf(length: number): string {
  letters++
  return Array.from({ length }, (_, at) => String.fromCharCode(97 + ((letters + at) % 26))).join('')
}

function pick(entries: readonly Entry[], at: number): Entry | undefined {
  return entries[at % Math.max(1, entries.length)]
}

const open: fc.Arbitrary<Step> = users.map((user) => ({ model, store }) => {
  const stream = openStream(store, user)
  const room = Number.POSITIVE_INFINITY
  const none = { turn: [], queued: [], begun: 0, received: '' }
  model.entries.push({ stream, state: 'open', room, ...none })
})

const publish: fc.Arbitrary<Step> = fc
  .tuple(users, fc.integer({ min: 1, max: 120 }))
  .map(([user, bytes]) => ({ model, store }) => {
    const sent: Sent = { text: textOf(bytes), delivered: 0, answer: null }
    model.publish(user, sent)
    const settle = (delivered: number) => {
      sent.answer = delivered
      model.settled.push(sent)
    }
    store.begin(textFrame(sent.text), { settle, late: () => undefined })
    store.deliver(user)
  })

const flush: fc.Arbitrary<Step> = fc.constant(({ model, store }) => {
  model.send()
  const settled = model.settled.length
  store.flush()
  same(model.settled.slice(settled), model.turn)
  for (const { answer, delivered } of model.turn) same(answer, delivered)
  model.turn = []
})

const leave: fc.Arbitrary<Step> = fc.nat().map((at) => ({ model, store }) => {
  const entry = pick(
    model.entries.filter(({ state }) => state !== 'closed'),
    at,
  )
  if (entry === undefined) return
  if (entry.state === 'open') model.end(entry, 'client', 'closed')
  entry.state = 'closed'
  store.onClose(entry.stream.slot)
})

const changeRoom: fc.Arbitrary<Step> = fc
  .tuple(fc.nat(), fc.constantFrom(0, 0, 10, 70, 1_000, Number.POSITIVE_INFINITY))
  .map(([at, room]) => ({ model }) => {
    const entry = pick(model.open, at)
    if (entry === undefined) return
    entry.room = room
    entry.stream.room = room
  })

const vanish: fc.Arbitrary<Step> = fc.nat().map((at) => ({ model }) => {
  const entry = pick(model.open, at)
  if (entry !== undefined) entry.stream.answer = 'gone'
})

/** A wire may report room at any time, for those that wait or not. */
const makeRoom: fc.Arbitrary<Step> = fc
  .tuple(fc.nat(), fc.boolean(), fc.constantFrom(0, 3, 10, 70, Number.POSITIVE_INFINITY))
  .map(([at, isWaiting, room]) => ({ model, store }) => {
    const { entries } = model
    const connected = entries.filter(({ state }) => state === 'open' || state === 'ending')
    const waiting = connected.filter(({ queued }) => isWaiting && queued.length > 0)
    const entry = pick(waiting.length > 0 ? waiting : connected, at)
    if (entry === undefined) return
    entry.room = room
    entry.stream.room = room
    if (entry.queued.length > 0 && entry.stream.answer === 'gone') {
      if (entry.state === 'open') model.end(entry, 'client', 'gone')
    } else {
      model.move(entry)
      if (entry.state === 'ending' && entry.queued.length === 0) entry.state = 'closed'
    }
    store.onDrain(entry.stream.slot)
  })

const drain: fc.Arbitrary<Step> = fc.integer({ min: 0, max: 3 }).map((count) => (both) => {
  const { model, store } = both
  model.send()
  const before = model.open
  same(store.drain(count), Math.min(count, before.length))
  // Which ones is the store's choice.
  const slots = new Set(before.map(({ stream }) => stream.slot))
  for (const { stream } of before) if (isOpen(store, stream)) slots.delete(stream.slot)
  for (const entry of before) {
    if (!slots.has(entry.stream.slot)) continue
    model.end(entry, 'drained', entry.queued.length > 0 ? 'ending' : 'closed')
  }
})

function isOpen(store: StreamStore, { user, slot }: RecordingStream): boolean {
  return store.connected.slotsOf(user).includes(slot)
}

const steps = fc.oneof(
  { weight: 4, arbitrary: open },
  { weight: 8, arbitrary: publish },
  { weight: 4, arbitrary: flush },
  { weight: 3, arbitrary: leave },
  { weight: 3, arbitrary: changeRoom },
  { weight: 1, arbitrary: vanish },
  { weight: 4, arbitrary: makeRoom },
  { weight: 1, arbitrary: drain },
)

function check({ model, store }: Both): void {
  const { entries, closed } = model
  const open = model.open
  same(
    [
      store.open,
      store.connected.users,
      store.queuedBytes,
      store.undelivered,
      store.closed,
      store.opened,
    ],
    [
      open.length,
      new Set(open.map(({ stream }) => stream.user)).size,
      sum(open.flatMap(({ queued }) => queued.map(({ length }) => length))),
      model.undelivered,
      closed,
      entries.length,
    ],
  )
  for (const user of [1, 2, 3]) {
    const slots = open.filter(({ stream }) => stream.user === user).map(({ stream }) => stream.slot)
    same(store.connected.slotsOf(user).toSorted(), slots.toSorted())
    same(store.connected.presence(user).connections, slots.length)
  }
  for (const { stream, received } of entries) same(stream.text, received)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, number) => all + number, 0)
}

test('the store equals a naive list of streams after every step', () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 60, size: 'max' }), (sequence) => {
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
