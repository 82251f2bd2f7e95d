// Publishes to any server that takes a message as one POST: the address names the user, the text alone
// is the body. It knows no schedule; who calls it sees to the order.

import { genLimits } from '../core/tool-limits.ts'
import { type BatchResult, kindOf, type Publish, type WriteMessage } from './publisher.ts'

/** One request to be. */
export interface Post {
  readonly url: string
  readonly text: string
}

/** Is this an address like `http://127.0.0.1:8080/pub/{id}`, once the user's id stands in it? */
export function isPostTemplate(template: string): boolean {
  const url = urlOf(template, 1)
  return URL.canParse(url) && new URL(url).protocol === 'http:'
}

/** @param template the address; `{id}` in it stands for the user */
export function postOf(template: string): WriteMessage<Post> {
  return (user, text) => ({ url: urlOf(template, user), text })
}

function urlOf(template: string, user: number): string {
  return template.replaceAll('{id}', String(user))
}

/**
 * Sends one message, over a connection that stays open for the next. Bun 1.4.5 sends 40,000 a second
 * with `fetch` to a server that does nothing; that suffices.
 */
export const post: Publish<Post> = async ([message]) => {
  if (message === undefined) return { ok: true, accepted: 0, delivered: 0 }
  let response: Response
  let answer: string
  try {
    response = await fetch(message.url, {
      method: 'POST',
      headers: { 'content-type': 'text/plain', accept: 'application/json' },
      body: message.text,
      // A redirect has not taken the message.
      redirect: 'manual',
      signal: AbortSignal.timeout(genLimits.answerMs),
      proxy: false,
    })
    answer = await response.text()
  } catch (error) {
    return { ok: false, kind: kindOf(error) }
  }
  return response.ok ? acceptedWith(answer) : { ok: false, kind: `status_${response.status}` }
}

function acceptedWith(answer: string): BatchResult {
  const promise = promiseOf(answer)
  return promise === null
    ? { ok: true, accepted: 1, delivered: 0, unpromised: 1 }
    : { ok: true, accepted: 1, ...promise }
}

/** By these names servers tell how many receivers a message has: nchan and comet. */
const PROMISES = ['subscribers', 'delivered'] as const

/** How many receivers the answer speaks of; null if it does not. */
function promiseOf(answer: string): { delivered: number; unknown?: number } | null {
  if (!answer.startsWith('{') || answer.length > genLimits.promiseBytesMax) return null
  let fields: Record<string, unknown>
  try {
    fields = JSON.parse(answer) as Record<string, unknown>
  } catch {
    // It only looked like JSON, as a page may; then it promises nothing.
    return null
  }
  const delivered = PROMISES.map((name) => fields[name]).find(isCount)
  if (delivered === undefined) return null
  const { unknown } = fields
  return isCount(unknown) ? { delivered, unknown } : { delivered }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}
