// The servers that share a log with this one, as the routes ask them. What one of them answers may
// be of another version: it is checked as what clients send.

import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { parseJson } from '../core/json.ts'
import type { Subject } from '../core/user.ts'

/** Servers that have not answered in time. */
export const MissingServers = Type.Optional(
  Type.Array(Type.String(), {
    description: 'Servers that did not answer in time. Absent when there were none.',
  }),
)

/** What servers ask each other, with what each answers. */
export const QUESTIONS = {
  presence: Type.Object({
    connections: Type.Integer({ minimum: 0 }),
    sinceMs: Type.Union([Type.Number(), Type.Null()]),
  }),
  end: Type.Object({
    ended: Type.Integer({ minimum: 0 }),
    unknown: Type.Integer({ minimum: 0 }),
  }),
  stats: Type.Object({ version: Type.String() }, { additionalProperties: true }),
} as const satisfies Record<string, TSchema>

export type Question = keyof typeof QUESTIONS

/** What is asked. */
export interface QuestionBodies {
  readonly presence: { readonly user: Subject }
  readonly end: { readonly user: Subject; readonly atMs: number; readonly note: string | null }
  readonly stats: null
}

export interface ServerAnswer<Kind extends Question> {
  readonly name: string
  /** Of its control port. */
  readonly address: string
  readonly answer: Static<(typeof QUESTIONS)[Kind]>
}

export interface ServerAnswers<Kind extends Question> {
  readonly answers: readonly ServerAnswer<Kind>[]
  /** Names of those that did not answer in time. */
  readonly missing: readonly string[]
}

export interface OtherServers {
  /** Of this server. */
  readonly name: string
  readonly address: string
  /** Asks all others; settles within some hundred milliseconds. */
  ask<Kind extends Question>(kind: Kind, body: QuestionBodies[Kind]): Promise<ServerAnswers<Kind>>
}

/** Of a server of its own. */
export function noOthers(name: string, address: string): OtherServers {
  return { name, address, ask: async () => ({ answers: [], missing: [] }) }
}

/** The answer of another server; null for what is none. */
export function parseAnswer<Kind extends Question>(
  kind: Kind,
  text: string,
): Static<(typeof QUESTIONS)[Kind]> | null {
  const parsed = parseJson(text)
  if (!parsed.ok || !Value.Check(QUESTIONS[kind], parsed.value)) return null
  return parsed.value as Static<(typeof QUESTIONS)[Kind]>
}

/** For the body of an answer: absent when there were none. */
export function missingOf(missing: readonly string[]): { missing?: string[] } {
  return missing.length === 0 ? {} : { missing: [...missing] }
}
