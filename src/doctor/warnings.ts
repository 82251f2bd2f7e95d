// What a start warns of: a line for each setting that is too little for what was asked for. The table
// and the verdict are the doctor's own.

import { doctorLimits } from '../core/tool-limits.ts'
import { formatCount } from '../core/units.ts'
import type { Wish } from './need.ts'
import { aboutText, doctorText } from './print.ts'
import { readMachine } from './readings.ts'
import { judgeMachine, shortOnes, type Verdict } from './verdict.ts'

/** What this machine lacks for a wish, a line each; usually nothing. */
export function machineWarnings(wish: Wish): string[] {
  return warningsOf(judgeMachine(readMachine(), wish))
}

export function warningsOf(verdict: Verdict): string[] {
  const { connections } = verdict.wish
  const worstFirst = shortOnes(verdict).toSorted((a, b) => (a.holds ?? 0) - (b.holds ?? 0))
  return worstFirst
    .slice(0, doctorLimits.warningsMax)
    .map(
      ({ setting, shown, want, holds }) =>
        `${setting.name} is ${shown}: enough for about ${aboutText(holds ?? 0)} streams of ` +
        `${formatCount(connections)}; it should be ${want.text}. ${doctorText(verdict.wish)} says more.`,
    )
}
