// The generator: sends messages when they are due, and adds up what the server promised. Any
// publisher that is free takes what is due, but only from generators that have nothing under way;
// so the messages of a generator keep their order, and none waits for another one's answer.

import type { Clock } from '../core/clock.ts'
import { dueAtMs, dueBefore, dueCount, type Schedule } from '../core/pacer.ts'
import { type Stamp, sizedText, stampedText } from '../core/stamp.ts'
import { genLimits } from '../core/tool-limits.ts'
import { DueQueue, type Source } from './due-queue.ts'
import type { BatchResult, Publish, WriteMessage } from './publisher.ts'
import type { NextUser } from './subjects.ts'

/** @typeParam M a message as the publishers take it */
export interface GenOptions<M> {
  /** One schedule a generator. */
  readonly schedules: readonly Schedule[]
  /** Requests under way at the same time, at most. */
  readonly publishers: number
  readonly nextUser: NextUser
  /** The size of the next message's text in bytes; null for as long as it is. */
  readonly nextBytes: (() => number) | null
  readonly write: WriteMessage<M>
  readonly durationMs: number
  /** Messages in all at most, or null. */
  readonly messagesMax: number | null
  readonly batchMax: number
  /** Added to each generator's number, so that several runs can be told apart. */
  readonly firstGenerator: number
}

/** What was sent and promised so far; one object for all publishers of a run. */
export interface GenTally {
  sent: number
  rejected: number
  delivered: number
  /** Messages accepted by a server that does not say to how many they go. */
  unpromised: number
  /** Deliveries of which the server does not know whether they were made. */
  unknown: number
  /** Messages whose request failed, so that nobody knows what became of them. */
  unanswered: number
  readonly errors: Record<string, number>
  /** Which generators they are, as in the stamps. */
  readonly generators: { readonly first: number; readonly count: number }
  /** Messages that came due, whether or not they could be sent. */
  scheduled: number
  /** How long the run was to take: less than asked for only if it was stopped. */
  plannedSeconds: number
  seconds: number
}

export interface Gen {
  readonly tally: GenTally
  /** Sends nothing more; what is under way is still answered. */
  stop(): void
  readonly finished: Promise<GenTally>
}

export function startGen<M>(options: GenOptions<M>, publish: Publish<M>, clock: Clock): Gen {
  const run = new GenRun(options, publish, clock)
  return { tally: run.tally, stop: () => run.stop(), finished: run.finished }
}

function newTally(generators: GenTally['generators']): GenTally {
  return {
    sent: 0,
    rejected: 0,
    delivered: 0,
    unpromised: 0,
    unknown: 0,
    unanswered: 0,
    errors: {},
    generators,
    scheduled: 0,
    plannedSeconds: 0,
    seconds: 0,
  }
}

/** What one request carries: messages, and the generators that have nothing else under way. */
interface Batch<M> {
  readonly messages: M[]
  readonly sources: Source[]
}

class GenRun<M> {
  readonly tally: GenTally
  readonly finished: Promise<GenTally>
  readonly #options: GenOptions<M>
  readonly #publish: Publish<M>
  readonly #clock: Clock
  readonly #startedMs: number
  readonly #startedMicros: number
  readonly #finish: (tally: GenTally) => void
  /** Generators that have nothing under way. */
  readonly #due = new DueQueue()
  #underWay = 0
  #numbered = 0
  #stopped = false
  #isFinished = false
  /** Requests that failed since the last one that was answered. */
  #failures = 0
  /** Nothing is sent before this moment of the run. */
  #pausedUntilMs = 0
  #timer: Timer | null = null

  constructor(options: GenOptions<M>, publish: Publish<M>, clock: Clock) {
    this.#options = options
    this.#publish = publish
    this.#clock = clock
    this.#startedMs = clock.elapsedMs()
    this.#startedMicros = clock.nowMs() * 1000
    const { promise, resolve } = Promise.withResolvers<GenTally>()
    this.finished = promise
    this.#finish = resolve
    const { schedules, firstGenerator, durationMs } = options
    this.tally = newTally({ first: firstGenerator, count: schedules.length })
    for (const [at, schedule] of schedules.entries()) {
      const total = dueBefore(schedule, durationMs)
      this.#due.add({ schedule, number: firstGenerator + at, total, taken: 0 })
    }
    this.#sendDue()
  }

  stop(): void {
    this.#stopped = true
    this.#sendDue()
  }

