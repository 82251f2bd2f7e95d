// Is the server alive? Answering is not enough: its loop must be on time, and so must its workers, for
// a server may answer long after it has ceased to do anything else. Readiness is told in stats.ts.

import { Type } from '@sinclair/typebox'
import { figureLimits } from '../core/limits.ts'
import { processName } from './prometheus.ts'
import type { StatsSource } from './stats.ts'

export const Alive = Type.Object({ status: Type.Literal('alive') })

export const Stuck = Type.Object({
  status: Type.Literal('stuck'),
  processes: Type.Array(Type.String(), {
    description: 'Which: `parent`, whose loop is late, or `worker-3`, which gives no sign of life.',
  }),
})

/** Processes that do not do their work, by the names they have in metrics. */
export function stuckProcesses({
  loop,
  silentWorkers,
}: Pick<StatsSource, 'loop' | 'silentWorkers'>): string[] {
  const own = loop.lateMs > figureLimits.loopLateMsMax ? ['parent'] : []
  return [...own, ...silentWorkers().map(processName)]
}
