// One publisher: a connection to the control port that sends a batch, waits for the answer, and
// sends the next; so its messages keep their order. It speaks the API, and knows no schedule.

import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { genLimits } from '../core/limits.ts'

/** The part of the server's answer that a generator needs. */
const Answer = Type.Object({
  accepted: Type.Integer(),
  delivered: Type.Integer(),
})

/** What became of a batch: the server's promise, or why there is none. */
export type BatchResult =
  | ({ readonly ok: true } & Static<typeof Answer>)
  | { readonly ok: false; readonly kind: string }

export type Publish = (lines: readonly string[]) => Promise<BatchResult>

/**
 * Publishes to a comet server.
 *
 * @param controlUrl the address of the control port, like `http://127.0.0.1:8001`
 */
export function publisherTo(controlUrl: string): Publish {
  // Behind a proxy the port may have a path before its own.
  const url = `${controlUrl.replace(/\/+$/, '')}/messages`
  return async (lines) => {
    let response: Response
    let answer: unknown
    try {
      response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        body: lines.join('\n'),
        signal: AbortSignal.timeout(genLimits.answerMs),
      })
      answer = response.ok ? await response.json() : await response.text()
    } catch (error) {
      return { ok: false, kind: kindOf(error) }
    }
    if (!response.ok) return { ok: false, kind: `status_${response.status}` }
    return Value.Check(Answer, answer)
      ? { ok: true, accepted: answer.accepted, delivered: answer.delivered }
      : { ok: false, kind: 'not_a_comet_server' }
  }
}

const KINDS: Record<string, string> = {
  ConnectionRefused: 'refused',
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  TimeoutError: 'no_answer',
  SyntaxError: 'not_a_comet_server',
}

function kindOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown }
  return KINDS[String(code)] ?? KINDS[String(name)] ?? 'request_failed'
}
