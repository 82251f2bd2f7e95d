// `comet gen --find-rate`: runs the search for the highest rate and reports it.

import { type Static, Type } from '@sinclair/typebox'
import { EXIT } from '../cli/command.ts'
import type { Io } from '../cli/io.ts'
import { systemClock } from '../core/clock.ts'
import { type Objective, objectiveText } from '../core/objective.ts'
import { OK } from '../core/result.ts'
import { formatCount, formatMs, formatQuantity } from '../core/units.ts'
import { findTarget } from '../flood/flood.ts'
import { attemptOf, FindAttempt, outcomeOf } from './attempt.ts'
import { type Destination, whyUnanswered } from './gen-report.ts'
import { FloodReceiver } from './receiver.ts'
import { findRate, highestHeld } from './search.ts'
import type { GenRun } from './sender.ts'

export interface FindRequest {
  /** The address of a stream; `{id}` in it stands for the user. */
  readonly streams: string
  readonly users: number
  /** The first rate to try. */
  readonly rate: number
  readonly objectives: readonly Objective[]
  readonly json: boolean
  readonly to: Destination
  /** Starts the generators at a rate. */
  readonly begin: (ratePerSecond: number) => GenRun
}

/** Searches until the end or a signal; returns the exit code. */
export async function find(request: FindRequest, io: Io): Promise<number> {
  const { streams, users, rate, objectives, json } = request
  const target = await findTarget(streams)
  if (!target.ok) {
    io.stderr(`comet gen: there are no streams at ${streams}: ${target.why}`)
    return EXIT.usage
  }
  const receiver = new FloodReceiver(target.value, users, systemClock, Bun.sleep)
  const search = new Search(request, receiver, io)
  io.nextSignal().then(() => search.stop())
  const attempts = await findRate(rate, (next) => search.attempt(next))
  await receiver.close()
  const report = findReport(attempts, objectives.map(objectiveText))
  io.stdout(json ? JSON.stringify(report) : findSummary(report))
  return report.highest === null ? EXIT.failed : EXIT.ok
}

class Search {
  readonly #request: FindRequest
  readonly #receiver: FloodReceiver
  readonly #io: Io
  #running: GenRun | null = null
  #isStopped = false
  /** Must streams be opened again, since some are closed or late messages may still arrive? */
  #needsStreams = true

  constructor(request: FindRequest, receiver: FloodReceiver, io: Io) {
    this.#request = request
    this.#receiver = receiver
    this.#io = io
  }

  /** Discards the attempt under way, and makes no other. */
  stop(): void {
    this.#isStopped = true
    this.#running?.stop()
    this.#receiver.interrupt()
  }

  /** Tries a rate; returns null if the search is stopped or there are no streams. */
  async attempt(rate: number): Promise<FindAttempt | null> {
    if (this.#isStopped) return null
    const { begin, objectives, streams, to } = this.#request
    const opened = this.#needsStreams ? await this.#receiver.open() : OK
    if (this.#isStopped) return null
    if (!opened.ok) {
      this.#io.stderr(`comet gen: streams at ${streams}: ${opened.why}`)
      return null
    }
    const start = () => {
      this.#running = begin(rate)
      return this.#running
    }
    const outcome = await outcomeOf(rate, start, this.#receiver, systemClock, Bun.sleep)
    if (this.#isStopped) return null
    const attempt = attemptOf(outcome, objectives)
    this.#needsStreams = outcome.arrived.closed + attempt.metrics.lost > 0
    this.#io.stderr(attemptLine(attempt))
    const why = whyUnanswered(outcome.report, to)
    if (why !== null) this.#io.stderr(`comet gen: ${why}`)
    return attempt
  }
}

export const FindReport = Type.Object(
  {
    highest: Type.Union([Type.Integer({ minimum: 1 }), Type.Null()], {
      description: 'The highest rate that held, in messages a second; null if none did.',
    }),
    objectives: Type.Array(Type.String()),
    attempts: Type.Array(FindAttempt),
  },
  { $id: 'FindReport' },
)
export type FindReport = Static<typeof FindReport>

export function findReport(
  attempts: readonly FindAttempt[],
  objectives: readonly string[],
): FindReport {
  const highest = highestHeld(attempts)?.rate ?? null
  return { highest, objectives: [...objectives], attempts: [...attempts] }
}

/** One attempt in a line, during the search. */
export function attemptLine({ rate, why, metrics: { p99Ms, lost } }: FindAttempt): string {
  const text = why ?? `held, p99 ${formatMs(p99Ms)}, lost ${formatCount(lost)}`
  return `${formatQuantity(rate, 'message')} a second: ${text}`
}

type Column = readonly [head: string, cell: (attempt: FindAttempt) => string]

const COLUMNS: readonly Column[] = [
  ['messages/s', ({ rate }) => formatCount(rate)],
  ['held', ({ held }) => (held ? 'yes' : 'no')],
  ['sent/s', ({ perSecond }) => formatCount(perSecond)],
  ['p50', ({ metrics }) => formatMs(metrics.p50Ms)],
  ['p90', ({ metrics }) => formatMs(metrics.p90Ms)],
  ['p99', ({ metrics }) => formatMs(metrics.p99Ms)],
  ['p99.9', ({ metrics }) => formatMs(metrics.p999Ms)],
  ['max', ({ metrics }) => formatMs(metrics.maxMs)],
  ['lost', ({ metrics }) => formatCount(metrics.lost)],
]

/** The attempts as a table, and the rate that was found. */
export function findSummary({ highest, objectives, attempts }: FindReport): string {
  const columns = COLUMNS.map(([head, cell]) => {
    const cells = [head, ...attempts.map(cell)]
    const width = Math.max(...cells.map(({ length }) => length))
    return cells.map((text) => text.padStart(width))
  })
  const rows = [null, ...attempts].map((_, at) => columns.map((cells) => cells[at]).join('  '))
  const wanted = objectives.join(', ')
  const found =
    highest === null
      ? `No rate held ${wanted}.`
      : `The highest rate that held ${wanted}: ${formatQuantity(highest, 'message')} a second.`
  return attempts.length === 0 ? found : [...rows, found].join('\n')
}
