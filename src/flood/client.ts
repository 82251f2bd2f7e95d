// One process's share of a flood: opens its streams, closes and reopens them as it was told, and
// ends. What arrives is the reading's. It prints nothing and knows no other process.

import type { Socket } from 'bun'
import type { Clock } from '../core/clock.ts'
import { floodLimits } from '../core/tool-limits.ts'
import type { GeneratorArrivals } from './arrivals.ts'
import { Burden } from './burden.ts'
import { Dialer } from './dial.ts'
import type { IdRange } from './openids.ts'
import type { Share } from './plan.ts'
import { Reading } from './reading.ts'
import { requestText } from './request.ts'
import { churnedCount, dueCount, dueMs, reconnectDelayMs } from './schedule.ts'
import { FloodStream } from './stream.ts'
import { Tally } from './tally.ts'

/** Faults by which the server says that the body is over; the last line of it may have no end. */
const ENDS: ReadonlySet<string> = new Set(['ended', 'cut_short'])

export class FloodClient {
  readonly tally = new Tally()
  /** Settles when every connection is over, or the run was stopped. */
  readonly finished: Promise<void>

  readonly #share: Share
  readonly #clock: Clock
  readonly #random: () => number
  readonly #reading: Reading
  readonly #dialer: Dialer
  readonly #burden: Burden
  /** By index. An array, since a set costs fifty bytes more a stream. */
  readonly #streams: FloodStream[] = []
  /** Those whose first byte has not come, and when they were begun. */
  readonly #connecting = new Map<FloodStream, number>()
  /** Those that are to be begun again, and when. */
  readonly #waiting = new Map<FloodStream, number>()
  /** How often in a row those by their index have failed, of a run that tries again. */
  readonly #failures = new Map<number, number>()
  #startedMs = 0
  /** When all had been begun, and were open or over; null before. */
  #settledMs: number | null = null
  #churned = 0
  #stopping = false
  /** Nothing is begun or churned any more. */
  #ending = false
  #timer: Timer | null = null
  readonly #finish: () => void

