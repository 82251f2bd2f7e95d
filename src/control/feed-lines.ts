// The lines of the feed of connections, `GET /feed`: what they are, and how they are written.

import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { type Cursor, cursorText } from '../core/cursor.ts'
import { SubjectSchema } from '../hub/message.ts'
import type { ConnectionEvent, FeedGap, OpenConnection } from '../log/feed-source.ts'

const Id = Type.String({
  description: 'The place in the feed after this line; ask again with it as `after`.',
})

const ONE = {
  user: SubjectSchema,
  connection: Type.String({ description: 'No other connection has it.' }),
  node: Type.String({ description: 'By --node-name.' }),
  online: Type.Boolean({ description: 'Has the user a connection with this node from then on?' }),
  since: Type.String({ format: 'date-time', description: 'When it was opened.' }),
}

const Event = Type.Object({
  id: Id,
  event: Type.Union([Type.Literal('connected'), Type.Literal('disconnected')]),
  ...ONE,
  at: Type.String({ format: 'date-time', description: 'When this was seen.' }),
  reason: Type.Optional(
    Type.String({
      description: 'Why it ended: those of `closed` in /stats. Only of a connection that ended.',
    }),
  ),
})

const Present = Type.Object(
  { event: Type.Literal('present'), ...ONE },
  { description: 'A connection that is open; with `snapshot`.' },
)

const Place = Type.Object({ id: Id }, { description: 'Where the feed begins; its first line.' })

const Complete = Type.Object(
  { id: Id, snapshot: Type.Literal('complete') },
  { description: 'All open connections have been listed; with `snapshot`.' },
)

const Gap = Type.Object(
  {
    gap: Type.Object({
      after: Type.String(),
      resume: Type.String(),
      reason: Type.Union([Type.Literal('lost'), Type.Literal('unknown')]),
    }),
  },
  { description: 'Events after `after` are missing; the feed continues after `resume`.' },
)

const End = Type.Object(
  { end: Type.Literal('drained') },
  { description: 'The server stops, and there are no more events.' },
)

/** One line. */
export const FeedLine = Type.Union([Place, Event, Present, Complete, Gap, End])

/** Where a reader begins. */
export function placeLine(cursor: Cursor): string {
  return written<typeof Place>({ id: cursorText(cursor) })
}

export function gapLine({ after, reason }: FeedGap, resume: Cursor): string {
  const gap = { after: cursorText(after), resume: cursorText(resume), reason }
  return written<typeof Gap>({ gap })
}

/** Once an event and reader. */
export function eventLine(of: ConnectionEvent): string {
  const { cursor, user, connection, node, online, sinceMs, atMs, reason } = of
  return written<typeof Event>({
    id: cursorText(cursor),
    event: reason === null ? 'connected' : 'disconnected',
    ...{ user, connection, node, online },
    since: new Date(sinceMs).toISOString(),
    at: new Date(atMs).toISOString(),
    ...(reason !== null && { reason }),
  })
}

/** Once a connection, and reader that wants to know. */
export function presentLine({ user, connection, node, sinceMs }: OpenConnection): string {
  const since = new Date(sinceMs).toISOString()
  return written<typeof Present>({ event: 'present', user, connection, node, online: true, since })
}

/** All that were open are told. */
export function completeLine(cursor: Cursor): string {
  return written<typeof Complete>({ id: cursorText(cursor), snapshot: 'complete' })
}

/** The server stops. */
export function endLine(): string {
  return written<typeof End>({ end: 'drained' })
}

function written<Schema extends TSchema>(line: Static<Schema>): string {
  return `${JSON.stringify(line)}\n`
}
