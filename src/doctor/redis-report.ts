// The assessment of a Redis for people, and as JSON.

import { type Static, Type } from '@sinclair/typebox'
import { redisName, writtenUrl } from '../core/redis-address.ts'
import { writtenBytes } from '../core/units.ts'
import { findingRows } from './finding-rows.ts'
import {
  REDIS_STATES,
  type RedisAssessment,
  type RedisDemand,
  type RedisState,
} from './redis-assessment.ts'

const MARKS: Record<RedisState, string> = {
  ok: 'ok',
  advice: 'advice',
  wrong: 'WRONG',
  unknown: '?',
}

/** Every finding with why it matters, then whether nodes can share it, and what to do. */
export function redisText(assessment: RedisAssessment): string {
  const { demand, findings, isUsable } = assessment
  const kept = writtenBytes(demand.historyBytes)
  const rows = findings.map((finding) => ({ ...finding, mark: MARKS[finding.state] }))
  const unknown = findings.flatMap(({ name, state }) => (state === 'unknown' ? [name] : []))
  return [
    `${redisName(demand.address)}, for nodes that keep ${kept} of messages:`,
    ...findingRows('what', rows),
    '',
    ...(isUsable
      ? [`Nodes can share it: ${serveCommand(demand)}`]
      : curesOf(assessment, 'wrong', 'Nodes cannot share it unless this is changed:')),
    ...(unknown.length === 0
      ? []
      : [`It does not say, and has to be looked up: ${unknown.join(', ')}.`]),
    ...curesOf(assessment, 'advice', 'What could be better:'),
  ].join('\n')
}

function curesOf({ findings }: RedisAssessment, state: RedisState, heading: string): string[] {
  const cures = findings.flatMap((finding) =>
    finding.state === state ? [`  ${finding.name}: ${finding.cure}`] : [],
  )
  return cures.length === 0 ? [] : [heading, ...cures]
}

function serveCommand({ address, prefix }: RedisDemand): string {
  const password = address.password === null ? '' : ' --bus-password-file <file>'
  const authorities = address.authorities === null ? '' : ' --bus-ca-file <file>'
  const named = prefix === 'comet:' ? '' : ` --bus-prefix ${prefix}`
  return `comet serve --bus ${writtenUrl(address)}${password}${authorities}${named}`
}

const RedisFindingReport = Type.Object({
  name: Type.String(),
  state: Type.Union(
    REDIS_STATES.map((state) => Type.Literal(state)),
    { description: 'Wrong has to be changed; advice is usable, and could be better.' },
  ),
  is: Type.String(),
  shouldBe: Type.String(),
  why: Type.String(),
  cure: Type.Union([Type.String(), Type.Null()], { description: 'What to do; null for nothing.' }),
})

/** The one source of the JSON's fields, which are stable. */
export const RedisReport = Type.Object(
  {
    bus: Type.String({ description: 'Its URL, without a password.' }),
    historyBytes: Type.Integer({ minimum: 0 }),
    usable: Type.Boolean({ description: 'Whether nodes can share it as it is configured.' }),
    findings: Type.Array(RedisFindingReport),
  },
  { $id: 'RedisReport' },
)
export type RedisReport = Static<typeof RedisReport>

export function redisReport({ demand, isUsable, findings }: RedisAssessment): RedisReport {
  return {
    bus: writtenUrl(demand.address),
    historyBytes: demand.historyBytes,
    usable: isUsable,
    findings: [...findings],
  }
}
