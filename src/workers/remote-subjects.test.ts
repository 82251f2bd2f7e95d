// Goal: a stream of a worker that subscribes gets every message about the subject behind the cursor
// that it is told, once, up to the cursor at which it unsubscribes; and the parent counts exactly
// who follows what. Method: a real store and log with real records between them, which go in either
// direction when the test says so, and a property over what clients and publishers do.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { identityLimits } from '../core/identity-limits.ts'
import type { Subject } from '../core/user.ts'
import { ArrayLog } from '../hub/array-log.fixture.ts'
import { Broadcasts } from '../hub/broadcast.ts'
import { EVERYONE, newFrame } from '../hub/frame.ts'
import { resumptionOf } from '../hub/resumption.fixture.ts'
import type { StreamStore } from '../hub/store.ts'
import { openStream, type RecordingStream, storeFor } from '../hub/stream.fixture.ts'
import type { SubjectsChange, SubjectsResult } from '../hub/subject-changes.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import { PendingStreams } from './pending-streams.ts'
import { Presence } from './presence.ts'
import { readFrame, TO_PARENT, TO_WORKER, writeFrame } from './protocol.ts'
import { type RecordBytes, RecordReader, RecordWriter } from './records.ts'
import { answerSubjects, readSubjectsAnswer } from './remote-subjects.ts'

const NO_ACK = { settle: () => undefined, late: () => undefined }

/** One direction of a link, whose records arrive when {@link pump} is called. */
class Direction {
  readonly out = new RecordWriter()
  readonly #reader: RecordReader

  constructor(onRecord: (record: RecordBytes) => void) {
    this.#reader = new RecordReader(onRecord)
  }

  flushSoon(): void {
    // The test pumps.
  }

  json(kind: number, value: unknown): void {
    this.out.begin(kind)
    this.out.bytes(Buffer.from(JSON.stringify(value)))
    this.out.end()
  }

  pump(): void {
    const bytes = this.out.waiting().slice()
    this.out.sent(bytes.length)
    this.#reader.push(bytes)
  }
}

class World {
  readonly names: NameTable
  readonly log = new ArrayLog()
  readonly followed = new Presence(1)
  readonly store: StreamStore
  readonly broadcasts: Broadcasts
  readonly pending: PendingStreams
  readonly up = new Direction((record) => this.#atParent(record))
  readonly down = new Direction((record) => this.#atWorker(record))
  readonly #resumption = resumptionOf(this.log)

  constructor(namesMax?: number) {
    this.names = new NameTable({ seed: 1, ...(namesMax !== undefined && { namesMax }) })
    this.store = storeFor({
      subjects: {
        onFollow: (subject) => this.pending.onFollow(subject),
        onUnfollow: (subject) => this.pending.onUnfollow(subject),
      },
    })
    this.broadcasts = new Broadcasts(this.store)
    this.pending = new PendingStreams(this.store, this.up, this.broadcasts)
  }

  #atParent(record: RecordBytes): void {
    const { kind, bytes, view } = record
    if (kind === TO_PARENT.followed) this.followed.addAll(view, 0)
    else if (kind === TO_PARENT.unfollowed) this.followed.removeAll(view, 0)
    else if (kind === TO_PARENT.change) {
      const request = JSON.parse(Buffer.from(bytes).toString()) as SubjectsChange
      const router = { names: this.names, resumption: this.#resumption }
      answerSubjects(this.down, request, router, (id) => this.followed.add(id, 0))
    }
  }

  #atWorker(record: RecordBytes): void {
    const { kind, bytes, view } = record
    if (kind === TO_WORKER.changed) this.pending.subjects.onAnswer(readSubjectsAnswer(record))
    else if (kind === TO_WORKER.broadcast) this.broadcasts.send(readFrame(bytes, view, 0), NO_ACK)
    else if (this.broadcasts.isBusy) {
      this.broadcasts.wait(new Uint32Array(0), readFrame(bytes, view, 4), NO_ACK)
    } else this.store.begin(readFrame(bytes, view, 4), NO_ACK)
  }

  publish(subject: Subject): void {
    this.#send(this.names.idOf(subject))
  }

  broadcast(): void {
    this.#send(EVERYONE)
  }

  #send(target: number): void {
    const body = `${this.log.last + 1} `
    const frame = newFrame(Buffer.from(body), target !== EVERYONE, target)
    frame.number = this.log.append(frame)
    const { out } = this.down
    if (target === EVERYONE) out.begin(TO_WORKER.broadcast)
    else {
      if (this.followed.find(target) === 0) return
      out.begin(TO_WORKER.deliver)
      out.number(0)
    }
    writeFrame(out, frame)
    out.end()
  }

