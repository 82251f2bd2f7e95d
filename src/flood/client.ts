// One process's share of a flood: opens its streams, churns and reconnects them, and ends the run.
// What they receive is the stream reader's; their connections are those of connections.ts.

import type { Clock } from '../core/clock.ts'
import { dueAtMs, dueCount, type Schedule } from '../core/pacer.ts'
import { floodLimits } from '../core/tool-limits.ts'
import type { Connections } from './connections.ts'
import { FaultInjector } from './fault-injector.ts'
import { openConnections } from './open-connections.ts'
import { churnedCount, reconnectDelayMs, type Share } from './plan.ts'
import { Positions } from './positions.ts'
import { ProcessStats } from './process-stats.ts'
import { closeFrame, pongFrame, RequestWriter } from './request.ts'
import type { GeneratorArrivals } from './sequences.ts'
import { Storm } from './storm.ts'
import { StreamReader } from './stream-reader.ts'
import { STREAM, Streams } from './streams.ts'

/** From the first id to the last, both included. */
export type IdRange = readonly [first: number, last: number]

/** Faults that end the body in order, so that its last line counts even without a line end. */
const ENDS: ReadonlySet<string> = new Set(['ended', 'cut_short'])

export class FloodClient {
  readonly stats = new ProcessStats()
  /** Resolves when every connection is over, or the run was stopped. */
  readonly finished: Promise<void>

  readonly #share: Share
  /** When connections are due, after the start; null for all at once. */
  readonly #schedule: Schedule | null
  readonly #clock: Clock
  readonly #random: () => number
  readonly #reader: StreamReader
  readonly #connections: Connections
  readonly #faults: FaultInjector
  readonly #streams: Streams
  /** Null for streams that are of no format. */
  readonly #positions: Positions | null
  /** Indexes of streams without their first byte, and when they were begun. */
  readonly #connecting = new Map<number, number>()
  /** Indexes of streams to begin again, and when. */
  readonly #reconnects = new Map<number, number>()
  /** Failures in a row by index, of a run that reconnects. */
  readonly #failures = new Map<number, number>()
  #startedMs = 0
  /** When all had been begun, and were open or over for the first time; null before. */
  #settledMs: number | null = null
  #churned = 0
  #isStopping = false
  /** No stream is begun or churned any more. */
  #isEnding = false
  /** Those that are away come back, nevertheless. */
  #isReturning = false
  #timer: Timer | null = null
  /** When the timer is due. */
  #timerMs = 0
  #stormTimer: Timer | null = null
  readonly #finish: () => void

