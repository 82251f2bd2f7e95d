// `GET /users/{id}`: is this user connected, how often, and since when.

import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { ERRORS, ErrorBody } from '../core/errors.ts'
import { messageLimits } from '../core/limits.ts'
import { refusal } from '../core/refusal.ts'
import { parseUserId } from '../core/user.ts'
import type { StreamStore } from '../stream/store.ts'

const Presence = Type.Object({
  user: Type.Integer(),
  connections: Type.Integer({ description: 'Streams that are open for this user.' }),
  since: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
    description: 'When the oldest of them was opened; null if there is none.',
  }),
})

export function userRoutes(streams: StreamStore) {
  return new Elysia({ name: 'comet.users' }).get(
    '/users/:id',
    ({ params: { id } }) => {
      const parsed = parseUserId(id, messageLimits.userIdMax)
      if (!parsed.ok) return refusal(parsed.failure)
      const user = parsed.value
      const { connections, sinceMs } = streams.presence(user)
      return { user, connections, since: sinceMs === null ? null : new Date(sinceMs).toISOString() }
    },
    {
      response: { 200: Presence, [ERRORS.invalid_user_id.status]: ErrorBody },
      detail: { summary: "A user's connections" },
    },
  )
}
