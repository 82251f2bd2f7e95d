// Who is connected: `GET /users/{id}`, how often and since when; `GET /users`, all of them in
// pages; and `DELETE /users/{id}/streams`, which ends a user's streams.

import type { SQLiteError } from 'bun:sqlite'
import { type Static, Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import type { Clock } from '../core/clock.ts'
import { ErrorBody, type Failure, failed, TOO_MANY_NAMES } from '../core/errors.ts'
import { messageLimits } from '../core/limits.ts'
import { type Result, refused, success } from '../core/result.ts'
import { parseSubject, type Subject } from '../core/user.ts'
import type { StreamHost } from '../hub/host.ts'
import { SubjectSchema } from '../hub/message.ts'
import type { Settings } from '../hub/settings.ts'
import type { NameTable } from '../subscriptions/name-table.ts'
import type { TokenRevocations } from '../subscriptions/revocations.ts'
import { answerTo, refusal } from './answer.ts'
import { MissingNodes, missingOf, type OtherNodes } from './other-nodes.ts'
import { pageRequest, type Query, UserPage, userPage } from './page.ts'
import { stored } from './storage.ts'

const Presence = Type.Object({
  user: SubjectSchema,
  connections: Type.Integer({ description: 'Streams that are open for this user.' }),
  since: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
    description: 'When the oldest of them was opened; null if there is none.',
  }),
  missing: MissingNodes,
})

const Ended = Type.Object({
  ended: Type.Integer({ description: 'How many streams were ended.' }),
  unknown: Type.Optional(
    Type.Integer({
      minimum: 1,
      description:
        'Streams whose worker did not say so within a second: they end once it does. Absent when ' +
        'there were none.',
    }),
  ),
  missing: MissingNodes,
})

export interface UserRoutesOptions {
  /** Knows the streams of all processes. */
  readonly host: Pick<StreamHost, 'userPresence' | 'usersAfter' | 'endStreams'>
  readonly names: Pick<NameTable, 'idOf' | 'intern' | 'subjectOf'>
  readonly others: Pick<OtherNodes, 'ask'>
  readonly revocations: Pick<TokenRevocations, 'revoke'>
  readonly settings: Settings<'userIdMax'>
  readonly clock: Clock
  /** Called when the database has refused a change. */
  readonly onStorageError: (error: SQLiteError) => void
}

export function userRoutes(options: UserRoutesOptions) {
  const responses = { 400: ErrorBody, 404: ErrorBody }
  return new Elysia({ name: 'comet.users' })
    .get(
      '/users/:id',
      async ({ params: { id } }) => {
        const user = parseSubject(id, options.settings.current.userIdMax)
        return user.ok ? presenceOf(options, user.value) : refusal(user.why)
      },
      {
        response: { 200: Presence, ...responses },
        detail: { summary: "A user's connections, on all nodes of the cluster" },
      },
    )
    .get('/users', ({ query }) => answerTo(page(options, query)), {
      response: { 200: UserPage, 400: ErrorBody },
      detail: { summary: 'Users who are connected' },
    })
    .delete(
      '/users/:id/streams',
      async ({ params: { id }, query }) => answerTo(await endStreams(options, id, query)),
      {
        parse: 'none',
        response: { 200: Ended, ...responses, 503: ErrorBody },
        detail: {
          summary: "End a user's streams, and revoke the tokens that were issued until now",
        },
      },
    )
}

async function presenceOf(
  { host, names, others }: UserRoutesOptions,
  user: Subject,
): Promise<Response> {
  const [here, { answers, missing }] = await Promise.all([
    host.userPresence(names.idOf(user)),
    others.ask('presence', { user }),
  ])
  const all = [here, ...answers.map(({ answer }) => answer)]
  const connections = all.reduce((sum, one) => sum + one.connections, 0)
  const sinceMs = Math.min(...all.map((one) => one.sinceMs ?? Number.POSITIVE_INFINITY))
  const since = Number.isFinite(sinceMs) ? new Date(sinceMs).toISOString() : null
  return Response.json({ user, connections, since, ...missingOf(missing) })
}

function page({ host, names }: UserRoutesOptions, query: Query) {
  const request = pageRequest(query)
  if (!request.ok) return request
  const { after, size } = request.value
  // One more, which says whether there is another page.
  const found = [...host.usersAfter(after, size + 1)]
  const users = found.slice(0, size)
  const next = found.length > size ? (users.at(-1) ?? null) : null
  return success(userPage({ users, next }, names))
}

/** The tokens first: a client that comes back at once must not be let in. */
async function endStreams(
  { host, names, others, revocations, settings, clock, onStorageError }: UserRoutesOptions,
  id: string,
  query: Query,
): Promise<Result<Static<typeof Ended>, Failure>> {
  const subject = parseSubject(id, settings.current.userIdMax)
  if (!subject.ok) return subject
  const note = query['note'] ?? null
  const { noteLengthMax } = messageLimits
  if (note !== null && (note.length > noteLengthMax || !note.isWellFormed())) {
    return failed('invalid_query', `"note" is a text of up to ${noteLengthMax} characters.`)
  }
  // A name that was never seen, too: there may be tokens for it.
  const user = names.intern(subject.value)
  if (user === null) return refused(TOO_MANY_NAMES)
  const atMs = Math.floor(clock.nowMs())
  const revoked = await stored(onStorageError, () => revocations.revoke(user, atMs))
  if (!revoked.ok) return revoked
  const [here, { answers, missing }] = await Promise.all([
    host.endStreams(user, { reason: 'ended', note }),
    others.ask('end', { user: subject.value, atMs, note }),
  ])
  const all = [here, ...answers.map(({ answer }) => answer)]
  const ended = all.reduce((sum, one) => sum + one.ended, 0)
  const unknown = all.reduce((sum, one) => sum + one.unknown, 0)
  return success({ ended, ...(unknown > 0 && { unknown }), ...missingOf(missing) })
}
