// The parent's side of all workers together: who holds whom, the way of a frame to them, their
// figures, and their end. To the rest of the server it is where streams are.

import type { Clock } from '../core/clock.ts'
import { addHistograms, emptyHistogram, type HistogramFigures } from '../core/histogram.ts'
import { streamLimits, workerLimits } from '../core/limits.ts'
import { LAG_BOUNDS_SECONDS } from '../core/loop.ts'
import { type Pace, shareOf } from '../hub/drain.ts'
import { addTotals, NO_TOTALS, type StreamFigures, type StreamTotals } from '../hub/figures.ts'
import type { Doorman } from '../hub/limiter.ts'
import type { StreamRules } from '../hub/rules.ts'
import type { UserPresence } from '../hub/store.ts'
import { Enquiry } from './enquiry.ts'
import { Gathering } from './gather.ts'
import { jsonOf, type Link } from './link.ts'
import { Presence } from './presence.ts'
import { type Drained, TO_PARENT, TO_WORKER, type WorkerStart } from './protocol.ts'
import type { RecordBytes } from './records.ts'
import { Slot, type SlotOwner, type SlotState } from './worker.ts'
import { Relay } from './worker-outlet.ts'

export interface WorkersOptions {
  readonly count: number
  /** Are there more workers than cores? */
  readonly sharesCores: boolean
  readonly command: readonly string[]
  readonly start: (number: number) => WorkerStart
  readonly clock: Clock
  /** Whom workers ask whether a stream may be opened. */
  readonly doorman: Doorman
  /** A worker that had ended is there again. */
  readonly onRestart: (worker: number, pid: number) => void
  /** A worker has ended, with so many streams. */
  readonly onDown: (worker: number, streams: number, why: string, restartMs: number | null) => void
}

/** What all processes in one worker's place together have used, so that it never falls. */
export interface Spent {
  readonly cpuSeconds: number
  /** How late their loops were, in seconds. */
  readonly loopLag: HistogramFigures
  /** Lines of their logs that could not be written. */
  readonly logLinesDropped: number
}

const NOTHING_SPENT: Spent = {
  cpuSeconds: 0,
  loopLag: emptyHistogram(LAG_BOUNDS_SECONDS),
  logLinesDropped: 0,
}

function addSpent(one: Spent, other: Spent): Spent {
  return {
    cpuSeconds: one.cpuSeconds + other.cpuSeconds,
    loopLag: addHistograms(one.loopLag, other.loopLag),
    logLinesDropped: one.logLinesDropped + other.logLinesDropped,
  }
}

/** One worker, as the control port shows it. */
export interface WorkerFigures {
  readonly number: number
  readonly state: SlotState
  readonly pid: number | null
  readonly restarts: number
  readonly unansweredBytes: number
  /** How long it has given no sign of life. */
  readonly silentMs: number
  readonly spent: Spent
  /** What it told last; null before it first did. */
  readonly streams: StreamFigures | null
}

export class Workers implements SlotOwner {
  readonly presence: Presence
  readonly relay: Relay
  /** Totals of workers that are gone, so that no figure of the server ever falls. */
  past: StreamTotals = NO_TOTALS
  /** Streams that ended with their worker. */
  lost = 0
  /** What ended workers have spent, by their places. */
  readonly #spent = new Map<Slot, Spent>()

  readonly #options: WorkersOptions
  readonly #slots: readonly Slot[]
  readonly #enquiry = new Enquiry()
  #timer: Timer | null = null
  #draining = false
  /** Did a client have to be cut? */
  #cut = false
  /** Workers that may have been told to start by rules that have changed since. */
  readonly #outdated = new Set<Slot>()
  /** Workers that have said that they are drained. */
  readonly #done = new Set<Slot>()
  /** Told of each start and end, while the server starts or stops. */
  #onChange: (slot: Slot, why: string | null) => void = () => undefined

