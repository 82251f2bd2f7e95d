// The last lines of the log, kept in memory for readers elsewhere: `GET /log`, and the
// dashboard. The log itself is what goes to standard error.

import type { Clock } from './clock.ts'
import { recentLogLimits } from './recent-log-limits.ts'

export type LogFields = Readonly<Record<string, string | number | boolean | null>>

export const LOG_LEVELS = ['info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface LogLine {
  /** When it was written, in milliseconds since 1970. */
  readonly timeMs: number
  readonly level: LogLevel
  /** A name in the code. */
  readonly event: string
  readonly message: string
  readonly fields: LogFields
}

export interface RecentLine extends LogLine {
  readonly id: number
}

export interface RecentPage {
  /** Oldest first. */
  readonly lines: readonly RecentLine[]
  /** The id of the newest line; ask for lines after it the next time. */
  readonly last: number
  /** Lines after the one that was asked for that are not in this page. */
  readonly missed: number
}

const { linesMax, messageLengthMax, fieldLengthMax, fieldsMax } = recentLogLimits

/** Bounded by {@link recentLogLimits}, whatever is logged. */
export class RecentLog {
  /** Oldest first, at most {@link linesMax}. */
  readonly #lines: RecentLine[] = []
  /** Ids begin at the time of the start, so that those of a later start are larger. */
  readonly #firstId: number
  #lastId: number

  constructor(clock: Pick<Clock, 'nowMs'>) {
    this.#firstId = Math.floor(clock.nowMs())
    this.#lastId = this.#firstId
  }

  /** Keeps a line, shortened if it is very long; the oldest gives way. */
  add(line: LogLine): void {
    this.#lastId++
    this.#lines.push({ ...shortened(line), id: this.#lastId })
    if (this.#lines.length > linesMax) this.#lines.shift()
  }

  /**
   * The newest lines after that id, which may be of an earlier start.
   *
   * @param count as many at most
   */
  after(id: number, count: number): RecentPage {
    const newer = this.#lines.filter((line) => line.id > id)
    const lines = newer.slice(Math.max(0, newer.length - count))
    const written = this.#lastId - Math.max(id, this.#firstId)
    return { lines, last: this.#lastId, missed: Math.max(0, written - lines.length) }
  }
}

function shortened({ message, fields, ...line }: LogLine): LogLine {
  const entries = Object.entries(fields)
    .slice(0, fieldsMax)
    .map(([name, value]) => [name, typeof value === 'string' ? cut(value, fieldLengthMax) : value])
  return { ...line, message: cut(message, messageLengthMax), fields: Object.fromEntries(entries) }
}

function cut(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax - 1)}…`
}
