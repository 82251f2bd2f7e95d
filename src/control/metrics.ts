// What operators and their tools ask the control port: `/stats`, `/metrics`, `/livez` and `/readyz`.
// It picks the form of an answer; what is true, the files beside it know.

import { Type } from '@sinclair/typebox'
import { Elysia, status } from 'elysia'
import { CONTENT_TYPES, formatFor } from './exposition.ts'
import { Alive, Stuck, stuckProcesses } from './health.ts'
import { gatherMetrics } from './prometheus.ts'
import { gatherStats, ServerState, Stats, type StatsSource } from './stats.ts'

export function metricsRoutes(source: StatsSource) {
  return new Elysia({ name: 'comet.metrics' })
    .get('/stats', () => gatherStats(source), {
      response: { 200: Stats },
      detail: { summary: 'The figures of this server' },
    })
    .get('/metrics', ({ request }) => answerMetrics(source, request), { detail: METRICS_DETAIL })
    .get(
      '/livez',
      () => {
        const processes = stuckProcesses(source)
        if (processes.length === 0) return { status: 'alive' as const }
        return status(503, { status: 'stuck' as const, processes })
      },
      {
        response: { 200: Alive, 503: Stuck },
        detail: { summary: 'Do the processes of the server do their work?' },
      },
    )
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

async function answerMetrics(source: StatsSource, { headers }: Request): Promise<Response> {
  const format = formatFor(headers.get('accept'))
  return new Response(await gatherMetrics(source, format), {
    headers: { 'content-type': CONTENT_TYPES[format], vary: 'accept' },
  })
}

const TEXT = { schema: { type: 'string' as const } }

/** Written out, since the response is text in one of two formats. */
const METRICS_DETAIL = {
  summary: 'The figures of this server, for Prometheus',
  responses: {
    '200': {
      description: 'All metrics, as the Accept header wishes',
      content: { 'text/plain': TEXT, 'application/openmetrics-text': TEXT },
    },
  },
}
