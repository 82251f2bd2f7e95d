// The generator: sends messages when they are due, and adds up what the server promised. Each
// generator belongs to one publisher, so the messages of a generator keep their order.

import type { Clock } from '../core/clock.ts'
import { genLimits } from '../core/limits.ts'
import { dueAtMs, dueBefore, dueCount, type Schedule } from '../core/pacer.ts'
import type { RandomBelow } from '../core/random.ts'
import { stampedText } from '../core/stamp.ts'
import type { Publish } from './publisher.ts'

export interface GenOptions {
  /** One schedule a generator. */
  readonly schedules: readonly Schedule[]
  /** Publishers side by side; the generators are dealt out to them. */
  readonly publishers: number
  /** Receivers are users 1 to this. */
  readonly users: number
  /** `to` reaches the user alone, `subject` the user and all who follow it. */
  readonly address: 'to' | 'subject'
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
  /** Messages whose request failed, so that nobody knows what became of them. */
  unanswered: number
  readonly errors: Record<string, number>
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

/** One generator's state. */
interface Source {
  readonly schedule: Schedule
  readonly number: number
  /** Messages in the whole run. */
  readonly total: number
  taken: number
}

export function startGen(
  options: GenOptions,
  publish: Publish,
  random: RandomBelow,
  clock: Clock,
): Gen {
  const run = new GenRun(options, publish, random, clock)
  return { tally: run.tally, stop: () => run.stop(), finished: run.finish() }
}

class GenRun {
  readonly tally: GenTally = {
    sent: 0,
    rejected: 0,
    delivered: 0,
    unanswered: 0,
    errors: {},
    scheduled: 0,
    plannedSeconds: 0,
    seconds: 0,
  }
  readonly #options: GenOptions
  readonly #publish: Publish
  readonly #random: RandomBelow
  readonly #clock: Clock
  readonly #startedMs: number
  readonly #startedMicros: number
  #numbered = 0
  #stopped = false
  /** What wakes each publisher that waits for its next message. */
  readonly #sleeping = new Set<() => void>()

  constructor(options: GenOptions, publish: Publish, random: RandomBelow, clock: Clock) {
    this.#options = options
    this.#publish = publish
    this.#random = random
    this.#clock = clock
    this.#startedMs = clock.elapsedMs()
    this.#startedMicros = clock.nowMs() * 1000
  }

  stop(): void {
    this.#stopped = true
    for (const wake of this.#sleeping) wake()
  }

  async finish(): Promise<GenTally> {
    const { schedules, publishers, firstGenerator, durationMs } = this.#options
    const sources = schedules.map((schedule, at) => ({
      schedule,
      number: firstGenerator + at,
      total: dueBefore(schedule, durationMs),
      taken: 0,
    }))
    const dealt = Array.from({ length: Math.min(publishers, sources.length) }, (_, publisher) =>
      sources.filter((_, at) => at % publishers === publisher),
    )
    await Promise.all(dealt.map((mine) => this.#publishAll(mine)))
    this.#conclude()
    return this.tally
  }

  /** What a run was to do and how long it took, which is at least as long as it was to take. */
  #conclude(): void {
    const { schedules, durationMs } = this.#options
    const elapsedMs = this.#elapsedMs()
    const plannedMs =
      this.#stopped || this.#isEnough() ? Math.min(elapsedMs, durationMs) : durationMs
    for (const schedule of schedules) this.tally.scheduled += dueBefore(schedule, plannedMs)
    if (this.#isEnough()) this.tally.scheduled = this.#numbered
    this.tally.plannedSeconds = plannedMs / 1000
    this.tally.seconds = Math.max(elapsedMs, plannedMs) / 1000
  }

  #elapsedMs(): number {
    return this.#clock.elapsedMs() - this.#startedMs
  }

  async #publishAll(sources: Source[]): Promise<void> {
    const lastMs = this.#options.durationMs + genLimits.lateMsMax
    let failures = 0
    for (let turn = 0; !this.#stopped && this.#elapsedMs() <= lastMs; turn++) {
      // Each batch begins with another generator, so that none starves while the batches are full.
      const first = turn % sources.length
      const inTurn = [...sources.slice(first), ...sources.slice(0, first)]
      const lines = this.#due(inTurn, this.#elapsedMs())
      if (lines.length === 0) {
        const nextMs = this.#nextDueMs(sources)
        if (nextMs === null) return
        await this.#sleep(nextMs - this.#elapsedMs())
      } else if (await this.#send(lines)) {
        failures = 0
      } else {
        failures++
        // There is no server, and was none: the other publishers need not find out for themselves.
        if (this.tally.sent === 0 && failures >= genLimits.failuresAtStartMax) return this.stop()
        await this.#sleep(Math.min(genLimits.retryMsMax, genLimits.retryMs * 2 ** (failures - 1)))
      }
    }
  }

  /** The messages that have come due, at most a batch, generator by generator and in order. */
  #due(sources: Source[], elapsedMs: number): string[] {
    const { batchMax, users, address } = this.#options
    const lines: string[] = []
    for (const source of sources) {
      const due = Math.min(source.total, dueCount(source.schedule, elapsedMs))
      while (source.taken < due && lines.length < batchMax && !this.#isEnough()) {
        source.taken++
        this.#numbered++
        const user = 1 + this.#random(users)
        lines.push(`{"${address}":${user},"body":"${this.#text(source)}"}`)
      }
    }
    return lines
  }

  /** When the next message of these generators comes due; null if they have sent all theirs. */
  #nextDueMs(sources: Source[]): number | null {
    if (this.#isEnough()) return null
    let nextMs: number | null = null
    for (const { schedule, total, taken } of sources) {
      if (taken >= total) continue
      const dueMs = dueAtMs(schedule, taken + 1)
      if (nextMs === null || dueMs < nextMs) nextMs = dueMs
    }
    return nextMs
  }

  /** Stamped with the moment it was due, not the moment it went out: being late is latency too. */
  #text(source: Source): string {
    const dueMs = dueAtMs(source.schedule, source.taken)
    return stampedText(this.#numbered, {
      generator: source.number,
      sequence: source.taken,
      dueMicros: Math.round(this.#startedMicros + dueMs * 1000),
    })
  }

  #isEnough(): boolean {
    const { messagesMax } = this.#options
    return messagesMax !== null && this.#numbered >= messagesMax
  }

  async #send(lines: string[]): Promise<boolean> {
    const { tally } = this
    const result = await this.#publish(lines)
    if (!result.ok) {
      tally.errors[result.kind] = (tally.errors[result.kind] ?? 0) + 1
      tally.unanswered += lines.length
      return false
    }
    tally.sent += lines.length
    tally.rejected += lines.length - result.accepted
    tally.delivered += result.delivered
    return true
  }

  /** At least a millisecond, which gathers what comes due in it into one request. */
  #sleep(ms: number): Promise<void> {
    if (this.#stopped) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer)
        this.#sleeping.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, Math.max(1, ms))
      this.#sleeping.add(wake)
    })
  }
}
