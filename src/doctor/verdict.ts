// How many streams a machine holds as it is, and which setting is the reason: the least of what each
// setting of the table allows. Pure, and the same for the doctor and for the warnings at a start.

import { doctorLimits } from '../core/tool-limits.ts'
import { formatCount } from '../core/units.ts'
import { leastThat, type Wish } from './need.ts'
import type { Readings } from './readings.ts'
import { ANY, atLeast, type Setting, type Want } from './setting.ts'
import { SETTINGS } from './table.ts'

/**
 * Of one setting: as it should be, good enough though it could be better, too little for the wish,
 * or not known here.
 */
export type State = (typeof STATES)[number]

export const STATES = ['ok', 'advice', 'short', 'unknown'] as const

/** One setting, on one machine, for one wish. */
export interface Finding {
  readonly setting: Setting
  readonly state: State
  /** What it is, as a person reads it. */
  readonly shown: string
  /** The number of that which counts; null if there is no limit or it is not known. */
  readonly value: number | null
  readonly want: Want
  /** Streams that it allows; null where it bounds nothing. */
  readonly holds: number | null
}

export interface Verdict {
  readonly wish: Wish
  readonly readings: Readings
  readonly findings: readonly Finding[]
  /** Streams that the machine holds as it is; null if nothing that is known bounds them. */
  readonly holds: number | null
  /** What bounds them. */
  readonly reason: Finding | null
  readonly isMet: boolean
}

export function judgeMachine(readings: Readings, wish: Wish): Verdict {
  const findings = SETTINGS.map((setting) => findingOf(setting, readings, wish))
  let reason: Finding | null = null
  for (const finding of findings) {
    if ((finding.holds ?? Infinity) < (reason?.holds ?? Infinity)) reason = finding
  }
  const isMet = findings.every(({ state }) => state !== 'short')
  return { wish, readings, findings, holds: reason?.holds ?? null, reason, isMet }
}

/** What is too little for the wish. */
export function shortOnes({ findings }: Verdict): Finding[] {
  return findings.filter(({ state }) => state === 'short')
}

function findingOf(setting: Setting, readings: Readings, wish: Wish): Finding {
  const value = setting.value(readings, wish)
  const { format = formatCount, shown = () => format(value ?? 0) } = setting
  const needed = setting.needs?.(wish, readings) ?? 0
  const want =
    setting.wants?.(readings, wish) ??
    (setting.needs === undefined ? ANY : atLeast(needed, value, format))
  return {
    setting,
    state: stateOf(value, needed, want),
    shown: value === null ? 'not known here' : shown(readings, wish),
    value: value === null || value >= Number.MAX_SAFE_INTEGER ? null : value,
    want,
    holds: value === null ? null : holdsOf(setting, value, readings, wish),
  }
}

function stateOf(value: number | null, needed: number, want: Want): State {
  if (value === null) return 'unknown'
  if (value < needed) return 'short'
  return want.isMet ? 'ok' : 'advice'
}

function holdsOf(setting: Setting, value: number, readings: Readings, wish: Wish): number | null {
  const { needs } = setting
  if (needs === undefined) return null
  const isTooMany = (connections: number) => needs({ ...wish, connections }, readings) > value
  const tooMany = leastThat(isTooMany, doctorLimits.connectionsMax + 1)
  return tooMany > doctorLimits.connectionsMax ? null : Math.max(0, tooMany - 1)
}