  constructor(share: Share, clock: Clock, random: () => number = Math.random) {
    this.#share = share
    this.#clock = clock
    this.#random = random
    const { manner, firstId, sources, portOffset } = share
    this.#reading = new Reading(manner, firstId, clock, this.tally, {
      onStream: (stream) => this.#opened(stream),
      onNoStream: (stream, kind) => this.#fault(stream, kind),
    })
    this.#dialer = new Dialer(manner.target, sources, portOffset, this.#handlers, (stream, kind) =>
      this.#fault(stream, kind),
    )
    this.#burden = new Burden(manner)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.finished = promise
    this.#finish = resolve
  }

  /** Which messages came, of a run that is compared. */
  get arrivals(): readonly GeneratorArrivals[] {
    return this.#reading.arrivals?.all() ?? []
  }

  start(): void {
    this.#startedMs = this.#clock.elapsedMs()
    this.#openMore()
    this.#arm()
  }

  /** Opens nothing more, reads until nothing comes any more, and closes every stream. */
  async stop(): Promise<void> {
    if (this.#stopping) return this.finished
    this.#stopping = true
    this.#ending = true
    await this.#quiet()
    this.#failUnopened()
    for (const stream of this.#streams) {
      stream.state = 'over'
      stream.socket?.end()
    }
    this.#end()
  }

  /**
   * The ids of the streams that are open, for a run that is about to end. From here on no stream is
   * churned or begun again, so that one that is listed twice was open all the time between.
   */
  listOpen(): IdRange[] {
    this.#ending = true
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

  /** What never opened has failed, or a server that answers nobody would have no fault. */
  #failUnopened(): void {
    const { counters } = this.tally
    const fail = (kind: string, count: number) => {
      if (count === 0) return
      counters.failed += count
      this.tally.error(kind, count)
    }
    const unanswered = [...this.#connecting.keys()].filter(({ wasOpen }) => !wasOpen)
    fail('unanswered_at_end', unanswered.length)
    fail('not_begun', this.#share.connections - this.#streams.length)
  }

  async #quiet(): Promise<void> {
    const { quietMs, settleMsMax } = floodLimits
    const deadlineMs = this.#clock.elapsedMs() + settleMsMax
    const { counters } = this.tally
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

  /** One timer for all connections, and none while there is nothing to wait for: fifty processes'
   * idle timers would cost a third of a core. */
  #arm(): void {
    if (this.#timer !== null || this.#stopping) return
    const elapsedMs = this.#clock.elapsedMs()
    if (this.#settledMs === null && this.#allBegun && this.#connecting.size === 0) {
      this.#settledMs = elapsedMs
      // What opening left behind would stay for the rest of the run, since silent streams allocate
      // nothing that would bring on a collection.
      Bun.gc(true)
    }
    const waitMs = this.#nextMs(elapsedMs)
    if (waitMs === null) return
    const { lookEveryMsMin, lookEveryMsMax } = floodLimits
    const boundedMs = Math.min(lookEveryMsMax, Math.max(lookEveryMsMin, waitMs))
    this.#timer = setTimeout(() => this.#turn(), boundedMs)
  }

  /** Milliseconds until there is something to do, or null if nothing is to be waited for. */
  #nextMs(elapsedMs: number): number | null {
    const { ratePerSecond, connections, manner } = this.#share
    if (this.#waiting.size > 0) return floodLimits.againEveryMs
    if (!this.#allBegun && ratePerSecond !== null) {
      return dueMs(ratePerSecond, this.#streams.length) - (elapsedMs - this.#startedMs)
    }
    if (this.#settledMs !== null && manner.churn > 0) {
      const nextDueMs = ((this.#churned + 1) * 1000) / (manner.churn * connections)
      return nextDueMs - (elapsedMs - this.#settledMs)
    }
    return this.#connecting.size > 0 || !this.#allBegun ? floodLimits.lookEveryMsMax : null
  }

  #turn(): void {
    this.#timer = null
    const elapsedMs = this.#clock.elapsedMs()
    this.#failOverdue(elapsedMs - floodLimits.firstByteMs)
    this.#openMore()
    this.#churn(elapsedMs)
    this.#beginAgain(elapsedMs)
    this.#arm()
  }

  #failOverdue(overdueMs: number): void {
    for (const [stream, begunMs] of this.#connecting) {
      // In order of their beginning, so that the first which is in time ends the search.
      if (begunMs > overdueMs) break
      this.#fault(stream, 'first_byte_timeout')
    }
  }

  get #allBegun(): boolean {
    return this.#streams.length >= this.#share.connections
  }

  get #hasRoom(): boolean {
    return !this.#ending && this.#connecting.size < this.#share.pendingMax
  }

  #openMore(): void {
    const { connections, ratePerSecond } = this.#share
    const elapsedMs = this.#clock.elapsedMs() - this.#startedMs
    const due = dueCount(ratePerSecond, elapsedMs, connections)
    const { tally } = this
    while (this.#hasRoom && this.#streams.length < due) {
      const index = this.#streams.length
      if (ratePerSecond !== null) {
        const lateMs = elapsedMs - dueMs(ratePerSecond, index)
        if (lateMs > floodLimits.lateMs) tally.counters.late++
        tally.lateMsMax = Math.max(tally.lateMsMax, lateMs)
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

  /** Closes as many as are due by now, the longest open before the others. */
  #churn(elapsedMs: number): void {
    const { manner, connections } = this.#share
    if (this.#settledMs === null || this.#ending || manner.churn === 0) return
    const due = churnedCount(manner.churn, connections, elapsedMs - this.#settledMs)
    for (; this.#churned < due; this.#churned++) {
      const stream = this.#streams[this.#churned % connections]
      if (stream?.state !== 'open') continue
      this.tally.counters.churned++
      this.#close(stream)
      this.#waiting.set(stream, elapsedMs)
    }
  }

  #beginAgain(elapsedMs: number): void {
    for (const [stream, atMs] of this.#waiting) {
      if (!this.#hasRoom) return
      if (atMs > elapsedMs) continue
      this.#waiting.delete(stream)
      this.#begin(stream.index, stream.wasOpen)
    }
  }

  /** Shared by all sockets; the stream is their data. */
  readonly #handlers: Bun.SocketHandler<FloodStream> = {
    open: (socket) => this.#onConnect(socket),
    data: (socket, bytes) => {
      const stream = socket.data
      if (stream.state === 'over') return
      const result = this.#reading.read(stream, bytes)
      if (result !== 'more') this.#fault(stream, result)
    },
    // A close without an error is the server's FIN before the final chunk.
    close: ({ data }, error) => this.#fault(data, error === undefined ? 'cut_short' : 'reset'),
    // The promise of `Bun.connect` tells the same.
    connectError: () => undefined,
  }

  #onConnect(socket: Socket<FloodStream>): void {
    const stream = socket.data
    if (stream.state === 'over') {
      socket.terminate()
      return
    }
    stream.socket = socket
    socket.write(requestText(this.#share.manner, this.#share.firstId + stream.index))
  }

  #opened(stream: FloodStream): void {
    const { tally } = this
    const nowMs = this.#clock.elapsedMs()
    const begunMs = this.#connecting.get(stream) ?? nowMs
    this.#connecting.delete(stream)
    if (this.#isFirstTry(stream)) tally.counters.settled++
    this.#failures.delete(stream.index)
    tally.connect.record((nowMs - this.#dueOf(stream, begunMs)) * 1000)
    if (stream.wasOpen) tally.counters.reopened++
    else {
      tally.counters.opened++
      tally.openingMs = nowMs - this.#startedMs
    }
    stream.state = 'open'
    stream.wasOpen = true
    this.#burden.lay(stream, tally.counters)
    if (this.#share.ratePerSecond === null) this.#openMore()
    if (this.#allBegun && this.#connecting.size === 0) this.#arm()
  }

  /** From when it was to be begun, so that a client that was late does not hide it. */
  #dueOf({ index, wasOpen }: FloodStream, begunMs: number): number {
    const { ratePerSecond } = this.#share
    if (ratePerSecond === null || wasOpen) return begunMs
    return Math.min(begunMs, this.#startedMs + dueMs(ratePerSecond, index))
  }

  #isFirstTry({ index, wasOpen }: FloodStream): boolean {
    return !wasOpen && !this.#failures.has(index)
  }

  /** The connection ended, whatever it was. */
  #fault(stream: FloodStream, kind: string): void {
    const { counters } = this.tally
    if (stream.state === 'over' || stream.state === 'vanished') return
    if (stream.state === 'open' && ENDS.has(kind)) this.#reading.end(stream)
    if (stream.state === 'connecting' && this.#isFirstTry(stream)) counters.settled++
    if (stream.state === 'connecting') counters.failed++
    else if (stream.state === 'slow') counters.slowEnded++
    else counters.closed++
    this.tally.error(kind)
    this.#close(stream)
    this.#goOn(stream)
  }

  #goOn(stream: FloodStream): void {
    const { manner, connections, ratePerSecond } = this.#share
    if (manner.reconnectMs !== null) {
      const failures = this.#failures.get(stream.index) ?? 0
      this.#failures.set(stream.index, failures + 1)
      const delayMs = reconnectDelayMs(manner.reconnectMs, failures, this.#random())
      this.#waiting.set(stream, this.#clock.elapsedMs() + delayMs)
    } else {
      const { failed, closed, slowEnded } = this.tally.counters
      if (failed + closed + slowEnded >= connections) this.#end()
    }
    this.#arm()
    // In a later turn, or a server that refuses at once would be asked without end in this one.
    if (ratePerSecond === null && !this.#allBegun) setImmediate(() => this.#openMore())
  }

  #close(stream: FloodStream): void {
    stream.state = 'over'
    this.#connecting.delete(stream)
    stream.socket?.end()
    stream.socket = null
    // The stream itself stays, for its index.
    stream.held = null
  }
}
