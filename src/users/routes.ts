// `GET /users/{id}`: is this user connected, how often, and since when.

import { Type } from '@sinclair/typebox'
import { Elysia, status } from 'elysia'
import { ERRORS, ErrorBody, errorBody } from '../core/errors.ts'
import { messageLimits } from '../core/limits.ts'
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
      const user = /^\d+$/.test(id) ? Number(id) : 0
      if (user < 1 || user > messageLimits.userIdMax) {
        return status(
          ERRORS.invalid_user_id.status,
          errorBody({
            code: 'invalid_user_id',
            message: `A user id is a whole number from 1 to ${messageLimits.userIdMax}.`,
          }),
        )
      }
      const { connections, sinceMs } = streams.presence(user)
      return { user, connections, since: sinceMs === null ? null : new Date(sinceMs).toISOString() }
    },
    {
      response: { 200: Presence, [ERRORS.invalid_user_id.status]: ErrorBody },
      detail: { summary: "A user's connections" },
    },
  )
}
