// `GET /users/{id}`: is this user connected, how often, and since when.

import { Type } from '@sinclair/typebox'
import { Elysia, status } from 'elysia'
import { ERRORS, ErrorBody, errorBody } from '../core/errors.ts'
import { parseUserId } from '../core/user.ts'
import type { Settings } from '../hub/settings.ts'
import type { UserPresence } from '../hub/stream-table.ts'

const Presence = Type.Object({
  user: Type.Integer(),
  connections: Type.Integer({ description: 'Streams that are open for this user.' }),
  since: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
    description: 'When the oldest of them was opened; null if there is none.',
  }),
})

/** Asks the processes that hold the user's streams. */
export type PresenceOf = (user: number) => Promise<UserPresence>

export function userRoutes(presenceOf: PresenceOf, settings: Settings<'userIdMax'>) {
  return new Elysia({ name: 'comet.users' }).get(
    '/users/:id',
    async ({ params: { id } }) => {
      const parsed = parseUserId(id, settings.current.userIdMax)
      if (!parsed.ok) {
        const { code } = parsed.why
        const of = code === 'unknown_user' ? ERRORS.unknown_user : ERRORS.invalid_user_id
        return status(of.status, errorBody(parsed.why))
      }
      const user = parsed.value
      const { connections, sinceMs } = await presenceOf(user)
      return { user, connections, since: sinceMs === null ? null : new Date(sinceMs).toISOString() }
    },
    {
      response: { 200: Presence, 400: ErrorBody, 404: ErrorBody },
      detail: { summary: "A user's connections" },
    },
  )
}
