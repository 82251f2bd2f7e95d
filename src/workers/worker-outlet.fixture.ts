// Workers that are played by hand, for tests of the relay: over the real records, but in this
// process, and with no link between.

import { expect } from 'bun:test'
import { systemClock } from '../core/clock.ts'
import { Receipt } from '../hub/receipt.ts'
import { textFrame } from '../hub/stream.fixture.ts'
import { Gathering, type WorkerLink } from './gather.ts'
import { Presence } from './presence.ts'
import { readFrame, TO_WORKER } from './protocol.ts'
import { HEAD_BYTES, RecordReader, RecordWriter } from './records.ts'
import { WorkerOutlet } from './worker-outlet.ts'

/** What a worker was handed. */
export interface Handed {
  readonly users: readonly number[]
  readonly text: string
  readonly recordBytes: number
}

/** A worker that takes what it was sent when told, and answers when told. */
export class FakeWorker implements WorkerLink {
  readonly out = new RecordWriter()
  flushes = 0
  /** All it has got, and from `answered` on what it has not answered for. */
  readonly got: Handed[] = []
  answered = 0
  /** Whose messages it was told it did not get, and how many it had got before. */
  readonly skipped: { readonly ids: readonly number[]; readonly behind: number }[] = []
  readonly #reader = new RecordReader(({ kind, bytes, view }) => {
    if (kind === TO_WORKER.skipped) {
      const ids = Array.from({ length: bytes.length / 4 }, (_, at) => view.getUint32(4 * at, true))
      this.skipped.push({ ids, behind: this.got.length })
      return
    }
    expect(kind).toBe(TO_WORKER.deliver)
    const users = Array.from({ length: view.getUint32(0, true) }, (_, at) =>
      view.getUint32(4 + at * 4, true),
    )
    const frame = readFrame(bytes, view, 4 + users.length * 4)
    const text = new TextDecoder().decode(frame.bytes)
    this.got.push({ users, text, recordBytes: bytes.length + HEAD_BYTES })
  })

  flushSoon(): void {
    this.flushes++
  }

  /** Reads what has been written to it, and answers all it has got. */
  read(): readonly Handed[] {
    this.#reader.push(this.out.waiting())
    this.out.sent(this.out.length)
    return this.got
  }

  /** The answer to its oldest frames, one count each. */
  answer(...counts: readonly number[]): DataView {
    const of = this.read().slice(this.answered, this.answered + counts.length)
    this.answered += of.length
    const bytes = of.reduce((sum, { recordBytes }) => sum + recordBytes, 0)
    return new DataView(Uint32Array.of(bytes, ...counts).buffer)
  }
}

/** Streams, each a user and a worker. */
export type Streams = readonly (readonly [user: number, worker: number])[]

/** @param followed subjects that streams of workers follow for themselves */
export function outletFor(streams: Streams, count = 3, followed: Streams = []) {
  const presence = new Presence(count)
  const subjects = new Presence(count)
  for (const [subject, worker] of followed) subjects.add(subject, worker)
  for (const [user, worker] of streams) presence.add(user, worker)
  const outlet = new WorkerOutlet(
    { users: presence, subjects },
    count,
    new Gathering(systemClock, false),
  )
  const workers = Array.from({ length: count }, () => new FakeWorker())
  for (const [number, worker] of workers.entries()) outlet.connect(number, worker)
  const totals = { accepted: 0, dropped: 0, deliveries: 0, skipped: 0, unknown: 0 }
  return {
    presence,
    outlet,
    totals,
    receipt: () => new Receipt(totals),
    deliver: (receipt: Receipt, text: string, user: number, ...followers: number[]) => {
      receipt.pending++
      outlet.deliver(user, Uint32Array.from(followers), textFrame(text), receipt)
    },
    worker: (number: number): FakeWorker => {
      const worker = workers[number]
      if (worker === undefined) throw new Error(`no worker ${number}`)
      return worker
    },
    answer: (number: number, ...counts: number[]) => {
      const worker = workers[number]
      if (worker !== undefined) outlet.ack(number, worker.answer(...counts))
    },
    got: () => workers.map((worker) => worker.read().map(({ users, text }) => [text, ...users])),
  }
}
