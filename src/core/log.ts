// The server's log: one line an event, JSON for machines or readable for people. Never a message's
// body, never a line per stream: a million of either would be worse than the event.

import type { Clock } from './clock.ts'
import { logLimits } from './limits.ts'
import { formatCount } from './units.ts'

export type LogFields = Readonly<Record<string, string | number | boolean | null>>

type Level = 'info' | 'warn' | 'error'

export interface LogOptions {
  readonly format: 'json' | 'text'
  /** Answers whether the line is written; one that is not is dropped. */
  readonly write: (line: string) => boolean
  readonly clock: Clock
}

export class Log {
  readonly #options: LogOptions
  /** Events of the repeated kind: when each was last written, and how often it was not since. */
  readonly #repeated = new Map<string, { writtenMs: number; suppressed: number }>()

  /** Lines that could not be written, since the start. */
  dropped = 0
  /** Those of them that no line tells of yet. */
  #untold = 0
  #timer: Timer | null = null

  constructor(options: LogOptions) {
    this.#options = options
  }

  info(event: string, message: string, fields: LogFields = {}): void {
    this.#write('info', event, message, fields)
  }

  warn(event: string, message: string, fields: LogFields = {}): void {
    this.#write('warn', event, message, fields)
  }

  error(event: string, message: string, fields: LogFields = {}): void {
    this.#write('error', event, message, fields)
  }

  /** What nobody expected: a bug of ours, with where it happened. */
  bug(error: unknown): void {
    this.error('bug', error instanceof Error ? (error.stack ?? error.message) : String(error))
  }

  /**
   * For what may happen a thousand times a second: written at once, then at most once a second
   * with the number of those left out. Events are names in the code, so the table stays small.
   */
  repeated(event: string, message: string): void {
    const nowMs = this.#options.clock.elapsedMs()
    const entry = this.#repeated.get(event)
    if (entry !== undefined && nowMs - entry.writtenMs < logLimits.repeatMs) {
      entry.suppressed++
      return
    }
    const suppressed = entry?.suppressed ?? 0
    this.#repeated.set(event, { writtenMs: nowMs, suppressed: 0 })
    this.#write('warn', event, message, suppressed > 0 ? { alsoSuppressed: suppressed } : {})
  }

  #write(level: Level, event: string, message: string, fields: LogFields): void {
    if (this.#tellDropped() && this.#put(level, event, message, fields)) return
    this.dropped++
    this.#untold++
    // Told as soon as it can be, not only with the next event. It keeps no process from its end.
    this.#timer ??= setInterval(() => this.#tellDropped(), logLimits.retryMs).unref()
  }

  /** Answers whether no line is missing without a word about it. */
  #tellDropped(): boolean {
    const lines = this.#untold
    if (lines === 0) return true
    const message = `${formatCount(lines)} lines of this log could not be written and are lost.`
    if (!this.#put('warn', 'log_dropped', message, { lines })) return false
    this.#untold = 0
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    return true
  }

  #put(level: Level, event: string, message: string, fields: LogFields): boolean {
    const time = new Date(this.#options.clock.nowMs()).toISOString()
    if (this.#options.format === 'json') {
      return this.#options.write(JSON.stringify({ time, level, event, message, ...fields }))
    }
    // The message says it all to a person; the fields are for machines. A stack trace has lines.
    const line = message.replaceAll(/\s*\n\s*/g, ' ')
    return this.#options.write(`${time.slice(11, 19)} ${level.padEnd(5)} ${line}`)
  }
}
