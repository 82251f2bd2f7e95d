// Sends messages when they are due, and counts what the server promised. A publisher that is free
// takes what is due, but only from generators without a request under way; so the messages of a
// generator stay in order, and none waits for the answer to another generator's.

import type { Clock } from '../core/clock.ts'
import { dueAtMs, dueBefore, dueCount, type Schedule } from '../core/pacer.ts'
import { backoffMs } from '../core/retry.ts'
import { type Chain, sizedText, stampedText } from '../core/stamp.ts'
import { genLimits } from '../core/tool-limits.ts'
import type { Subject } from '../core/user.ts'
import { DueQueue, type GeneratorState } from './due-queue.ts'
import type { MessageChains } from './message-chains.ts'
import type { BatchResult, Publish, WriteMessage } from './publisher.ts'
import type { NextUser } from './subjects.ts'

const BACKOFF = { firstMs: genLimits.retryMs, maxMs: genLimits.retryMsMax }

/** @typeParam M a message as the publishers take it */
export interface SenderOptions<M> {
  /** One schedule a generator. */
  readonly schedules: readonly Schedule[]
  /** Requests under way at the same time, at most. */
  readonly publishers: number
  readonly nextUser: NextUser
  /** The size of the next message's text in bytes; null to leave it as it is. */
  readonly nextBytes: (() => number) | null
  readonly write: WriteMessage<M>
  readonly durationMs: number
  /** Messages in all at most, or null. */
  readonly messagesMax: number | null
  readonly batchMax: number
  /** Added to each generator's number, so that several runs can be told apart. */
  readonly firstGenerator: number
  /** What each message names as the one before it; null for none. */
  readonly chains?: MessageChains | null
  /** By keys a server knows what it has taken; null for messages without. */
  readonly keys?: Keys | null
}

/** Of messages with keys, a request without an answer is sent again. */
export interface Keys {
  /** The share of messages that is sent once more after it was answered. */
  readonly repeat: number
  /** From 0 to below 1. */
  readonly random: () => number
}

/** What was sent and promised so far. */
export interface GenTally {
  sent: number
  rejected: number
  delivered: number
  /** Messages accepted without a number of deliveries. */
  unpromised: number
  /** Deliveries of which the server does not know whether they were made. */
  unknown: number
  /** Messages whose request failed, so that their outcome is not known. */
  unanswered: number
  /** Requests that were sent again, since they were not answered. */
  retried: number
  /** Messages that were sent once more after they were answered. */
  repeated: number
  readonly errors: Record<string, number>
  /** The numbers of the generators, as in the stamps. */
  readonly generators: { readonly first: number; readonly count: number }
  /** Messages that came due, whether or not they could be sent. */
  scheduled: number
  /** How long the run was to take: less than requested only if it was stopped. */
  plannedSeconds: number
  seconds: number
}

/** A run of the generators. */
export interface GenRun {
  readonly tally: GenTally
  readonly finished: Promise<GenTally>
  /** Sends nothing more; requests under way are still answered. */
  stop(): void
}

/** What one request carries: messages, and their generators, which have nothing else under way. */
interface Batch<M> {
  readonly messages: M[]
  readonly generators: GeneratorState[]
  /** Of users and generators, if messages name those before them. */
  readonly pairs: number[]
}

export class Sender<M> implements GenRun {
  readonly tally: GenTally
  readonly finished: Promise<GenTally>
  readonly #options: SenderOptions<M>
  readonly #publish: Publish<M>
  readonly #clock: Clock
  readonly #startedMs: number
  readonly #startedMicros: number
  readonly #finish: (tally: GenTally) => void
  /** Generators that have nothing under way. */
  readonly #due = new DueQueue()
  #underWay = 0
  #numbered = 0
  #isStopped = false
  #isFinished = false
  /** Failed requests since the last one that was answered. */
  #failures = 0
  /** Nothing is sent before this moment of the run. */
  #pausedUntilMs = 0
  #timer: Timer | null = null

