// `GET /subjects/{id}`: how many connections a message about a subject would reach now.

import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { ErrorBody } from '../core/errors.ts'
import { parseSubject, type Subject } from '../core/user.ts'
import type { StreamHost } from '../hub/host.ts'
import { SubjectSchema } from '../hub/message.ts'
import type { Settings } from '../hub/settings.ts'
import type { NameTable } from '../subscriptions/name-table.ts'
import type { Followers } from '../subscriptions/subscriptions.ts'
import { refusal } from './answer.ts'

const Audience = Type.Object({
  subject: SubjectSchema,
  connections: Type.Integer({
    description:
      'Streams that are open now and follow it: by their user, by the subscriptions of their user, ' +
      'or for themselves; each once.',
  }),
  unknown: Type.Optional(
    Type.Integer({
      minimum: 1,
      description: 'Workers that did not answer within a second. Absent when there were none.',
    }),
  ),
})

export interface SubjectRoutesOptions {
  readonly host: Pick<StreamHost, 'audienceOf'>
  readonly names: Pick<NameTable, 'idOf'>
  readonly followers: Followers
  readonly settings: Settings<'userIdMax'>
}

export function subjectRoutes(options: SubjectRoutesOptions) {
  return new Elysia({ name: 'comet.subjects' }).get(
    '/subjects/:id',
    async ({ params: { id } }) => {
      const subject = parseSubject(id, options.settings.current.userIdMax)
      return subject.ok ? audienceOf(options, subject.value) : refusal(subject.why)
    },
    {
      response: { 200: Audience, 400: ErrorBody, 404: ErrorBody },
      detail: { summary: 'How many connections follow a subject' },
    },
  )
}

async function audienceOf(
  { host, names, followers }: SubjectRoutesOptions,
  subject: Subject,
): Promise<Response> {
  const id = names.idOf(subject)
  const { connections, unknown } = await host.audienceOf(id, followers.subscribersOf(id))
  return Response.json({ subject, connections, ...(unknown > 0 && { unknown }) })
}
