// The parent's side of all workers together: who holds whom, the way of a frame to them, their
// figures, and their end. To the rest of the server it is where streams are.

import type { Clock } from '../core/clock.ts'
import { addHistograms, emptyHistogram, type HistogramFigures } from '../core/histogram.ts'
import { streamLimits, workerLimits } from '../core/limits.ts'
import { LAG_BOUNDS_SECONDS } from '../core/loop.ts'
import { type Pace, shareOf } from '../hub/drain.ts'
import { addTotals, NO_TOTALS, type StreamFigures, type StreamTotals } from '../hub/figures.ts'
import type { StreamLimiter } from '../hub/limiter.ts'
import type { StreamRules } from '../hub/rules.ts'
import type { UserPresence } from '../hub/store.ts'
import { PresenceQuery } from './enquiry.ts'
import { Gathering } from './gather.ts'
import { jsonOf, type Link } from './link.ts'
import { Presence } from './presence.ts'
import { type Drained, TO_PARENT, TO_WORKER, type WorkerStart } from './protocol.ts'
import type { RecordBytes } from './records.ts'
import { type WorkerOwner, WorkerProcess, type WorkerState } from './worker.ts'
import { WorkerOutlet } from './worker-outlet.ts'

export interface SupervisorOptions {
  readonly count: number
  /** Are there more workers than cores? */
  readonly sharesCores: boolean
  readonly command: readonly string[]
  readonly start: (number: number) => WorkerStart
  readonly clock: Clock
  /** Whom workers ask whether a stream may be opened. */
  readonly limiter: StreamLimiter
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
  readonly state: WorkerState
  readonly pid: number | null
  readonly restarts: number
  readonly unackedBytes: number
  /** How long it has given no sign of life. */
  readonly silentMs: number
  readonly spent: Spent
  /** What it told last; null before it first did. */
  readonly streams: StreamFigures | null
}

export class Supervisor implements WorkerOwner {
  readonly presence: Presence
  readonly outlet: WorkerOutlet
  /** Totals of workers that are gone, so that no figure of the server ever falls. */
  past: StreamTotals = NO_TOTALS
  /** Streams that ended with their worker. */
  lost = 0
  /** What ended workers have spent, by their places. */
  readonly #spent = new Map<WorkerProcess, Spent>()

  readonly #options: SupervisorOptions
  readonly #workers: readonly WorkerProcess[]
  readonly #presenceQuery = new PresenceQuery()
  #timer: Timer | null = null
  #draining = false
  /** Did a client have to be cut? */
  #cut = false
  /** Workers that may have been told to start by rules that have changed since. */
  readonly #outdated = new Set<WorkerProcess>()
  /** Workers that have said that they are drained. */
  readonly #done = new Set<WorkerProcess>()
  /** Told of each start and end, while the server starts or stops. */
  #onChange: (worker: WorkerProcess, why: string | null) => void = () => undefined