  async pumpAll(): Promise<void> {
    for (let round = 0; round < 3; round++) {
      this.pending.report()
      this.up.pump()
      this.down.pump()
      while (this.broadcasts.isBusy) await new Promise(setImmediate)
      this.store.flush()
    }
  }
}

/** The client of a stream, and what it was answered. */
class Client {
  readonly stream: RecordingStream
  /** In the order of the requests. */
  readonly asked: { change: SubjectsChange; result: SubjectsResult | null }[] = []
  hasLeft = false
  readonly #world: World

  constructor(world: World) {
    this.#world = world
    this.stream = openStream(world.store, 7)
  }

  ask(kind: 'subscribe' | 'unsubscribe', subjects: readonly Subject[]): void {
    const change: SubjectsChange = {
      ...{ slot: this.stream.slot, kind, subjects, isOver: false },
      done: (result) => {
        if (this.hasLeft) throw new Error('a client that has left was answered')
        if (asked.result !== null) throw new Error('it was answered twice')
        asked.result = result
      },
    }
    const asked: Client['asked'][number] = { change, result: null }
    this.asked.push(asked)
    this.#world.pending.change(change)
  }

  leave(): void {
    this.hasLeft = true
    for (const { change } of this.asked) change.isOver = true
    this.stream.leave()
  }

  get received(): number[] {
    return this.stream.text.split(' ').filter(Boolean).map(Number)
  }
}

describe('a stream that subscribes', () => {
  test('gets what is published from the cursor of its answer on', async () => {
    const world = new World()
    const client = new Client(world)
    client.ask('subscribe', ['room', 42])
    world.publish(42)
    world.up.pump()
    world.publish(42)
    world.publish('room')
    world.down.pump()
    await world.pumpAll()
    expect(client.asked[0]?.result).toMatchObject({ ok: true, value: { number: 1 } })
    expect(client.received).toEqual([2, 3])
  })

  test('is told when there is no room for its names, and follows none of them', async () => {
    const world = new World(1)
    const client = new Client(world)
    client.ask('subscribe', ['a', 'b'])
    client.ask('subscribe', ['a'])
    await world.pumpAll()
    expect(client.asked.map(({ result }) => result?.ok)).toEqual([false, true])
    expect(client.asked[0]?.result).toEqual({ ok: false, why: 'too_many_names' })
    expect(world.store.subjectsOf(client.stream.slot).length).toBe(1)
  })

  test('to too much follows what it did, and the parent counts no more', async () => {
    const world = new World()
    const client = new Client(world)
    const { subjectsMax } = identityLimits
    client.ask(
      'subscribe',
      Array.from({ length: subjectsMax }, (_, at) => at + 1),
    )
    client.ask('subscribe', [1, 1_000])
    await world.pumpAll()
    expect(client.asked[1]?.result).toEqual({ ok: false, why: 'too_many_subjects' })
    expect(world.followed.open[0]).toBe(subjectsMax)
  })

  test('and leaves before the answer leaves nothing, also to the next one of its slot', async () => {
    const world = new World()
    const client = new Client(world)
    client.ask('subscribe', ['room'])
    client.leave()
    const next = new Client(world)
    expect(next.stream.slot).toBe(client.stream.slot)
    await world.pumpAll()
    expect([world.followed.open[0], world.store.subjectsOf(next.stream.slot)]).toEqual([0, []])
  })

  test('while a broadcast goes on gets nothing of before it', async () => {
    const world = new World()
    for (let at = 0; at < 600; at++) openStream(world.store, 8)
    const [client, other] = [new Client(world), new Client(world)]
    other.ask('subscribe', [42])
    await world.pumpAll()
    world.broadcast()
    world.publish(42)
    client.ask('subscribe', [42])
    world.up.pump()
    world.publish(42)
    world.down.pump()
    expect([world.broadcasts.isBusy, client.asked[0]?.result]).toEqual([true, null])
    await world.pumpAll()
    expect(client.asked[0]?.result).toMatchObject({ ok: true, value: { number: 2 } })
    expect([client.received, other.received]).toEqual([
      [1, 3],
      [1, 2, 3],
    ])
  })
})