  /** Sends what is due as far as publishers are free, and sees to it that it is called again. */
  #sendDue(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    while (!this.#isOver()) {
      if (this.#underWay >= this.#options.publishers) return
      const elapsedMs = this.#elapsedMs()
      const dueMs = this.#due.firstMs
      // What is still to come belongs to generators whose answers will call this.
      if (dueMs === null) return
      const waitMs = Math.max(dueMs, this.#pausedUntilMs) - elapsedMs
      if (waitMs > 0) {
        this.#wait(waitMs)
        return
      }
      this.#send(this.#take(elapsedMs))
    }
    if (this.#underWay === 0) this.#conclude()
  }

  /** A moment longer than it must be, which gathers what comes due in it into one request. */
  #wait(ms: number): void {
    this.#timer = setTimeout(() => this.#sendDue(), Math.max(genLimits.gatherMs, ms))
  }

  /** Nothing more is to be sent. */
  #isOver(): boolean {
    if (this.#stopped || this.#isEnough()) return true
    if (this.#due.size === 0 && this.#underWay === 0) return true
    return this.#elapsedMs() > this.#options.durationMs + genLimits.lateMsMax
  }

  /** What a run was to do and how long it took, which is at least as long as it was to take. */
  #conclude(): void {
    if (this.#isFinished) return
    this.#isFinished = true
    const { schedules, durationMs } = this.#options
    const elapsedMs = this.#elapsedMs()
    const plannedMs =
      this.#stopped || this.#isEnough() ? Math.min(elapsedMs, durationMs) : durationMs
    for (const schedule of schedules) this.tally.scheduled += dueBefore(schedule, plannedMs)
    if (this.#isEnough()) this.tally.scheduled = this.#numbered
    this.tally.plannedSeconds = plannedMs / 1000
    this.tally.seconds = Math.max(elapsedMs, plannedMs) / 1000
    this.#finish(this.tally)
  }

  #elapsedMs(): number {
    return this.#clock.elapsedMs() - this.#startedMs
  }

  /** The messages that have come due, at most a batch: those of one generator after another, in
   * order, and first of the one that has waited longest, so that none starves. */
  #take(elapsedMs: number): Batch<M> {
    const { batchMax } = this.#options
    const batch: Batch<M> = { messages: [], sources: [] }
    while (batch.messages.length < batchMax && !this.#isEnough()) {
      const firstMs = this.#due.firstMs
      if (firstMs === null || firstMs > elapsedMs) break
      const source = this.#due.take()
      if (source === undefined) break
      batch.sources.push(source)
      this.#takeFrom(source, elapsedMs, batch.messages)
    }
    return batch
  }

  #takeFrom(source: Source, elapsedMs: number, messages: M[]): void {
    const { batchMax, nextUser, write } = this.#options
    const due = Math.min(source.total, dueCount(source.schedule, elapsedMs))
    while (source.taken < due && messages.length < batchMax && !this.#isEnough()) {
      source.taken++
      this.#numbered++
      messages.push(write(nextUser(), this.#text(source)))
    }
  }

  /** Stamped with the moment it was due, not the moment it went out: being late is latency too. */
  #text(source: Source): string {
    const dueMs = dueAtMs(source.schedule, source.taken)
    const stamp: Stamp = {
      generator: source.number,
      sequence: source.taken,
      dueMicros: Math.round(this.#startedMicros + dueMs * 1000),
    }
    const { nextBytes } = this.#options
    return nextBytes === null
      ? stampedText(this.#numbered, stamp)
      : sizedText(this.#numbered, stamp, nextBytes())
  }

  #isEnough(): boolean {
    const { messagesMax } = this.#options
    return messagesMax !== null && this.#numbered >= messagesMax
  }

  async #send({ messages, sources }: Batch<M>): Promise<void> {
    this.#underWay++
    const result = await this.#publish(messages)
    this.#underWay--
    for (const source of sources) this.#due.add(source)
    this.#note(result, messages.length)
    this.#sendDue()
  }

  #note(result: BatchResult, messages: number): void {
    const { tally } = this
    if (result.ok) {
      this.#failures = 0
      tally.sent += messages
      tally.rejected += messages - result.accepted
      tally.delivered += result.delivered
      tally.unpromised += result.unpromised ?? 0
      tally.unknown += result.unknown ?? 0
      return
    }
    tally.errors[result.kind] = (tally.errors[result.kind] ?? 0) + 1
    tally.unanswered += messages
    const { failuresAtStartMax, retryMs, retryMsMax } = genLimits
    this.#pausedUntilMs = this.#elapsedMs() + Math.min(retryMsMax, retryMs * 2 ** this.#failures)
    this.#failures++
    // There is no server, and was none.
    if (tally.sent === 0 && this.#failures >= failuresAtStartMax) this.#stopped = true
  }
}
