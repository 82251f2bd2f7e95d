// One process's share of a flood: opens its streams, churns and reconnects them, and ends the run.
// What they receive is the stream reader's.

import type { Socket } from 'bun'
import type { Clock } from '../core/clock.ts'
import { dueAtMs, dueCount, type Schedule } from '../core/pacer.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { Dialer } from './dialer.ts'
import { FaultInjector } from './fault-injector.ts'
import { churnedCount, reconnectDelayMs, type Share } from './plan.ts'
import { ProcessStats } from './process-stats.ts'
import { requestText } from './request.ts'
import type { GeneratorArrivals } from './sequences.ts'
import { FloodStream, StreamReader } from './stream-reader.ts'

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
  readonly #dialer: Dialer
  readonly #faults: FaultInjector
  /** By index. An array, since a set costs fifty bytes more per stream. */
  readonly #streams: FloodStream[] = []
  /** Streams without their first byte, and when they were begun. */
  readonly #connecting = new Map<FloodStream, number>()
  /** Streams to begin again, and when. */
  readonly #reconnects = new Map<FloodStream, number>()
  /** Failures in a row by index, of a run that reconnects. */
  readonly #failures = new Map<number, number>()
  #startedMs = 0
  /** When all had been begun, and were open or over for the first time; null before. */
  #settledMs: number | null = null
  #churned = 0
  #isStopping = false
  /** No stream is begun or churned any more. */
  #isEnding = false
  #timer: Timer | null = null
  readonly #finish: () => void

  constructor(share: Share, clock: Clock, random: () => number = Math.random) {
    this.#share = share
    this.#clock = clock
    this.#random = random
    const { behaviour, firstId, ratePerSecond, sources, portOffset } = share
    this.#schedule =
      ratePerSecond === null ? null : { firstMs: 0, intervalMs: 1000 / ratePerSecond }
    const onFault = (stream: FloodStream, kind: string) => this.#onFault(stream, kind)
    this.#reader = new StreamReader(behaviour, firstId, clock, this.stats, {
      onStream: (stream) => this.#onOpen(stream),
      onNoStream: onFault,
    })
    const { target } = behaviour
    this.#dialer = new Dialer(target, sources, portOffset, this.#handlers, onFault)
    this.#faults = new FaultInjector(behaviour)
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

  /** Opens no more streams, reads until nothing more arrives, and closes every stream. */
  async stop(): Promise<void> {
    if (this.#isStopping) return this.finished
    this.#isStopping = true
    this.#isEnding = true
    await this.#untilQuiet()
    this.#failUnopened()
    for (const stream of this.#streams) {
      stream.state = 'over'
      stream.socket?.end()
    }
    this.#end()
  }

  /**
   * The ids of the open streams of a run that is about to end. From here on no stream is churned or
   * begun again, so that a stream which is listed twice was open all the time between.
   */
  listOpen(): IdRange[] {
    this.#isEnding = true
    const ranges: [first: number, last: number][] = []
    for (const { index, state } of this.#streams) {
      if (state !== 'open') continue
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
    const unanswered = [...this.#connecting.keys()].filter(({ wasOpen }) => !wasOpen)
    fail('unanswered_at_end', unanswered.length)
    fail('not_begun', this.#share.connections - this.#streams.length)
  }

  async #untilQuiet(): Promise<void> {
    const { quietMs, settleMsMax } = floodLimits
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
    this.#timer = null
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
    this.#timer = setTimeout(() => this.#onTimer(), boundedMs)
  }

  /** Milliseconds until there is something to do, or null if there is nothing to wait for. */
  #nextMs(elapsedMs: number): number | null {
    const { connections, behaviour } = this.#share
    if (this.#reconnects.size > 0) return floodLimits.reconnectEveryMs
    if (!this.#allBegun && this.#schedule !== null) {
      return dueAtMs(this.#schedule, this.#streams.length + 1) - (elapsedMs - this.#startedMs)
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
    this.#churn(elapsedMs)
    this.#reconnect(elapsedMs)
    this.#arm()
  }

  #failOverdue(overdueMs: number): void {
    for (const [stream, begunMs] of this.#connecting) {
      // In the order in which they were begun, so that the first one in time ends the search.
      if (begunMs > overdueMs) break
      this.#onFault(stream, 'first_byte_timeout')
    }
  }

  get #allBegun(): boolean {
    return this.#streams.length >= this.#share.connections
  }

  get #hasRoom(): boolean {
    return !this.#isEnding && this.#connecting.size < this.#share.pendingMax
  }

  #openMore(): void {
    const schedule = this.#schedule
    const elapsedMs = this.#clock.elapsedMs() - this.#startedMs
    const due = schedule === null ? Infinity : dueCount(schedule, elapsedMs)
    const { stats } = this
    while (this.#hasRoom && !this.#allBegun && this.#streams.length < due) {
      const index = this.#streams.length
      if (schedule !== null) {
        const lateMs = elapsedMs - dueAtMs(schedule, index + 1)
        if (lateMs > floodLimits.lateMs) stats.counters.late++
        stats.lateMsMax = Math.max(stats.lateMsMax, lateMs)
      }
      this.#begin(index, false)
    }
  }

  #begin(index: number, wasOpen: boolean): void {
    const stream = new FloodStream(index, wasOpen)
    this.#streams[index] = stream
    this.#connecting.set(stream, this.#clock.elapsedMs())
    this.#dialer.dial(stream)
  }

  /** Closes as many streams as are due by now, those that have been open longest first. */
  #churn(elapsedMs: number): void {
    const { behaviour, connections } = this.#share
    if (this.#settledMs === null || this.#isEnding || behaviour.churn === 0) return
    const due = churnedCount(behaviour.churn, connections, elapsedMs - this.#settledMs)
    for (; this.#churned < due; this.#churned++) {
      const stream = this.#streams[this.#churned % connections]
      if (stream?.state !== 'open') continue
      this.stats.counters.churned++
      this.#close(stream)
      this.#reconnects.set(stream, elapsedMs)
    }
  }

  #reconnect(elapsedMs: number): void {
    for (const [stream, atMs] of this.#reconnects) {
      if (!this.#hasRoom) return
      if (atMs > elapsedMs) continue
      this.#reconnects.delete(stream)
      this.#begin(stream.index, stream.wasOpen)
    }
  }

  /** Shared by all sockets; the stream is their data. */
  readonly #handlers: Bun.SocketHandler<FloodStream> = {
    open: (socket) => this.#onConnect(socket),
    data: (socket, bytes) => {
      const stream = socket.data
      if (stream.state === 'over') return
      const result = this.#reader.read(stream, bytes)
      if (result !== 'more') this.#onFault(stream, result)
    },
    // A close without an error is the server's FIN before the last chunk.
    close: ({ data }, error) => this.#onFault(data, error === undefined ? 'cut_short' : 'reset'),
    // The promise of `Bun.connect` reports it.
    connectError: () => undefined,
  }

  #onConnect(socket: Socket<FloodStream>): void {
    const stream = socket.data
    if (stream.state === 'over') {
      socket.terminate()
      return
    }
    stream.socket = socket
    socket.write(requestText(this.#share.behaviour, this.#share.firstId + stream.index))
  }

  #onOpen(stream: FloodStream): void {
    const { stats } = this
    const { counters } = stats
    const nowMs = this.#clock.elapsedMs()
    const begunMs = this.#connecting.get(stream) ?? nowMs
    this.#connecting.delete(stream)
    if (this.#isFirstTry(stream)) counters.settled++
    this.#failures.delete(stream.index)
    stats.connect.record((nowMs - this.#dueAtMs(stream, begunMs)) * 1000)
    if (stream.wasOpen) counters.reopened++
    else {
      counters.opened++
      stats.openingMs = nowMs - this.#startedMs
    }
    stream.state = 'open'
    stream.wasOpen = true
    this.#faults.apply(stream, counters)
    if (this.#schedule === null) this.#openMore()
    if (this.#allBegun && this.#connecting.size === 0) this.#arm()
  }

  /** When the stream was due, so that connect times include the client's own delay. */
  #dueAtMs({ index, wasOpen }: FloodStream, begunMs: number): number {
    if (this.#schedule === null || wasOpen) return begunMs
    return Math.min(begunMs, this.#startedMs + dueAtMs(this.#schedule, index + 1))
  }

  #isFirstTry({ index, wasOpen }: FloodStream): boolean {
    return !wasOpen && !this.#failures.has(index)
  }

  /** A connection has failed or ended, in any state. */
  #onFault(stream: FloodStream, kind: string): void {
    const { counters } = this.stats
    if (stream.state === 'over' || stream.state === 'vanished') return
    if (stream.state === 'open' && ENDS.has(kind)) this.#reader.end(stream)
    if (stream.state === 'connecting' && this.#isFirstTry(stream)) counters.settled++
    if (stream.state === 'connecting') counters.failed++
    else if (stream.state === 'slow') counters.slowEnded++
    else counters.closed++
    this.stats.countError(kind)
    this.#close(stream)
    this.#scheduleNext(stream)
  }

  #scheduleNext(stream: FloodStream): void {
    const { behaviour, connections } = this.#share
    if (behaviour.reconnectMs !== null) {
      const failures = this.#failures.get(stream.index) ?? 0
      this.#failures.set(stream.index, failures + 1)
      const delayMs = reconnectDelayMs(behaviour.reconnectMs, failures, this.#random())
      this.#reconnects.set(stream, this.#clock.elapsedMs() + delayMs)
    } else {
      const { failed, closed, slowEnded } = this.stats.counters
      if (failed + closed + slowEnded >= connections) this.#end()
    }
    this.#arm()
    // Later, or a server that refuses at once would keep this callback busy without end.
    if (this.#schedule === null && !this.#allBegun) setImmediate(() => this.#openMore())
  }

  #close(stream: FloodStream): void {
    stream.state = 'over'
    this.#connecting.delete(stream)
    stream.socket?.end()
    stream.socket = null
    // The stream itself stays, for its index.
    stream.partial = null
  }
}
