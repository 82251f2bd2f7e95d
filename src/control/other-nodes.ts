// The other nodes of the cluster, as the routes ask them. An answer may come from another version
// of comet, so it is checked like a client's request.

import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { parseJson } from '../core/json.ts'
import type { Subject } from '../core/user.ts'

/** Nodes that did not answer in time. */
export const MissingNodes = Type.Optional(
  Type.Array(Type.String(), {
    description: 'Nodes that did not answer in time. Absent if all answered.',
  }),
)

/** The questions between nodes, each with the schema of its answer. */
const QUESTIONS = {
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

/** The body of each question. */
export interface QuestionBodies {
  readonly presence: { readonly user: Subject }
  readonly end: { readonly user: Subject; readonly atMs: number; readonly note: string | null }
  readonly stats: null
}

export interface NodeAnswer<Kind extends Question> {
  readonly name: string
  /** Of its control port. */
  readonly address: string
  readonly answer: Static<(typeof QUESTIONS)[Kind]>
}

export interface NodeAnswers<Kind extends Question> {
  readonly answers: readonly NodeAnswer<Kind>[]
  /** Names of those that did not answer in time. */
  readonly missing: readonly string[]
}

export interface OtherNodes {
  /** Of this node. */
  readonly name: string
  /** Of this node's control port. */
  readonly address: string
  /** Asks all other nodes; settles within `nodeLimits.answerMs`. */
  ask<Kind extends Question>(kind: Kind, body: QuestionBodies[Kind]): Promise<NodeAnswers<Kind>>
}

/** For a server without a bus: no node to ask. */
export function noOthers(name: string, address: string): OtherNodes {
  return { name, address, ask: async () => ({ answers: [], missing: [] }) }
}

/** Reads the answer of another node; null if it is not valid. */
export function parseAnswer<Kind extends Question>(
  kind: Kind,
  text: string,
): Static<(typeof QUESTIONS)[Kind]> | null {
  const parsed = parseJson(text)
  if (!parsed.ok || !Value.Check(QUESTIONS[kind], parsed.value)) return null
  return parsed.value as Static<(typeof QUESTIONS)[Kind]>
}

/** The field `missing` of a response; absent if all nodes answered. */
export function missingOf(missing: readonly string[]): { missing?: string[] } {
  return missing.length === 0 ? {} : { missing: [...missing] }
}
