// The box for one user: is the user connected, who follows, and a message to that user alone. It uses
// what the control port offers anybody.

import { ask } from './api.ts'
import { type Box, byId, say } from './dom.ts'
import { some } from './text.ts'

interface Presence {
  readonly connections: number
  readonly since: string | null
}

interface Followers {
  readonly users: readonly number[]
  readonly next: number | null
}

export function placeUserBox(): void {
  const id = byId('user-id')
  const body = byId('body')
  onSubmit('look-up', () => lookUp(id.value.trim()))
  onSubmit('send', async () => {
    const user = id.value.trim()
    if (user !== '') return await send(user, body.value)
    id.focus()
    return 'Say which user, above.'
  })
}

/** Runs what a form is for, one at a time, and says what came of it below. */
function onSubmit(form: string, run: () => Promise<string>): void {
  const answer: Box = byId(`${form}-answer`)
  let isUnderWay = false
  byId(form).addEventListener('submit', async (event) => {
    event.preventDefault()
    if (isUnderWay) return
    isUnderWay = true
    say(answer, '…')
    say(answer, await run())
    isUnderWay = false
  })
}

async function lookUp(user: string): Promise<string> {
  const path = `/users/${encodeURIComponent(user)}`
  const [presence, followers] = await Promise.all([
    ask<Presence>(path),
    ask<Followers>(`${path}/subscribers`),
  ])
  if (!presence.ok) return presence.why
  const { connections, since } = presence.value
  const when = since === null ? '' : ` since ${new Date(since).toLocaleString()}`
  const is =
    connections === 0
      ? `User ${user} is not connected.`
      : `User ${user} has ${some(connections, 'open stream')}${when}.`
  return followers.ok ? `${is} ${followersText(followers.value)}` : is
}

function followersText({ users, next }: Followers): string {
  if (users.length === 0) return 'Nobody follows this user.'
  return next === null
    ? `${some(users.length, 'user')} follow${users.length === 1 ? 's' : ''} this user.`
    : `More than ${users.length.toLocaleString('en-US')} users follow this user.`
}

interface Counts {
  readonly delivered: number
  readonly skipped?: number
  readonly unknown?: number
}

async function send(user: string, body: string): Promise<string> {
  // Digits beyond what a number holds exactly would be another user.
  const to = /^\d{1,10}$/.test(user) ? Number(user) : user
  const sent = await ask<Counts>('/messages', { to, body })
  if (!sent.ok) return `Not sent: ${sent.why}`
  const { delivered, skipped = 0, unknown = 0 } = sent.value
  const passed = skipped === 0 ? '' : ` ${some(skipped, 'stream')} passed over.`
  const over = unknown === 0 ? passed : `${passed} Not known of ${some(unknown, 'stream')}.`
  if (delivered === 0 && unknown > 0) return over.trim()
  return delivered === 0
    ? `Nobody received it: user ${user} is not connected.${over}`
    : `Delivered to ${some(delivered, 'stream')} of user ${user}.${over}`
}