  constructor(share: Share, clock: Clock, random: () => number = Math.random) {
    this.#share = share
    this.#clock = clock
    this.#random = random
    const { behaviour, connections, firstId, ratePerSecond } = share
    this.#schedule =
      ratePerSecond === null ? null : { firstMs: 0, intervalMs: 1000 / ratePerSecond }
    this.#streams = new Streams(connections)
    const { format, resume } = behaviour
    this.#positions = format === 'test' ? null : new Positions(connections, resume)
    const requests = new RequestWriter(behaviour, firstId, this.#positions)
    const { accept } = requests
    const [streams, positions, stats] = [this.#streams, this.#positions, this.stats]
    const reads = { streams, positions, behaviour, firstId, clock, stats, accept }
    const onFault = (index: number, kind: string) => this.#onFault(index, kind)
    this.#reader = new StreamReader(reads, {
      onStream: (index) => this.#onOpen(index),
      onNoStream: onFault,
      onPing: (index, payload) => this.#connections.send(index, pongFrame(payload)),
      onClose: (index, payload) => this.#connections.send(index, closeFrame(payload)),
      onAnswer: (index) => {
        const end = requests.write(index)
        this.#connections.send(index, requests.bytes.subarray(0, end))
      },
    })
    this.#connections = openConnections(share, requests, clock, {
      onBytes: (index, bytes, end) => this.#onBytes(index, bytes, end),
      onEnd: onFault,
      idleMs: () => (this.#timer === null ? Infinity : this.#timerMs - clock.elapsedMs()),
    })
    this.#faults = new FaultInjector(behaviour, this.#connections, this.#streams)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.finished = promise
    this.#finish = resolve
  }

  /** Which messages came, of a run that is compared. */
  get arrivals(): readonly GeneratorArrivals[] {
    return this.#reader.arrivals?.all() ?? []
  }

  start(): void {
    this.#startedMs = this.#clock.elapsedMs()
    this.#openMore()
    this.#arm()
  }

  /**
   * Opens no more streams, reads until nothing more arrives, and closes every stream.
   *
   * @param quietMs silence after which nothing more arrives
   */
  async stop(quietMs: number = floodLimits.quietMs): Promise<void> {
    if (this.#isStopping) return this.finished
    this.#isStopping = true
    this.#isEnding = true
    if (this.#share.behaviour.resume) await this.#untilBack()
    await this.#untilQuiet(quietMs)
    this.#failUnopened()
    this.#countAway()
    for (let index = 0; index < this.#streams.begun; index++) this.#close(index)
    this.#end()
  }

  /** Cuts streams all at once, and lets them come back as fast as they can, or by the rate. */
  storm(): void {
    const { storm, ratePerSecond } = this.#share
    if (storm === null || this.stats.storm !== null || this.#isEnding) return
    const cut: number[] = []
    for (let index = 0; index < this.#streams.begun && cut.length < storm; index++) {
      if (this.#streams.stateOf(index) === STREAM.open) cut.push(index)
    }
    for (const index of cut) this.#close(index)
    const { counters } = this.stats
    counters.churned += cut.length
    this.stats.storm = new Storm(cut, ratePerSecond, counters, this.#clock.elapsedMs())
    this.#stormTimer = setInterval(() => this.#sampleStorm(), floodLimits.stormEveryMs)
    this.#returnMore()
    this.#arm()
  }

  #sampleStorm(): void {
    const { storm, counters, replayedAtMs } = this.stats
    storm?.sample(counters, this.#clock.elapsedMs(), this.#clock.nowMs() - replayedAtMs)
    if (storm?.isOver === true && this.#stormTimer !== null) clearInterval(this.#stormTimer)
  }

  /** Begins as many of the streams of a storm as are due and have room. */
  #returnMore(): void {
    const { storm } = this.stats
    if (storm?.hasLeft !== true) return
    const elapsedMs = this.#clock.elapsedMs()
    while (this.#hasRoom) {
      const index = storm.next(elapsedMs)
      if (index < 0) return
      this.#begin(index)
    }
  }

  /**
   * The ids of the open streams of a run that is about to end. From here on no stream is churned or
   * begun again, so that a stream which is listed twice was open all the time between.
   */
  listOpen(): IdRange[] {
    this.#isEnding = true
    const ranges: [first: number, last: number][] = []
    for (let index = 0; index < this.#streams.begun; index++) {
      if (this.#streams.stateOf(index) !== STREAM.open) continue
      const id = this.#share.firstId + index
      const range = ranges.at(-1)
      if (range?.[1] === id - 1) range[1] = id
      else ranges.push([id, id])
    }
    return ranges
  }

  /**
   * Counts streams that never opened as failed, or a server that never answers would be flawless.
   */
  #failUnopened(): void {
    const fail = (kind: string, count: number) => {
      if (count === 0) return
      this.stats.counters.failed += count
      this.stats.countError(kind, count)
    }
    const unanswered = [...this.#connecting.keys()].filter((index) => {
      return !this.#streams.wasOpen(index)
    })
    fail('unanswered_at_end', unanswered.length)
    fail('not_begun', this.#share.connections - this.#streams.begun)
  }

  /** What streams missed while they were away is known only when they are back. */
  async #untilBack(): Promise<void> {
    const { returnMsMax, reconnectEveryMs } = floodLimits
    const deadlineMs = this.#clock.elapsedMs() + returnMsMax
    this.#isReturning = true
    const isAway = () => this.#reconnects.size + this.#connecting.size > 0
    while (isAway() || this.stats.storm?.hasLeft === true) {
      if (this.#clock.elapsedMs() > deadlineMs) break
      this.#returnMore()
      this.#reconnect(Infinity)
      await new Promise((resolve) => setTimeout(resolve, reconnectEveryMs))
    }
    this.#isReturning = false
  }

  #countAway(): void {
    for (let index = 0; index < this.#streams.begun; index++) {
      const state = this.#streams.stateOf(index)
      const isAway = state === STREAM.connecting || state === STREAM.over
      if (isAway && this.#streams.wasOpen(index)) this.stats.counters.away++
    }
  }

  async #untilQuiet(quietMs: number): Promise<void> {
    const { settleMsMax } = floodLimits
    const deadlineMs = this.#clock.elapsedMs() + settleMsMax
    const { counters } = this.stats
    let bytes = -1
    while (bytes !== counters.bytes && this.#clock.elapsedMs() < deadlineMs) {
      bytes = counters.bytes
      await new Promise((resolve) => setTimeout(resolve, quietMs))
    }
  }

  #end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#stormTimer !== null) clearInterval(this.#stormTimer)
    this.#timer = null
    this.#connections.stop()
    this.#finish()
  }

  /** One timer for all connections, and none while there is nothing to wait for: the idle timers of
   * fifty processes would cost a third of a core. */
  #arm(): void {
    if (this.#timer !== null || this.#isStopping) return
    const elapsedMs = this.#clock.elapsedMs()
    if (this.#settledMs === null && this.#allBegun && this.#connecting.size === 0) {
      this.#settledMs = elapsedMs
      // The garbage of opening would stay for the rest of the run, since silent streams allocate
      // nothing that would start a collection.
      Bun.gc(true)
    }
    const waitMs = this.#nextMs(elapsedMs)
    if (waitMs === null) return
    const { checkEveryMsMin, checkEveryMsMax } = floodLimits
    const boundedMs = Math.min(checkEveryMsMax, Math.max(checkEveryMsMin, waitMs))
    this.#timerMs = elapsedMs + boundedMs
    this.#timer = setTimeout(() => this.#onTimer(), boundedMs)
  }

  /** Milliseconds until there is something to do, or null if there is nothing to wait for. */
  #nextMs(elapsedMs: number): number | null {
    const { connections, behaviour } = this.#share
    if (this.#reconnects.size > 0) return floodLimits.reconnectEveryMs
    const stormMs = this.stats.storm?.waitMs(elapsedMs) ?? null
    if (stormMs !== null) return stormMs
    if (!this.#allBegun && this.#schedule !== null) {
      return dueAtMs(this.#schedule, this.#streams.begun + 1) - (elapsedMs - this.#startedMs)
    }
    if (this.#settledMs !== null && behaviour.churn > 0) {
      const nextDueMs = ((this.#churned + 1) * 1000) / (behaviour.churn * connections)
      return nextDueMs - (elapsedMs - this.#settledMs)
    }
    return this.#connecting.size > 0 || !this.#allBegun ? floodLimits.checkEveryMsMax : null
  }

  #onTimer(): void {
    this.#timer = null
    const elapsedMs = this.#clock.elapsedMs()
    this.#failOverdue(elapsedMs - floodLimits.firstByteMs)
    this.#openMore()
    this.#returnMore()
    this.#churn(elapsedMs)
    this.#reconnect(elapsedMs)
    this.#arm()
  }

  #failOverdue(overdueMs: number): void {
    for (const [index, begunMs] of this.#connecting) {
      // In the order in which they were begun, so that the first one in time ends the search.
      if (begunMs > overdueMs) break
      this.#onFault(index, 'first_byte_timeout')
    }
  }

  get #allBegun(): boolean {
    return this.#streams.begun >= this.#share.connections
  }

  get #hasRoom(): boolean {
    const mayBegin = !this.#isEnding || this.#isReturning
    return mayBegin && this.#connecting.size < this.#share.pendingMax
  }

  #openMore(): void {
    const schedule = this.#schedule
    const elapsedMs = this.#clock.elapsedMs() - this.#startedMs
    const due = schedule === null ? Infinity : dueCount(schedule, elapsedMs)
    const { stats } = this
    while (!this.#isEnding && this.#hasRoom && !this.#allBegun && this.#streams.begun < due) {
      const index = this.#streams.begun
      if (schedule !== null) {
        const lateMs = elapsedMs - dueAtMs(schedule, index + 1)
        if (lateMs > floodLimits.lateMs) stats.counters.late++
        stats.lateMsMax = Math.max(stats.lateMsMax, lateMs)
      }
      this.#begin(index)
    }
  }

  #begin(index: number): void {
    this.#streams.begin(index)
    this.#positions?.begin(index)
    this.#connecting.set(index, this.#clock.elapsedMs())
    this.#connections.begin(index)
  }

  /** Closes as many streams as are due by now, those that have been open longest first. */
  #churn(elapsedMs: number): void {
    const { behaviour, connections } = this.#share
    if (this.#settledMs === null || this.#isEnding || behaviour.churn === 0) return
    const due = churnedCount(behaviour.churn, connections, elapsedMs - this.#settledMs)
    for (; this.#churned < due; this.#churned++) {
      const index = this.#churned % connections
      if (this.#streams.stateOf(index) !== STREAM.open) continue
      this.stats.counters.churned++
      this.#close(index)
      // A stream that resumes is away for a while, so that it misses something.
      const { resume, reconnectMs } = behaviour
      const awayMs = resume ? reconnectDelayMs(reconnectMs ?? 0, 0, this.#random()) : 0
      this.#reconnects.set(index, elapsedMs + awayMs)
    }
  }

  #reconnect(elapsedMs: number): void {
    for (const [index, atMs] of this.#reconnects) {
      if (!this.#hasRoom) return
      if (atMs > elapsedMs) continue
      this.#reconnects.delete(index)
      this.#begin(index)
    }
  }

  /** Hot path: once a read. */
  #onBytes(index: number, bytes: Uint8Array, end: number): void {
    if (this.#streams.stateOf(index) === STREAM.over) return
    const result = this.#reader.read(index, bytes, end)
    if (result !== 'more') this.#onFault(index, result)
    const { storm, counters } = this.stats
    if (storm !== null) storm.note(counters, this.#clock.elapsedMs())
  }

  #onOpen(index: number): void {
    const { stats } = this
    const { counters } = stats
    const nowMs = this.#clock.elapsedMs()
    const begunMs = this.#connecting.get(index) ?? nowMs
    const wasOpen = this.#streams.wasOpen(index)
    this.#connecting.delete(index)
    if (this.#isFirstTry(index)) counters.settled++
    this.#failures.delete(index)
    stats.connect.record((nowMs - this.#dueAtMs(index, begunMs)) * 1000)
    if (wasOpen) counters.reopened++
    else {
      counters.opened++
      stats.openingMs = nowMs - this.#startedMs
    }
    this.#streams.set(index, STREAM.open)
    this.#faults.apply(index, counters)
    if (this.#schedule === null) this.#openMore()
    this.#returnMore()
    if (this.#allBegun && this.#connecting.size === 0) this.#arm()
  }

  /** When the stream was due, so that connect times include the client's own delay. */
  #dueAtMs(index: number, begunMs: number): number {
    if (this.#schedule === null || this.#streams.wasOpen(index)) return begunMs
    return Math.min(begunMs, this.#startedMs + dueAtMs(this.#schedule, index + 1))
  }

  #isFirstTry(index: number): boolean {
    return !this.#streams.wasOpen(index) && !this.#failures.has(index)
  }

  /** A connection has failed or ended, in any state. */
  #onFault(index: number, kind: string): void {
    const { counters } = this.stats
    const state = this.#streams.stateOf(index)
    if (state === STREAM.over || state === STREAM.vanished) return
    if (state === STREAM.open && ENDS.has(kind)) this.#reader.end(index)
    const how = this.#reader.endKind(index, kind)
    if (state === STREAM.connecting && this.#isFirstTry(index)) counters.settled++
    if (state === STREAM.connecting) counters.failed++
    else if (state === STREAM.slow) counters.slowEnded++
    else counters.closed++
    this.stats.countError(how)
    this.#close(index)
    this.#scheduleNext(index)
  }

  #scheduleNext(index: number): void {
    const { behaviour, connections } = this.#share
    if (behaviour.reconnectMs !== null) {
      const failures = this.#failures.get(index) ?? 0
      this.#failures.set(index, failures + 1)
      const delayMs = reconnectDelayMs(behaviour.reconnectMs, failures, this.#random())
      this.#reconnects.set(index, this.#clock.elapsedMs() + delayMs)
    } else {
      const { failed, closed, slowEnded } = this.stats.counters
      if (failed + closed + slowEnded >= connections) this.#end()
    }
    this.#arm()
    // Later, or a server that refuses at once would keep this callback busy without end.
    if (this.stats.storm?.hasLeft === true) setImmediate(() => this.#returnMore())
    if (this.#schedule === null && !this.#allBegun) setImmediate(() => this.#openMore())
  }

  #close(index: number): void {
    this.#streams.set(index, STREAM.over)
    this.#connecting.delete(index)
    this.#connections.close(index)
  }
}
