// The verdict for programs. The schema is the one source for the JSON's fields; they are stable.

import { type Static, Type } from '@sinclair/typebox'
import { ENDS } from './need.ts'
import { STATES, type Verdict } from './verdict.ts'

const Count = Type.Integer({ minimum: 0 })
const CountOrNull = Type.Union([Count, Type.Null()])

const SettingReport = Type.Object({
  name: Type.String({ description: 'As sysctl(8) has it, or in words.' }),
  state: Type.Union(
    STATES.map((state) => Type.Literal(state)),
    { description: 'Short is too little for the wish; advice is enough, and could be better.' },
  ),
  unit: Type.String(),
  value: Type.Union([Type.Number(), Type.Null()], {
    description: 'The number that counts; null if there is no limit or it is not known here.',
  }),
  is: Type.String({ description: 'The same for people.' }),
  shouldBe: Type.String(),
  target: Type.Union([Type.Number(), Type.Null()], {
    description: 'The number that it should be; null if there is nothing to be set.',
  }),
  holds: Type.Union([Count, Type.Null()], {
    description: 'Streams that it allows; null where it bounds nothing.',
  }),
  why: Type.String(),
  in2008: Type.Union([
    Type.Object({ value: Type.String(), obsolete: Type.String({ description: 'Why.' }) }),
    Type.Null(),
  ]),
})

export const DoctorReport = Type.Object(
  {
    connections: Count,
    end: Type.Union(ENDS.map((end) => Type.Literal(end))),
    met: Type.Boolean({ description: 'Does the machine hold so many as it is?' }),
    holds: CountOrNull,
    reason: Type.Union([Type.String(), Type.Null()], {
      description: 'The name of the setting that bounds them.',
    }),
    settings: Type.Array(SettingReport),
  },
  { $id: 'DoctorReport' },
)
export type DoctorReport = Static<typeof DoctorReport>

export function doctorReport({ wish, holds, reason, isMet, findings }: Verdict): DoctorReport {
  return {
    connections: wish.connections,
    end: wish.end,
    met: isMet,
    holds,
    reason: reason?.setting.name ?? null,
    settings: findings.map(({ setting, state, shown, value, want, holds }) => {
      const { name, unit, why, in2008 } = setting
      return {
        ...{ name, state, unit, value, is: shown, shouldBe: want.text, target: want.value },
        ...{ holds, why },
        in2008: in2008 === undefined ? null : { value: in2008.value, obsolete: in2008.why },
      }
    }),
  }
}
