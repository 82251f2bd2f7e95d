// Publishes messages: to a comet server, a batch in one request, or to any server that takes a
// message as one POST. The caller keeps the order of messages.

import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { fetchTarget } from '../core/address.ts'
import { type Result, refused, success } from '../core/result.ts'
import { codeOf } from '../core/system-error.ts'
import { genLimits } from '../core/tool-limits.ts'
import type { Subject } from '../core/user.ts'
import type { UserNames } from './user-names.ts'

/** What the server answered to a batch. */
export interface BatchAnswer {
  readonly accepted: number
  readonly delivered: number
  /** Messages accepted without a number of deliveries. */
  readonly unpromised?: number
  /** Deliveries of which the server does not know whether they were made. */
  readonly unknown?: number
}

/** The answer, or the kind of the failure. */
export type BatchResult = Result<BatchAnswer>

/** Sends messages, as {@link WriteMessage} has written them, in one request. */
export type Publish<M> = (messages: readonly M[]) => Promise<BatchResult>

/** @param key by which the server knows a message that it has taken already; null for none */
export type WriteMessage<M> = (user: Subject, text: string, key?: string | null) => M

/**
 * Writes messages as lines of JSON. Hot path: once a message. Neither names nor the generator's own
 * text have anything that JSON would escape.
 *
 * @param address `to` reaches the user alone, `subject` the user and its followers
 * @param names of users by their numbers; null to leave them numbers
 */
export function lineOf(
  address: 'to' | 'subject',
  names: UserNames | null = null,
): WriteMessage<string> {
  const begin = `{"${address}":`
  const before = names === null ? begin : `${begin}"${names.before}`
  const after = names === null ? BODY : `${names.after}"${BODY}`
  return (user, text, key) => {
    const end = key == null ? '"}' : `","key":"${key}"}`
    return typeof user === 'number'
      ? `${before}${user}${after}${text}${end}`
      : `${begin}"${user}"${BODY}${text}${end}`
  }
}

const BODY = ',"body":"'

/** The part of comet's answer that is needed; the answer to one message has no `accepted`. */
const Answer = Type.Object({
  accepted: Type.Optional(Type.Integer()),
  delivered: Type.Integer(),
  unknown: Type.Optional(Type.Integer()),
})

/**
 * Publishes to a comet server.
 *
 * @param controlUrl the address of the control port, like `http://127.0.0.1:8001`
 */
export function publisherTo(controlUrl: string, token: string | null = null): Publish<string> {
  const authorization = token === null ? {} : { authorization: `Bearer ${token}` }
  const { base, ...socket } = fetchTarget(controlUrl)
  return async (lines) => {
    // A single message as JSON takes the server half the time of one line.
    const type = lines.length === 1 ? 'application/json' : 'application/x-ndjson'
    const result = await request(`${base}/messages`, lines.join('\n'), {
      headers: { 'content-type': type, ...authorization },
      ...socket,
    })
    if (!result.ok) return result
    const answer = jsonOf(result.value)
    if (!Value.Check(Answer, answer)) return NOT_COMET
    const accepted = lines.length === 1 ? 1 : answer.accepted
    const { delivered, unknown } = answer
    if (accepted === undefined) return NOT_COMET
    return success({ accepted, delivered, ...(unknown === undefined ? {} : { unknown }) })
  }
}

const NOT_COMET = refused('not_a_comet_server')

/** A request to be sent. */
export interface Post {
  readonly url: string
  readonly text: string
}

/** @param template the address; `{id}` in it stands for the user */
export function postOf(template: string): WriteMessage<Post> {
  return (user, text) => ({ url: template.replaceAll('{id}', String(user)), text })
}

/** The fields in which servers report the number of receivers: nchan and comet. */
const PROMISES = ['subscribers', 'delivered'] as const

/**
 * Sends one message, over a connection that stays open for the next. Bun 1.4.5 sends 40,000 a
 * second with `fetch` to a server that does nothing, which is enough.
 */
export const post: Publish<Post> = async ([message]) => {
  if (message === undefined) return success({ accepted: 0, delivered: 0 })
  const result = await request(message.url, message.text, {
    headers: { 'content-type': 'text/plain', accept: 'application/json' },
    // A redirect has not taken the message.
    redirect: 'manual',
  })
  if (!result.ok) return result
  const text = result.value
  // Text that only looks like JSON, as a page may, has no number either.
  const isJson = text.startsWith('{') && text.length <= genLimits.promiseBytesMax
  const fields = (isJson ? jsonOf(text) : null) ?? {}
  const { unknown } = fields
  const delivered = PROMISES.map((name) => fields[name]).find(isCount)
  if (delivered === undefined) return success({ accepted: 1, delivered: 0, unpromised: 1 })
  return success({ accepted: 1, delivered, ...(isCount(unknown) ? { unknown } : {}) })
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

function jsonOf(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text) as Record<string, unknown> | null
  } catch {
    return null
  }
}

/** Posts a body; returns the text of a successful answer. */
async function request(
  url: string,
  body: string,
  options: BunFetchRequestInit,
): Promise<Result<string>> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      body,
      signal: AbortSignal.timeout(genLimits.answerMs),
      // A proxy from the environment would be measured too.
      proxy: false,
      ...options,
    })
    const text = await response.text()
    return response.ok ? success(text) : refused(`status_${response.status}`)
  } catch (error) {
    const { name } = error as { name?: unknown }
    return refused(KINDS[codeOf(error) ?? ''] ?? KINDS[String(name)] ?? 'request_failed')
  }
}

/** Why a request failed, by the code or the name of its error. */
const KINDS: Record<string, string> = {
  ConnectionRefused: 'refused',
  ECONNREFUSED: 'refused',
  // A Unix socket that does not exist.
  ENOENT: 'refused',
  ECONNRESET: 'reset',
  TimeoutError: 'no_answer',
}
