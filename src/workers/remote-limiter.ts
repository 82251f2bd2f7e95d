// The door of a worker: asks the parent whether a stream may be opened, since only that knows what the
// other workers hold. Nobody waits for ever, and what was allowed too late is given back.

import type { Clock } from '../core/clock.ts'
import { streamLimits, workerLimits } from '../core/limits.ts'
import type { Limiter, LimiterDecision } from '../hub/limiter.ts'
import { jsonOf, type Link } from './link.ts'
import { TO_PARENT } from './protocol.ts'
import type { RecordBytes } from './records.ts'

/** A stream that is asked for. */
interface Knock {
  readonly network: string | null
  readonly sinceMs: number
  /** Null once nobody waits for the answer any more. */
  answer: ((verdict: LimiterDecision) => void) | null
}

const NO_WORD: LimiterDecision = {
  admitted: false,
  reason: 'busy',
  retryAfterSeconds: streamLimits.retryAfterSeconds,
}

export class RemoteLimiter implements Limiter {
  /** Streams that wait for their answer. */
  waiting = 0
  readonly #link: Pick<Link, 'json'>
  readonly #clock: Clock
  /** By the number of the request, the oldest first. */
  readonly #knocks = new Map<number, Knock>()
  #knocked = 0
  /** Looks for those that have waited too long, as long as somebody waits. */
  #timer: Timer | null = null

  constructor(link: Pick<Link, 'json'>, clock: Clock) {
    this.#link = link
    this.#clock = clock
  }

  ask(network: string | null): LimiterDecision | Promise<LimiterDecision> {
    if (this.#knocks.size >= workerLimits.knocksMax) return NO_WORD
    const { promise, resolve } = Promise.withResolvers<LimiterDecision>()
    const request = this.#knocked++ >>> 0
    this.#knocks.set(request, { network, sinceMs: this.#clock.elapsedMs(), answer: resolve })
    this.waiting++
    this.#link.json(TO_PARENT.knock, network, request)
    this.#timer ??= setInterval(() => this.look(), workerLimits.lifeEveryMs)
    return promise
  }

  left(network: string): void {
    this.#link.json(TO_PARENT.parted, network)
  }

  /** The parent has decided. */
  onVerdict(record: RecordBytes): void {
    const request = record.view.getUint32(0, true)
    const knock = this.#knocks.get(request)
    if (knock === undefined) throw new Error(`the parent answered ${request}, which nobody asked`)
    this.#knocks.delete(request)
    const verdict = jsonOf<LimiterDecision>(record, 4)
    if (knock.answer !== null) this.#answer(knock, verdict)
    // It counts at the parent, and was refused here.
    else if (verdict.admitted && knock.network !== null) this.left(knock.network)
  }

  /** Sends those away that have waited too long. */
  look(): void {
    const beforeMs = this.#clock.elapsedMs() - workerLimits.knockMsMax
    for (const knock of this.#knocks.values()) {
      if (knock.sinceMs > beforeMs) break
      if (knock.answer !== null) this.#answer(knock, NO_WORD)
    }
    if (this.waiting > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }

  #answer(knock: Knock, verdict: LimiterDecision): void {
    const { answer } = knock
    knock.answer = null
    this.waiting--
    answer?.(verdict)
  }
}