  constructor(options: WorkersOptions) {
    const { count, sharesCores, command, start, clock } = options
    this.#options = options
    this.presence = new Presence(count)
    this.relay = new Relay(this.presence, count, new Gathering(clock, sharesCores))
    this.#slots = Array.from(
      { length: count },
      (_, number) => new Slot({ number, start: () => start(number), command, owner: this, clock }),
    )
  }

  /** Starts all; answers why one did not open its port, or null when all have. */
  async start(): Promise<string | null> {
    const { promise, resolve } = Promise.withResolvers<string | null>()
    this.#onChange = (_, why) => {
      if (why !== null) resolve(why)
      else if (this.#slots.every(({ state }) => state === 'running')) resolve(null)
    }
    for (const slot of this.#slots) slot.start()
    const why = await promise
    this.#onChange = () => undefined
    if (why !== null) for (const slot of this.#slots) slot.kill()
    else this.#timer = setInterval(() => this.#tick(), workerLimits.lifeEveryMs)
    return why
  }

  /** Does no worker take streams? */
  get full(): boolean {
    return this.#slots.every(
      ({ state, isSilent, figures }) => state !== 'running' || isSilent || figures?.full === true,
    )
  }

  /** Workers that have given no sign of life for a while. */
  get silent(): number[] {
    return this.#slots.filter(({ isSilent }) => isSilent).map(({ number }) => number)
  }

  /** From now on these rules hold, for workers that are there; `start` has them for those to come. */
  change(rules: StreamRules): void {
    for (const slot of this.#slots) {
      if (slot.link === null) this.#outdated.add(slot)
      else slot.link.json(TO_WORKER.change, rules)
    }
  }

  /** The figures of all, as fresh as can be had within a moment. */
  async figures(): Promise<WorkerFigures[]> {
    await Promise.all(this.#slots.map((slot) => slot.ask()))
    return this.told()
  }

  /** The same as they were told last, which is a second ago at most, without asking. */
  told(): WorkerFigures[] {
    return this.#slots.map((slot) => {
      const { number, state, pid, restarts, silentMs, figures } = slot
      return {
        ...{ number, state, pid, restarts, silentMs },
        unansweredBytes: this.relay.unansweredBytes(number),
        spent: this.#spentBy(slot),
        streams: figures,
      }
    })
  }

  #spentBy(slot: Slot): Spent {
    const past = this.#spent.get(slot) ?? NOTHING_SPENT
    return slot.figures === null ? past : addSpent(past, slot.figures)
  }

  /** A user's streams, as the workers that hold them tell. */
  async userPresence(user: number): Promise<UserPresence> {
    await this.relay.caughtUp()
    const count = this.presence.find(user)
    // The table's own count: a worker that hangs does not make a user less connected.
    const connections = this.presence.found.streams.subarray(0, count).reduce((a, b) => a + b, 0)
    const links = [...this.presence.found.workers.subarray(0, count)]
      .map((worker) => this.#slots[worker]?.link ?? null)
      .filter((link) => link !== null)
    return { connections, sinceMs: await this.#enquiry.since(user, links) }
  }

  /**
   * Ends all streams properly, then the workers; the ones that take too long are ended anyway.
   *
   * @returns whether there were clients that had to be cut
   */
  async drain(pace: Pace): Promise<boolean> {
    this.#draining = true
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = () => {
      if (this.#slots.every(({ state }) => state === 'ended')) resolve()
    }
    this.#onChange = look
    for (const slot of this.#slots) {
      slot.retire()
      const { link } = slot
      if (link === null) slot.kill()
      else {
        link.json(TO_WORKER.drain, shareOf(pace, this.#slots.length))
        link.flushSoon()
      }
    }
    look()
    const timer = setTimeout(
      () => {
        this.#cut = true
        for (const slot of this.#slots) slot.kill()
      },
      pace.ms + streamLimits.drainMsMax + workerLimits.endMsMax,
    )
    await promise
    clearTimeout(timer)
    if (this.#timer !== null) clearInterval(this.#timer)
    return this.#cut
  }

  onUp(slot: Slot, link: Link): void {
    this.relay.connect(slot.number, link)
    if (this.#outdated.delete(slot)) {
      link.json(TO_WORKER.change, this.#options.start(slot.number).rules)
    }
    if (slot.restarts > 0) this.#options.onRestart(slot.number, slot.pid ?? 0)
    this.#onChange(slot, null)
  }

  onDown(slot: Slot, why: string, restartMs: number | null): void {
    const streams = this.presence.removeWorker(slot.number)
    this.relay.disconnect(slot.number)
    this.#options.doorman.forget(slot.number)
    if (slot.figures !== null) {
      // Of the same moment, so that what was opened is what was closed or lost.
      this.past = addTotals(this.past, slot.figures)
      this.lost += slot.figures.open
      this.#spent.set(slot, this.#spentBy(slot))
      slot.figures = null
    }
    const isDone = this.#done.has(slot)
    if (this.#draining && !isDone && streams > 0) this.#cut = true
    if (!this.#draining || !isDone) this.#options.onDown(slot.number, streams, why, restartMs)
    this.#onChange(slot, why)
  }

  onRecord(slot: Slot, record: RecordBytes): void {
    if (record.kind === TO_PARENT.took) this.relay.took(slot.number, record.view)
    else if (record.kind === TO_PARENT.came) this.#came(slot, record.view)
    else if (record.kind === TO_PARENT.left) this.#left(slot, record.view)
    else if (record.kind === TO_PARENT.knock) this.#knocked(slot, record)
    else if (record.kind === TO_PARENT.parted)
      this.#options.doorman.left(slot.number, jsonOf(record))
    else if (record.kind === TO_PARENT.presence) this.#enquiry.answered(jsonOf(record))
    else if (record.kind === TO_PARENT.drained) this.#drained(slot, jsonOf(record))
    else throw new Error(`a worker sent a record of kind ${record.kind}`)
  }

  #tick(): void {
    for (const slot of this.#slots) slot.tick()
  }

  #came({ number }: Slot, users: DataView): void {
    for (let at = 0; at < users.byteLength; at += 4) {
      this.presence.add(users.getUint32(at, true), number)
    }
  }

  #left({ number }: Slot, users: DataView): void {
    for (let at = 0; at < users.byteLength; at += 4) {
      this.presence.remove(users.getUint32(at, true), number)
    }
  }

  /** A stream wants to be opened. */
  #knocked({ number, link }: Slot, record: RecordBytes): void {
    const verdict = this.#options.doorman.ask(number, jsonOf<string | null>(record, 4))
    link?.json(TO_WORKER.verdict, verdict, record.view.getUint32(0, true))
  }

  #drained(slot: Slot, { cut }: Drained): void {
    this.#cut ||= cut
    this.#done.add(slot)
    slot.link?.close()
  }
}
