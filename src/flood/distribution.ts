// The whole latency distribution as a curve: latency against percentile, with as many points for the
// slowest tenth as for the tenth of those, as HdrHistogram plots it. Pure.

import type { Histogram } from 'hdr-histogram-js'
import { viewLimits } from '../core/tool-limits.ts'
import { percentileMs } from './times.ts'

export interface Distribution {
  /** `1 / (1 - share)`: 1 for the fastest message, 10 where nine of ten are faster, and so on. */
  readonly rests: readonly number[]
  readonly latenciesMs: readonly number[]
}

export function distributionOf(latency: Histogram): Distribution {
  const rests: number[] = []
  const latenciesMs: number[] = []
  const { totalCount } = latency
  const add = (rest: number) => {
    const ms = percentileMs(latency, 100 - 100 / rest)
    if (ms === null) return
    rests.push(rest)
    latenciesMs.push(ms)
  }
  for (let at = 0; ; at++) {
    const rest = 2 ** (at / viewLimits.pointsPerHalving)
    if (rest >= totalCount) break
    add(rest)
  }
  // The slowest message; beyond it there is nothing to divide.
  if (totalCount > 0) add(totalCount)
  if (latenciesMs.length > 0) latenciesMs[latenciesMs.length - 1] = percentileMs(latency, 100) ?? 0
  return { rests, latenciesMs }
}
