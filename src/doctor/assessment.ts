// How many streams a machine holds as it is, and which setting is the limit: the least of what each
// setting allows. Pure; the same for the doctor and for the warnings at a start.

import { doctorLimits } from '../core/tool-limits.ts'
import { formatCount } from '../core/units.ts'
import { type Demand, leastThat } from './demand.ts'
import { ANY, atLeast, SETTINGS, type Setting, type Want } from './kernel-settings.ts'
import type { MachineFacts } from './machine.ts'

export const STATES = ['ok', 'advice', 'short', 'unknown'] as const

/** As it should be, enough but could be better, too little for the demand, or unknown. */
export type State = (typeof STATES)[number]

/** One setting, on one machine, for one demand. */
export interface Finding {
  readonly setting: Setting
  readonly state: State
  /** What it is, as a person reads it. */
  readonly shown: string
  /** The number of it that counts; null if there is no limit or it is unknown. */
  readonly value: number | null
  readonly want: Want
  /** Streams that it allows; null where it limits nothing. */
  readonly holds: number | null
}

export interface Assessment {
  readonly demand: Demand
  readonly machine: MachineFacts
  readonly findings: readonly Finding[]
  /** Streams that the machine holds as it is; null if no known setting limits them. */
  readonly holds: number | null
  /** What limits them. */
  readonly limit: Finding | null
  readonly isMet: boolean
}

export function assess(machine: MachineFacts, demand: Demand): Assessment {
  const findings = SETTINGS.map((setting) => findingOf(setting, machine, demand))
  let limit: Finding | null = null
  for (const finding of findings) {
    if ((finding.holds ?? Infinity) < (limit?.holds ?? Infinity)) limit = finding
  }
  const isMet = findings.every(({ state }) => state !== 'short')
  return { demand, machine, findings, holds: limit?.holds ?? null, limit, isMet }
}

/** What is too little for the demand. */
export function shortFindings({ findings }: Assessment): Finding[] {
  return findings.filter(({ state }) => state === 'short')
}

function findingOf(setting: Setting, machine: MachineFacts, demand: Demand): Finding {
  const value = setting.value(machine, demand)
  const { format = formatCount, shown = () => format(value ?? 0) } = setting
  const needed = setting.needs?.(demand, machine) ?? 0
  const want =
    setting.wants?.(machine, demand) ??
    (setting.needs === undefined ? ANY : atLeast(needed, value, format))
  return {
    setting,
    state: stateOf(value, needed, want),
    shown: value === null ? 'unknown' : shown(machine, demand),
    value: value === null || value >= Number.MAX_SAFE_INTEGER ? null : value,
    want,
    holds: value === null ? null : holdsOf(setting, value, machine, demand),
  }
}

function stateOf(value: number | null, needed: number, want: Want): State {
  if (value === null) return 'unknown'
  if (value < needed) return 'short'
  return want.isMet ? 'ok' : 'advice'
}

function holdsOf(
  setting: Setting,
  value: number,
  machine: MachineFacts,
  demand: Demand,
): number | null {
  const { needs } = setting
  if (needs === undefined) return null
  const isTooMany = (connections: number) => needs({ ...demand, connections }, machine) > value
  const tooMany = leastThat(isTooMany, doctorLimits.connectionsMax + 1)
  return tooMany > doctorLimits.connectionsMax ? null : Math.max(0, tooMany - 1)
}
