// What the page asks of the server that it came from: its figures, and for the box of one user what
// the control port offers every client. The token is kept in this variable and nowhere else: a page
// that is closed or loaded again has forgotten it.

import type { SingleReceipt } from '../control/publish.ts'
import { dashboardLimits } from '../core/limits.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { formatCount, formatQuantity } from '../core/units.ts'
import type { Subject } from '../core/user.ts'

export interface NoReply {
  /** Does the server want a token, or another one? */
  readonly isLocked: boolean
  /** Is it one that may do something else? */
  readonly isRole?: boolean
  /** Why, in a sentence. */
  readonly text: string
}

let token: string | null = null

/** Keeps the token for all requests to come, unless it cannot be one. */
export function setToken(text: string): Result<void> {
  const trimmed = text.trim()
  if (trimmed === '') return refused('Enter the token.')
  // Others cannot be in a header; the request would fail without a reason.
  if (!/^[\x21-\x7e]+$/.test(trimmed)) {
    return refused('A token has no blanks and no letters beyond ASCII. Was more than it copied?')
  }
  token = trimmed
  return OK
}

/** @param message is posted; without it the request is a GET, unless it is to be another one */
export async function ask<T>(
  path: string,
  message?: object,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE' = message === undefined ? 'GET' : 'POST',
): Promise<Result<T, NoReply>> {
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` }
  if (message !== undefined) headers['content-type'] = 'application/json'
  try {
    const response = await fetch(path, {
      ...{ method, headers },
      ...(message === undefined ? {} : { body: JSON.stringify(message) }),
      signal: AbortSignal.timeout(dashboardLimits.answerMs),
    })
    const body: unknown = await response.json()
    if (response.ok) return success(body as T)
    return refused(refusalOf(body, response.status))
  } catch (error) {
    const isLate = error instanceof Error && error.name === 'TimeoutError'
    const text = isLate ? 'The server does not answer.' : 'The server cannot be reached.'
    return refused({ isLocked: false, text })
  }
}

/** In the server's own words; errors have one shape. */
function refusalOf(body: unknown, status: number): NoReply {
  const { error } = (body ?? {}) as { error?: { code?: unknown; message?: unknown } }
  const text =
    typeof error?.message === 'string' ? error.message : `The server answered with ${status}.`
  if (status === 401 && token !== null) return { isLocked: true, text: WRONG_TOKEN }
  const isRole = error?.code === 'forbidden'
  return {
    isLocked: status === 401 || isRole,
    isRole,
    text: isRole ? `${text} ${OTHER_ROLE}` : text,
  }
}

const WRONG_TOKEN = 'The token is wrong: it is none of those in the file of --control-token-file.'
const OTHER_ROLE = 'Another one is needed here.'

interface Presence {
  readonly connections: number
  readonly since: string | null
}

interface Followers {
  readonly users: readonly Subject[]
  readonly next: number | null
}

/** Whether a user is connected, and who follows, in sentences. */
export async function lookUp(user: string): Promise<string> {
  const path = `/users/${encodeURIComponent(user)}`
  const [presence, followers] = await Promise.all([
    ask<Presence>(path),
    ask<Followers>(`${path}/subscribers`),
  ])
  if (!presence.ok) return presence.why.text
  const { connections, since } = presence.value
  const when = since === null ? '' : ` since ${new Date(since).toLocaleString()}`
  const text =
    connections === 0
      ? `User ${user} is not connected.`
      : `User ${user} has ${formatQuantity(connections, 'open stream')}${when}.`
  return followers.ok ? `${text} ${followersText(followers.value)}` : text
}

function followersText({ users, next }: Followers): string {
  if (users.length === 0) return 'No user follows this user.'
  if (next !== null) {
    return `More than ${formatCount(users.length)} users follow this user.`
  }
  return `${formatQuantity(users.length, 'user')} ${users.length === 1 ? 'follows' : 'follow'} this user.`
}

/** Sends a message to one user; returns in a sentence what became of it. */
export async function send(user: string, body: string): Promise<string> {
  const sent = await ask<SingleReceipt>('/messages', { to: user, body })
  if (!sent.ok) return `Not sent: ${sent.why.text}`
  const { delivered, skipped = 0, unknown = 0 } = sent.value
  const sentences: string[] = []
  if (delivered > 0) {
    sentences.push(`Delivered to ${formatQuantity(delivered, 'stream')} of user ${user}.`)
  } else if (unknown === 0) sentences.push(`Not delivered: user ${user} is not connected.`)
  if (skipped > 0) sentences.push(`${formatQuantity(skipped, 'stream')} skipped.`)
  if (unknown > 0) sentences.push(`${formatQuantity(unknown, 'stream')} did not answer in time.`)
  return sentences.join(' ')
}

/** Lets a user follow a subject or, with DELETE, no longer; returns in a sentence what changed. */
export async function changeFollow(
  method: 'PUT' | 'DELETE',
  user: string,
  subject: string,
): Promise<string> {
  const path = `/users/${encodeURIComponent(user)}/subscriptions/${encodeURIComponent(subject)}`
  const changed = await ask<{ readonly changed: boolean }>(path, undefined, method)
  if (!changed.ok) return `Not changed: ${changed.why.text}`
  const isSince = changed.value.changed
  if (method === 'PUT') {
    return `User ${user} ${isSince ? 'follows' : 'already followed'} ${subject}.`
  }
  return `User ${user} ${isSince ? 'no longer follows' : 'did not follow'} ${subject}.`
}