const subject = fc.constantFrom<Subject>('a', 'b', 'c', 1, 2)
const who = fc.nat(5)
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ does: fc.constant('publish'), subject }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('broadcast') }) },
  {
    weight: 6,
    arbitrary: fc.record({
      does: fc.constantFrom('subscribe', 'unsubscribe'),
      who,
      subjects: fc.uniqueArray(subject, { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('leave'), who }) },
  { weight: 5, arbitrary: fc.record({ does: fc.constantFrom('up', 'down', 'report', 'flush') }) },
) as fc.Arbitrary<{
  readonly does: string
  readonly who?: number
  readonly subject?: Subject
  readonly subjects?: readonly Subject[]
}>

/** The numbers of messages that a client is to get, by what it was told. */
function expectedOf(client: Client, messages: readonly (Subject | null)[]): number[] {
  const from = new Map<Subject, number>()
  const expected = new Set<number>()
  const about = (subject: Subject, after: number, to: number) => {
    for (let number = after + 1; number <= to; number++) {
      if (messages[number - 1] === subject) expected.add(number)
    }
  }
  for (const { change, result } of client.asked) {
    if (result === null || !result.ok) continue
    for (const subject of change.subjects) {
      const began = from.get(subject)
      if (change.kind === 'subscribe') from.set(subject, began ?? result.value.number)
      else {
        if (began !== undefined) about(subject, began, result.value.number)
        from.delete(subject)
      }
    }
  }
  for (const [subject, began] of from) about(subject, began, messages.length)
  return [...expected].sort((a, b) => a - b)
}

test('whatever clients and publishers do, each gets what it was told that it would, once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
      const world = new World()
      const clients = Array.from({ length: 3 }, () => new Client(world))
      const messages: (Subject | null)[] = []
      for (const { does, who = 0, subject = 1, subjects = [] } of steps) {
        const present = clients.filter(({ hasLeft }) => !hasLeft)
        const client = present[who % present.length] as Client
        if (does === 'publish') {
          world.publish(subject)
          messages.push(subject)
        } else if (does === 'broadcast') {
          world.broadcast()
          messages.push(null)
        } else if (does === 'leave') {
          client.leave()
          clients.push(new Client(world))
        } else if (does === 'up') world.up.pump()
        else if (does === 'down') world.down.pump()
        else if (does === 'report') world.pending.report()
        else if (does === 'flush') world.store.flush()
        else client.ask(does as 'subscribe', subjects)
      }
      await world.pumpAll()
      let following = 0
      for (const client of clients) {
        if (client.hasLeft) continue
        expect(client.asked.every(({ result }) => result?.ok === true)).toBe(true)
        const about = client.received.filter((number) => messages[number - 1] !== null)
        expect(about).toEqual(expectedOf(client, messages))
        following += world.store.subjectsOf(client.stream.slot).length
      }
      expect(world.followed.open[0]).toBe(following)
      for (const client of clients) if (!client.hasLeft) client.leave()
      await world.pumpAll()
      expect([world.followed.open[0], world.followed.users]).toEqual([0, 0])
    }),
    { numRuns: 500 },
  )
})
