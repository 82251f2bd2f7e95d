// Who is connected: `GET /users/{id}`, how often and since when; `GET /users`, all of them in pages.

import { Type } from '@sinclair/typebox'
import { Elysia, status } from 'elysia'
import { ERRORS, ErrorBody, errorBody } from '../core/errors.ts'
import { parseUserId } from '../core/user.ts'
import type { StreamHost } from '../hub/host.ts'
import type { Settings } from '../hub/settings.ts'
import { PAGE_QUERY, pageRequest, UserPage } from './page.ts'

const Presence = Type.Object({
  user: Type.Integer(),
  connections: Type.Integer({ description: 'Streams that are open for this user.' }),
  since: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
    description: 'When the oldest of them was opened; null if there is none.',
  }),
})

/** Knows the streams of all processes. */
export type PresenceSource = Pick<StreamHost, 'userPresence' | 'usersAfter'>

export function userRoutes(source: PresenceSource, settings: Settings<'userIdMax'>) {
  return new Elysia({ name: 'comet.users' })
    .get(
      '/users/:id',
      async ({ params: { id } }) => {
        const parsed = parseUserId(id, settings.current.userIdMax)
        if (!parsed.ok) {
          const { code } = parsed.why
          const of = code === 'unknown_user' ? ERRORS.unknown_user : ERRORS.invalid_user_id
          return status(of.status, errorBody(parsed.why))
        }
        const user = parsed.value
        const { connections, sinceMs } = await source.userPresence(user)
        const since = sinceMs === null ? null : new Date(sinceMs).toISOString()
        return { user, connections, since }
      },
      {
        response: { 200: Presence, 400: ErrorBody, 404: ErrorBody },
        detail: { summary: "A user's connections" },
      },
    )
    .get(
      '/users',
      ({ query }) => {
        const request = pageRequest(query)
        if (!request.ok) return status(ERRORS.invalid_query.status, errorBody(request.why))
        const { after, size } = request.value
        // One more, which says whether there is another page.
        const found = [...source.usersAfter(after, size + 1)]
        const users = found.slice(0, size)
        return { users, next: found.length > size ? (users.at(-1) ?? null) : null }
      },
      {
        response: { 200: UserPage, 400: ErrorBody },
        detail: { summary: 'Users who are connected', parameters: [...PAGE_QUERY] },
      },
    )
}
