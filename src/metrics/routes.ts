// `/stats`, `/livez` and `/readyz` on the control port.

import { Type } from '@sinclair/typebox'
import { Elysia, status } from 'elysia'
import { gatherStats, ServerState, Stats, type StatsSource } from './stats.ts'

export function metricsRoutes(source: StatsSource) {
  return new Elysia({ name: 'comet.metrics' })
    .get('/stats', () => gatherStats(source), {
      response: { 200: Stats },
      detail: { summary: 'The figures of this server' },
    })
    .get('/livez', () => ({ status: 'alive' as const }), {
      response: { 200: Type.Object({ status: Type.Literal('alive') }) },
      detail: { summary: 'Does the process answer?' },
    })
    .get(
      '/readyz',
      () => {
        const state = source.state()
        return state === 'ready' ? { status: state } : status(503, { status: state })
      },
      {
        response: {
          200: Type.Object({ status: ServerState }),
          503: Type.Object({ status: ServerState }),
        },
        detail: { summary: 'Does the server take new streams?' },
      },
    )
}