  constructor(options: SupervisorOptions) {
    const { count, sharesCores, command, start, clock } = options
    this.#options = options
    this.presence = new Presence(count)
    this.outlet = new WorkerOutlet(this.presence, count, new Gathering(clock, sharesCores))
    this.#workers = Array.from(
      { length: count },
      (_, number) =>
        new WorkerProcess({ number, start: () => start(number), command, owner: this, clock }),
    )
  }

  /** Starts all; answers why one did not open its port, or null when all have. */
  async start(): Promise<string | null> {
    const { promise, resolve } = Promise.withResolvers<string | null>()
    this.#onChange = (_, why) => {
      if (why !== null) resolve(why)
      else if (this.#workers.every(({ state }) => state === 'running')) resolve(null)
    }
    for (const worker of this.#workers) worker.start()
    const why = await promise
    this.#onChange = () => undefined
    if (why !== null) for (const worker of this.#workers) worker.kill()
    else this.#timer = setInterval(() => this.#tick(), workerLimits.lifeEveryMs)
    return why
  }

  /** Does no worker take streams? */
  get full(): boolean {
    return this.#workers.every(
      ({ state, isSilent, figures }) => state !== 'running' || isSilent || figures?.full === true,
    )
  }

  /** Workers that have given no sign of life for a while. */
  get silent(): number[] {
    return this.#workers.filter(({ isSilent }) => isSilent).map(({ number }) => number)
  }

  /** From now on these rules hold, for workers that are there; `start` has them for those to come. */
  change(rules: StreamRules): void {
    for (const worker of this.#workers) {
      if (worker.link === null) this.#outdated.add(worker)
      else worker.link.json(TO_WORKER.change, rules)
    }
  }

  /** The figures of all, as fresh as can be had within a moment. */
  async figures(): Promise<WorkerFigures[]> {
    await Promise.all(this.#workers.map((worker) => worker.ask()))
    return this.told()
  }

  /** The same as they were told last, which is a second ago at most, without asking. */
  told(): WorkerFigures[] {
    return this.#workers.map((worker) => {
      const { number, state, pid, restarts, silentMs, figures } = worker
      return {
        ...{ number, state, pid, restarts, silentMs },
        unackedBytes: this.outlet.unackedBytes(number),
        spent: this.#spentBy(worker),
        streams: figures,
      }
    })
  }

  #spentBy(worker: WorkerProcess): Spent {
    const past = this.#spent.get(worker) ?? NOTHING_SPENT
    return worker.figures === null ? past : addSpent(past, worker.figures)
  }

  /** A user's streams, as the workers that hold them tell. */
  async userPresence(user: number): Promise<UserPresence> {
    await this.outlet.sync()
    const count = this.presence.find(user)
    // The table's own count: a worker that hangs does not make a user less connected.
    const connections = this.presence.found.streams.subarray(0, count).reduce((a, b) => a + b, 0)
    const links = [...this.presence.found.workers.subarray(0, count)]
      .map((worker) => this.#workers[worker]?.link ?? null)
      .filter((link) => link !== null)
    return { connections, sinceMs: await this.#presenceQuery.since(user, links) }
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
      if (this.#workers.every(({ state }) => state === 'ended')) resolve()
    }
    this.#onChange = look
    for (const worker of this.#workers) {
      worker.retire()
      const { link } = worker
      if (link === null) worker.kill()
      else {
        link.json(TO_WORKER.drain, shareOf(pace, this.#workers.length))
        link.flushSoon()
      }
    }
    look()
    const timer = setTimeout(
      () => {
        this.#cut = true
        for (const worker of this.#workers) worker.kill()
      },
      pace.ms + streamLimits.drainMsMax + workerLimits.endMsMax,
    )
    await promise
    clearTimeout(timer)
    if (this.#timer !== null) clearInterval(this.#timer)
    return this.#cut
  }

  onUp(worker: WorkerProcess, link: Link): void {
    this.outlet.connect(worker.number, link)
    if (this.#outdated.delete(worker)) {
      link.json(TO_WORKER.change, this.#options.start(worker.number).rules)
    }
    if (worker.restarts > 0) this.#options.onRestart(worker.number, worker.pid ?? 0)
    this.#onChange(worker, null)
  }

  onDown(worker: WorkerProcess, why: string, restartMs: number | null): void {
    const streams = this.presence.removeWorker(worker.number)
    this.outlet.disconnect(worker.number)
    this.#options.limiter.forget(worker.number)
    if (worker.figures !== null) {
      // Of the same moment, so that what was opened is what was closed or lost.
      this.past = addTotals(this.past, worker.figures)
      this.lost += worker.figures.open
      this.#spent.set(worker, this.#spentBy(worker))
      worker.figures = null
    }
    const isDone = this.#done.has(worker)
    if (this.#draining && !isDone && streams > 0) this.#cut = true
    if (!this.#draining || !isDone) this.#options.onDown(worker.number, streams, why, restartMs)
    this.#onChange(worker, why)
  }

  onRecord(worker: WorkerProcess, record: RecordBytes): void {
    if (record.kind === TO_PARENT.took) this.outlet.took(worker.number, record.view)
    else if (record.kind === TO_PARENT.came) this.#came(worker, record.view)
    else if (record.kind === TO_PARENT.left) this.#left(worker, record.view)
    else if (record.kind === TO_PARENT.knock) this.#knocked(worker, record)
    else if (record.kind === TO_PARENT.parted)
      this.#options.limiter.left(worker.number, jsonOf(record))
    else if (record.kind === TO_PARENT.presence) this.#presenceQuery.answered(jsonOf(record))
    else if (record.kind === TO_PARENT.drained) this.#drained(worker, jsonOf(record))
    else throw new Error(`a worker sent a record of kind ${record.kind}`)
  }

  #tick(): void {
    for (const worker of this.#workers) worker.tick()
  }

  #came({ number }: WorkerProcess, users: DataView): void {
    for (let at = 0; at < users.byteLength; at += 4) {
      this.presence.add(users.getUint32(at, true), number)
    }
  }

  #left({ number }: WorkerProcess, users: DataView): void {
    for (let at = 0; at < users.byteLength; at += 4) {
      this.presence.remove(users.getUint32(at, true), number)
    }
  }

  /** A stream wants to be opened. */
  #knocked({ number, link }: WorkerProcess, record: RecordBytes): void {
    const verdict = this.#options.limiter.ask(number, jsonOf<string | null>(record, 4))
    link?.json(TO_WORKER.verdict, verdict, record.view.getUint32(0, true))
  }

  #drained(worker: WorkerProcess, { cut }: Drained): void {
    this.#cut ||= cut
    this.#done.add(worker)
    worker.link?.close()
  }
}