  /** Starts the run. */
  constructor(options: SenderOptions<M>, publish: Publish<M>, clock: Clock) {
    this.#options = options
    this.#publish = publish
    this.#clock = clock
    this.#startedMs = clock.elapsedMs()
    this.#startedMicros = clock.nowMs() * 1000
    const { promise, resolve } = Promise.withResolvers<GenTally>()
    this.finished = promise
    this.#finish = resolve
    const { schedules, firstGenerator, durationMs } = options
    this.tally = {
      ...{ sent: 0, rejected: 0, delivered: 0, unpromised: 0, unknown: 0, unanswered: 0 },
      ...{ retried: 0, repeated: 0 },
      errors: {},
      generators: { first: firstGenerator, count: schedules.length },
      ...{ scheduled: 0, plannedSeconds: 0, seconds: 0 },
    }
    for (const [at, schedule] of schedules.entries()) {
      const total = dueBefore(schedule, durationMs)
      this.#due.add({ schedule, number: firstGenerator + at, total, taken: 0 })
    }
    this.#sendDue()
  }

  stop(): void {
    this.#isStopped = true
    this.#sendDue()
  }

  /** Sends what is due as far as publishers are free, and schedules its next call. */
  #sendDue(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    while (!this.#isOver()) {
      if (this.#underWay >= this.#options.publishers) return
      const elapsedMs = this.#elapsedMs()
      const dueMs = this.#due.firstMs
      // All generators with messages left have a request under way, whose answer calls this.
      if (dueMs === null) return
      const waitMs = Math.max(dueMs, this.#pausedUntilMs) - elapsedMs
      if (waitMs > 0) {
        // At least a moment, so that one request carries what comes due in it.
        this.#timer = setTimeout(() => this.#sendDue(), Math.max(genLimits.gatherMs, waitMs))
        return
      }
      this.#send(this.#take(elapsedMs))
    }
    if (this.#underWay === 0) this.#conclude()
  }

  /** Is nothing more to be sent? */
  #isOver(): boolean {
    if (this.#isStopped || this.#isEnough()) return true
    if (this.#due.size === 0 && this.#underWay === 0) return true
    return this.#elapsedMs() > this.#options.durationMs + genLimits.lateMsMax
  }

  #isEnough(): boolean {
    const { messagesMax } = this.#options
    return messagesMax !== null && this.#numbered >= messagesMax
  }

  /** Notes what was scheduled and how long the run took, which is at least as long as planned. */
  #conclude(): void {
    if (this.#isFinished) return
    this.#isFinished = true
    const { schedules, durationMs } = this.#options
    const elapsedMs = this.#elapsedMs()
    const isShorter = this.#isStopped || this.#isEnough()
    const plannedMs = isShorter ? Math.min(elapsedMs, durationMs) : durationMs
    for (const schedule of schedules) this.tally.scheduled += dueBefore(schedule, plannedMs)
    if (this.#isEnough()) this.tally.scheduled = this.#numbered
    this.tally.plannedSeconds = plannedMs / 1000
    this.tally.seconds = Math.max(elapsedMs, plannedMs) / 1000
    this.#finish(this.tally)
  }

  #elapsedMs(): number {
    return this.#clock.elapsedMs() - this.#startedMs
  }

  /**
   * Takes the messages that are due, at most a batch: those of one generator after another, in
   * order, beginning with the one that has waited longest, so that none starves.
   */
  #take(elapsedMs: number): Batch<M> {
    const { batchMax, nextUser, write, keys } = this.#options
    const messages: M[] = []
    const pairs: number[] = []
    const generators: GeneratorState[] = []
    const hasRoom = (): boolean => messages.length < batchMax && !this.#isEnough()
    while (hasRoom()) {
      const firstMs = this.#due.firstMs
      const generator = firstMs === null || firstMs > elapsedMs ? undefined : this.#due.take()
      if (generator === undefined) break
      generators.push(generator)
      const due = Math.min(generator.total, dueCount(generator.schedule, elapsedMs))
      while (generator.taken < due && hasRoom()) {
        generator.taken++
        this.#numbered++
        const user = nextUser()
        const key = keys == null ? null : `${generator.number}-${generator.taken}`
        messages.push(write(user, this.#text(generator, this.#chain(user, generator, pairs)), key))
      }
    }
    return { messages, generators, pairs }
  }

  /** What the message names as the one before it. */
  #chain(user: Subject, generator: GeneratorState, pairs: number[]): Chain | null {
    const { chains, firstGenerator } = this.#options
    if (chains == null || typeof user !== 'number') return null
    const pair = chains.pairOf(user, generator.number - firstGenerator)
    pairs.push(pair)
    const sequence = chains.next(pair, generator.taken)
    if (sequence === null) return null
    const dueMicros = sequence === 0 ? 0 : this.#dueMicros(generator, sequence)
    return { target: user, sequence, dueMicros }
  }

  #dueMicros({ schedule }: GeneratorState, sequence: number): number {
    return Math.round(this.#startedMicros + dueAtMs(schedule, sequence) * 1000)
  }

  /** Stamped with the moment it was due, not the moment it is sent: being late is latency too. */
  #text(generator: GeneratorState, chain: Chain | null): string {
    const { number, taken } = generator
    const stamp = {
      generator: number,
      sequence: taken,
      dueMicros: this.#dueMicros(generator, taken),
    }
    const { nextBytes } = this.#options
    return nextBytes === null
      ? stampedText(this.#numbered, stamp, chain)
      : sizedText(this.#numbered, stamp, nextBytes(), chain)
  }

  async #send({ messages, generators, pairs }: Batch<M>): Promise<void> {
    this.#underWay++
    const result = await this.#publishKeyed(messages)
    this.#underWay--
    for (const generator of generators) this.#due.add(generator)
    if (!result.ok || result.value.accepted < messages.length) this.#options.chains?.forget(pairs)
    this.#note(result, messages.length)
    this.#sendDue()
  }

  /** Sends messages; those with keys until they are answered, and some of them once more. */
  async #publishKeyed(messages: readonly M[]): Promise<BatchResult> {
    const { keys } = this.#options
    const deadlineMs = this.#elapsedMs() + genLimits.retriedMsMax
    for (let tries = 1; ; tries++) {
      const result = await this.#publish(messages)
      if (keys == null) return result
      if (result.ok) {
        await this.#repeat(messages, keys)
        return result
      }
      // What a server refuses, it refuses again; and there may be none.
      const isFinal = result.why.startsWith('status_4') || this.tally.sent === 0
      if (isFinal || this.#elapsedMs() >= deadlineMs) return result
      this.tally.retried++
      await new Promise((resolve) => setTimeout(resolve, backoffMs(tries, BACKOFF)))
    }
  }

  /** The answer promises nothing new. */
  async #repeat(messages: readonly M[], { repeat, random }: Keys): Promise<void> {
    const again = messages.filter(() => random() < repeat)
    if (again.length === 0) return
    const result = await this.#publish(again)
    this.tally.repeated += again.length
    if (result.ok) return
    const { errors } = this.tally
    errors[result.why] = (errors[result.why] ?? 0) + 1
  }

  #note(result: BatchResult, messages: number): void {
    const { tally } = this
    if (result.ok) {
      const { accepted, delivered, unpromised = 0, unknown = 0 } = result.value
      this.#failures = 0
      tally.sent += messages
      tally.rejected += messages - accepted
      tally.delivered += delivered
      tally.unpromised += unpromised
      tally.unknown += unknown
      return
    }
    tally.errors[result.why] = (tally.errors[result.why] ?? 0) + 1
    tally.unanswered += messages
    this.#pausedUntilMs = this.#elapsedMs() + backoffMs(++this.#failures, BACKOFF)
    // There is no server, and there never was one.
    if (tally.sent === 0 && this.#failures >= genLimits.failuresAtStartMax) this.#isStopped = true
  }
}
