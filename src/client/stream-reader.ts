// Reads one stream, lines of JSON, to its end, and tells how it ended.

import { parseObject } from '../core/json.ts'
import { codeOf } from '../core/system-error.ts'
import { clientLimits } from '../core/tool-limits.ts'

/** One thing that a stream says: a message, where it is in the log, or a gap. */
export interface StreamLine {
  readonly text: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** How a stream ended. */
export type StreamOver =
  /** Its reader has had enough. */
  | { readonly kind: 'enough' }
  /** The server has ended it, and says why. */
  | { readonly kind: 'ended'; readonly reason: string; readonly note: string | null }
  /** The connection was lost. */
  | { readonly kind: 'lost'; readonly why: string }
  /** It is no stream of comet. */
  | { readonly kind: 'foreign'; readonly why: string }

/** Takes a line; `foreign` if that is none of comet. */
export type TakeLine = (line: StreamLine) => 'more' | 'enough' | 'foreign'

/**
 * The silence after which a connection counts as lost. Nothing is said of it, so it is measured:
 * before the first heartbeat, it may be any. It outlives connections.
 */
export class SilenceLimit {
  readonly #minMs: number
  #longestMs = 0

  constructor(minMs: number = clientLimits.silenceMsMin) {
    this.#minMs = minMs
  }

  /** Milliseconds that a stream may be silent; null if it may be so for ever. */
  get limitMs(): number | null {
    if (this.#longestMs === 0) return null
    return Math.max(this.#minMs, clientLimits.silenceRatio * this.#longestMs)
  }

  onHeartbeat(silentMs: number): void {
    this.#longestMs = Math.max(this.#longestMs, silentMs, 1)
  }
}

/** @param cut ends the connection, of which reading then fails */
export async function readStream(
  { body }: Response,
  take: TakeLine,
  silence: SilenceLimit,
  cut: () => void,
): Promise<StreamOver> {
  const decoder = new TextDecoder()
  let rest = ''
  let lastMs = performance.now()
  let timer: Timer | undefined
  let isSilent = false
  const watch = (limitMs: number) => {
    const leftMs = lastMs + limitMs - performance.now()
    isSilent = leftMs <= 0
    if (isSilent) cut()
    else timer = setTimeout(watch, leftMs, limitMs)
  }
  try {
    for await (const part of body ?? []) {
      const nowMs = performance.now()
      const lines = (rest + decoder.decode(part, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (line === '') silence.onHeartbeat(nowMs - lastMs)
        const over = line === '' ? null : overBy(line, take)
        if (over !== null) return over
      }
      if (rest.length > clientLimits.lineLengthMax) {
        return { kind: 'foreign', why: 'sent a line that is too long for a message' }
      }
      lastMs = nowMs
      if (timer === undefined && silence.limitMs !== null) watch(silence.limitMs)
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return { kind: 'lost', why: isSilent ? 'it was silent' : (codeOf(error) ?? error.name) }
  } finally {
    clearTimeout(timer)
  }
  return { kind: 'lost', why: 'it was closed' }
}

/** Is the stream over with this line, and how? */
function overBy(text: string, take: TakeLine): StreamOver | null {
  const fields = parseObject(text)
  if (typeof fields?.['end'] === 'string') {
    const { end, note } = fields
    return { kind: 'ended', reason: end, note: typeof note === 'string' ? note : null }
  }
  const taken = fields === null ? 'foreign' : take({ text, fields })
  if (taken === 'enough') return { kind: 'enough' }
  return taken === 'more' ? null : { kind: 'foreign', why: 'sent a line that is no message' }
}
