// Publishes to a comet server: sends a batch of messages to the control port, and answers what became
// of them. It speaks the API, and knows no schedule; who calls it sees to the order.

import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { socketPathOf } from '../core/address.ts'
import { genLimits } from '../core/tool-limits.ts'

/** The part of the server's answer that a generator needs; to one message it says no more. */
const Answer = Type.Object({
  accepted: Type.Optional(Type.Integer()),
  delivered: Type.Integer(),
  unknown: Type.Optional(Type.Integer()),
})

const ONE = 'application/json'
const LINES = 'application/x-ndjson'

/** What became of a batch: the server's promise, or why there is none. */
export type BatchResult =
  | {
      readonly ok: true
      /** Accepted without a word of how many they go to. */
      readonly unpromised?: number
      readonly accepted: number
      readonly delivered: number
      /** Deliveries of which the server does not know whether they were made. */
      readonly unknown?: number
    }
  | { readonly ok: false; readonly kind: string }

/** Sends messages, in the form in which they were written, in one request. */
export type Publish<M> = (messages: readonly M[]) => Promise<BatchResult>

/** Writes a message in that form. */
export type WriteMessage<M> = (user: number, text: string) => M

/**
 * Writes messages as lines of JSON. Hot path: once a message. The text is the generator's own, which
 * has nothing that JSON would escape.
 *
 * @param address `to` reaches the user alone, `subject` the user and all who follow it
 */
export function lineOf(address: 'to' | 'subject'): WriteMessage<string> {
  return (user, text) => `{"${address}":${user},"body":"${text}"}`
}

/**
 * Publishes to a comet server.
 *
 * @param controlUrl the address of the control port, like `http://127.0.0.1:8001`
 * @param token what the port asks for, if it does
 */
export function publisherTo(controlUrl: string, token: string | null = null): Publish<string> {
  const authorization = token === null ? {} : { authorization: `Bearer ${token}` }
  // Behind a proxy the port may have a path before its own.
  const unix = socketPathOf(controlUrl)
  const base = unix === undefined ? controlUrl.replace(/\/+$/, '') : 'http://localhost'
  const url = `${base}/messages`
  return async (lines) => {
    let response: Response
    let answer: unknown
    try {
      response = await fetch(url, {
        method: 'POST',
        // One alone goes as one, which takes the server half the time that one line takes it.
        headers: { 'content-type': lines.length === 1 ? ONE : LINES, ...authorization },
        body: lines.join('\n'),
        signal: AbortSignal.timeout(genLimits.answerMs),
        // A proxy that the environment names would be measured too.
        proxy: false,
        ...(unix === undefined ? {} : { unix }),
      })
      answer = response.ok ? await response.json() : await response.text()
    } catch (error) {
      return { ok: false, kind: kindOf(error) }
    }
    if (!response.ok) return { ok: false, kind: `status_${response.status}` }
    return promiseIn(answer, lines.length) ?? { ok: false, kind: 'not_a_comet_server' }
  }
}

/** The answer to several messages also has how many of them were some. */
function promiseIn(answer: unknown, sent: number): BatchResult | null {
  if (!Value.Check(Answer, answer)) return null
  const accepted = sent === 1 ? 1 : answer.accepted
  if (accepted === undefined) return null
  const { delivered, unknown } = answer
  const known = { ok: true, accepted, delivered } as const
  return unknown === undefined ? known : { ...known, unknown }
}

const KINDS: Record<string, string> = {
  ConnectionRefused: 'refused',
  ECONNREFUSED: 'refused',
  // A unix socket that is not there.
  ENOENT: 'refused',
  ECONNRESET: 'reset',
  TimeoutError: 'no_answer',
  SyntaxError: 'not_a_comet_server',
}

/** Why a request failed, in one word. */
export function kindOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown }
  return KINDS[String(code)] ?? KINDS[String(name)] ?? 'request_failed'
}
