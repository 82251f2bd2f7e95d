// The server's log: one line an event, as JSON or as text for people. Never the body of a message,
// and never a line per stream: a million of them would be worse than the event.

import type { Clock } from './clock.ts'
import { logLimits } from './limits.ts'
import { LOG_LEVELS, type LogFields, type LogLevel, RecentLog } from './recent-log.ts'
import { formatQuantity } from './units.ts'

export const LOG_FORMATS = ['json', 'text'] as const
export type LogFormat = (typeof LOG_FORMATS)[number]

export interface LogOptions {
  /** Unless another is chosen. */
  readonly format: LogFormat
  /** May text have the colours of a terminal? */
  readonly hasColor?: boolean
  /** Returns whether the line was written; one that was not is dropped. */
  readonly write: (line: string) => boolean
  readonly clock: Clock
}

/** What may change while the log is written. */
export interface LogSettings {
  /** Less urgent events are left out. */
  readonly logLevel: LogLevel
  /** Null for that of the place where the log is written. */
  readonly logFormat: LogFormat | null
}

/** Yellow and red. */
const COLORS: Readonly<Record<LogLevel, string>> = { info: '', warn: '\x1b[33m', error: '\x1b[31m' }
const PLAIN = '\x1b[m'

export class Log {
  /** The last lines, written or not. */
  readonly recent: RecentLog
  readonly #options: LogOptions
  /** Of each repeated event: when it was last written, and how many were suppressed since. */
  readonly #repeated = new Map<string, { writtenMs: number; suppressed: number }>()

  /** Lines that could not be written since the start. */
  dropped = 0
  /** Those of them that no line reports yet. */
  #unreported = 0
  #timer: Timer | null = null
  #settings: LogSettings = { logLevel: 'info', logFormat: null }

  constructor(options: LogOptions) {
    this.#options = options
    this.recent = new RecentLog(options.clock)
  }

  /** From the next event on. */
  change(settings: LogSettings): void {
    this.#settings = settings
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

  /** An unexpected error, with its stack trace: a bug of comet. */
  bug(error: unknown): void {
    this.error('bug', error instanceof Error ? (error.stack ?? error.message) : String(error))
  }

  /**
   * For events that may happen a thousand times a second: writes the first at once, then at most
   * one a second, with the number of those suppressed. Events are names in the code, so the table
   * stays small.
   */
  repeated(event: string, message: string): void {
    if (!this.#takes('warn')) return
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

  #takes(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(this.#settings.logLevel)
  }

  #write(level: LogLevel, event: string, message: string, fields: LogFields): void {
    if (!this.#takes(level)) return
    this.recent.add({ timeMs: this.#options.clock.nowMs(), level, event, message, fields })
    if (this.#reportDropped() && this.#put(level, event, message, fields)) return
    this.dropped++
    this.#unreported++
    // Reported as soon as possible, not only with the next event. The timer keeps no process alive.
    this.#timer ??= setInterval(() => this.#reportDropped(), logLimits.retryMs).unref()
  }

  /** Returns whether every line that is missing has been reported. */
  #reportDropped(): boolean {
    const lines = this.#unreported
    if (lines === 0) return true
    const message = `Lost ${formatQuantity(lines, 'line')} of this log, which could not be written.`
    if (!this.#put('warn', 'log_dropped', message, { lines })) return false
    this.#unreported = 0
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    return true
  }

  #put(level: LogLevel, event: string, message: string, fields: LogFields): boolean {
    const { clock, format, hasColor, write } = this.#options
    const time = new Date(clock.nowMs()).toISOString()
    if ((this.#settings.logFormat ?? format) === 'json') {
      return write(JSON.stringify({ time, level, event, message, ...fields }))
    }
    // The message is enough for people; the fields are for programs. A stack trace has several
    // lines.
    const line = message.replaceAll(/\s*\n\s*/g, ' ')
    const color = hasColor === true ? COLORS[level] : ''
    const shown = color === '' ? level.padEnd(5) : `${color}${level.padEnd(5)}${PLAIN}`
    return write(`${time.slice(11, 19)} ${shown} ${line}`)
  }
}
