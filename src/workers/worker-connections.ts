// The connections that the workers hold, as they report them: who has which users, and of each
// stream, by its slot, whose it is and since when, so that the feed tells of all that a worker held
// when it has ended. In typed arrays, since there may be millions: 12 bytes a stream.

import type { Clock } from '../core/clock.ts'
import { grown } from '../core/typed-array.ts'
import type { ConnectionOwner, HeldConnection, HeldPage } from '../hub/feed.ts'
import { CLOSES, type CloseReason } from '../hub/refusals.ts'
import type { Presence } from './presence.ts'
import { longNumberAt, type RecordWriter } from './records.ts'

/** By their number in a record. */
const REASONS = Object.keys(CLOSES) as CloseReason[]
const NUMBERS = Object.fromEntries(REASONS.map((reason, at) => [reason, at])) as Record<
  CloseReason,
  number
>
/** A slot has 24 bits: a process has no more descriptors. */
const SLOT_BITS = 24
const SLOTS = 2 ** SLOT_BITS
const SLOT_MASK = SLOTS - 1
const OPENED_BYTES = 16
const PROCESSES_MAX = 65_535

/** Of a record of streams that were opened. Hot path: once a stream. */
export function writeOpened(out: RecordWriter, slot: number, user: number, sinceUs: number): void {
  out.number(slot)
  out.number(user)
  out.longNumber(sinceUs)
}

/** Of a record of streams that were closed. Hot path: once a stream. */
export function writeClosed(out: RecordWriter, slot: number, reason: CloseReason): void {
  out.number((NUMBERS[reason] << SLOT_BITS) | slot)
}

/** Slots that there is room for at first, and by how much more it grows: memory of one that has
 * very many is to be what they take. */
const FIRST_SLOTS = 1_024
const GROWTH = 1.25

/** The streams of one worker, by slot. */
class HeldStreams {
  /** The number of its process among those of this run. */
  process: number
  /** 0 where there is none. */
  user = new Uint32Array(0)
  /** In microseconds since 1970. */
  sinceUs = new Float64Array(0)

  constructor(process: number) {
    this.process = process
  }

  open(slot: number, user: number, sinceUs: number): void {
    if (slot >= this.user.length) {
      const length = Math.max(FIRST_SLOTS, Math.ceil(slot * GROWTH))
      this.user = grown(this.user, length)
      this.sinceUs = grown(this.sinceUs, length)
    }
    this.user[slot] = user
    this.sinceUs[slot] = sinceUs
  }
}

export interface WorkerConnectionsOptions {
  readonly workers: number
  readonly presence: Presence
  /** Null without a feed. */
  readonly feed: ConnectionOwner | null
  readonly clock: Clock
}

export class WorkerConnections {
  readonly #presence: Presence
  readonly #feed: ConnectionOwner | null
  readonly #clock: Clock
  readonly #held: readonly HeldStreams[]
  /** The number of the last process; this one has 0. */
  #processes = 0

  constructor({ workers, presence, feed, clock }: WorkerConnectionsOptions) {
    this.#presence = presence
    this.#feed = feed
    this.#clock = clock
    this.#held = Array.from({ length: workers }, () => new HeldStreams(this.#nextProcess()))
  }

  /** The feed has 16 bits for it; after so many restarts another one is meant by the time. */
  #nextProcess(): number {
    this.#processes = (this.#processes % PROCESSES_MAX) + 1
    return this.#processes
  }

  /** One stream was opened. Hot path. */
  onOpened(worker: number, slot: number, user: number, sinceUs: number): void {
    const held = this.#of(worker)
    held.open(slot, user, sinceUs)
    this.#presence.add(user, worker)
    this.#feed?.opened({ user, process: held.process, sinceUs })
  }

  /** @param record what {@link writeOpened} has written, once or more */
  onAllOpened(worker: number, record: DataView): void {
    for (let at = 0; at < record.byteLength; at += OPENED_BYTES) {
      const [slot, user] = [record.getUint32(at, true), record.getUint32(at + 4, true)]
      this.onOpened(worker, slot, user, longNumberAt(record, at + 8))
    }
  }

  /** @param record what {@link writeClosed} has written, once or more */
  onAllClosed(worker: number, record: DataView): void {
    const nowMs = this.#clock.nowMs()
    const held = this.#of(worker)
    for (let at = 0; at < record.byteLength; at += 4) {
      const closed = record.getUint32(at, true)
      const slot = closed & SLOT_MASK
      const user = held.user[slot] ?? 0
      if (user === 0) throw new Error(`worker ${worker} has no stream in slot ${slot}`)
      held.user[slot] = 0
      this.#presence.remove(user, worker)
      const connection = { user, process: held.process, sinceUs: held.sinceUs[slot] as number }
      const reason = REASONS[closed >>> SLOT_BITS] ?? 'client'
      this.#feed?.closed(connection, reason, this.#presence.find(user) > 0, nowMs)
    }
  }

  /** The process of the worker is gone, and all that it held. Answers how many streams it had. */
  onDown(worker: number): number {
    const streams = this.#presence.removeWorker(worker)
    const nowMs = this.#clock.nowMs()
    const held = this.#of(worker)
    const { process, user: users, sinceUs } = held
    held.process = this.#nextProcess()
    for (const [slot, user] of users.entries()) {
      if (user === 0) continue
      users[slot] = 0
      const connection = { user, process, sinceUs: sinceUs[slot] as number }
      this.#feed?.closed(connection, 'lost', this.#presence.find(user) > 0, nowMs)
    }
    return streams
  }

  /** See {@link StreamHost}: a place is a worker and a slot, behind which the others are. */
  connectionsFrom(place: number, countMax: number): HeldPage {
    const connections: HeldConnection[] = []
    let slot = place & SLOT_MASK
    for (let worker = Math.floor(place / SLOTS); worker < this.#held.length; worker++) {
      const { process, user: users, sinceUs } = this.#of(worker)
      while (++slot < users.length) {
        const user = users[slot] as number
        if (user === 0) continue
        connections.push({ user, process, sinceUs: sinceUs[slot] as number })
        if (connections.length === countMax) return { connections, next: worker * SLOTS + slot }
      }
      slot = 0
    }
    return { connections, next: null }
  }

  #of(worker: number): HeldStreams {
    const held = this.#held[worker]
    if (held === undefined) throw new Error(`there is no worker ${worker}`)
    return held
  }
}
