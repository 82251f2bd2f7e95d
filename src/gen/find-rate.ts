// `comet gen --find-rate`: the search, between a generator and the streams that it feeds.

import { EXIT } from '../cli/command.ts'
import type { Io } from '../cli/io.ts'
import { systemClock } from '../core/clock.ts'
import { type Objective, objectiveText } from '../core/objective.ts'
import { attemptOf, type FindAttempt, outcomeOf } from './attempt.ts'
import { attemptLine, findRate, findReport, findSummary } from './find.ts'
import { type Destination, whyUnanswered } from './gen-report.ts'
import { Streams } from './receiver.ts'
import type { Gen } from './sender.ts'

export interface FindWish {
  /** The address of a stream; `{id}` in it stands for the user. */
  readonly streams: string
  readonly users: number
  /** The rate that is tried first. */
  readonly rate: number
  readonly objectives: readonly Objective[]
  readonly json: boolean
  /** Where the generator sends. */
  readonly to: Destination
  /** Starts a generator at a rate. */
  readonly begin: (ratePerSecond: number) => Gen
}

export async function find(wish: FindWish, io: Io): Promise<number> {
  const streams = await Streams.at(wish.streams, wish.users, systemClock, pause)
  if (typeof streams === 'string') {
    io.stderr(`comet gen: there are no streams at ${wish.streams}: ${streams}`)
    return EXIT.usage
  }
  const search = new Search(wish, streams, io)
  io.nextSignal().then(() => search.stop())
  const attempts = await findRate(wish.rate, (rate) => search.attempt(rate))
  await streams.close()
  const report = findReport(attempts, wish.objectives.map(objectiveText))
  io.stdout(wish.json ? JSON.stringify(report) : findSummary(report))
  return report.highest === null ? EXIT.failed : EXIT.ok
}

class Search {
  readonly #wish: FindWish
  readonly #streams: Streams
  readonly #io: Io
  #running: Gen | null = null
  #isStopped = false
  /** Some streams may be closed, or messages be under way that would count for the next attempt. */
  #isMarred = true

  constructor(wish: FindWish, streams: Streams, io: Io) {
    this.#wish = wish
    this.#streams = streams
    this.#io = io
  }

  /** The attempt under way does not count; there is no other. */
  stop(): void {
    this.#isStopped = true
    this.#running?.stop()
    this.#streams.interrupt()
  }

  async attempt(rate: number): Promise<FindAttempt | null> {
    if (!(await this.#open())) return null
    const begin = () => {
      this.#running = this.#wish.begin(rate)
      return this.#running
    }
    const outcome = await outcomeOf(rate, begin, this.#streams, systemClock, pause)
    if (this.#isStopped) return null
    const attempt = attemptOf(outcome, this.#wish.objectives)
    this.#isMarred = outcome.arrived.closed + attempt.metrics.lost > 0
    this.#io.stderr(attemptLine(attempt))
    const why = whyUnanswered(outcome.report, this.#wish.to)
    if (why !== null) this.#io.stderr(`comet gen: ${why}`)
    return attempt
  }

  async #open(): Promise<boolean> {
    if (this.#isStopped) return false
    if (!this.#isMarred) return true
    const why = await this.#streams.open()
    if (why !== null && !this.#isStopped) {
      this.#io.stderr(`comet gen: streams at ${this.#wish.streams}: ${why}`)
    }
    return why === null && !this.#isStopped
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
