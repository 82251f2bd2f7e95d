// `GET /stats`, `/metrics`, `/livez` and `/readyz` on the control port.

import { type Static, Type } from '@sinclair/typebox'
import { Elysia, status } from 'elysia'
import { figureLimits } from '../core/limits.ts'
import { CONTENT_TYPES, formatFor } from './exposition.ts'
import { MissingNodes, missingOf, type OtherNodes } from './other-nodes.ts'
import { gatherMetrics, processName } from './prometheus.ts'
import { gatherStats, ServerState, Stats, type StatsSource } from './stats.ts'

export function metricsRoutes(source: StatsSource, others: OtherNodes) {
  return new Elysia({ name: 'comet.metrics' })
    .get(
      '/stats',
      ({ query }) => (isAll(query) ? gatherAll(source, others) : gatherStats(source)),
      {
        response: { 200: Type.Union([Stats, AllStats]) },
        detail: {
          summary: 'The figures of this server; with `?all`, of all nodes of its cluster',
        },
      },
    )
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

const AllStats = Type.Object({
  nodes: Type.Array(
    Type.Object({
      name: Type.String(),
      address: Type.String({ description: 'Of its control port.' }),
      stats: Type.Object(
        {},
        { additionalProperties: true, description: 'What `/stats` of the node returns.' },
      ),
    }),
  ),
  missing: MissingNodes,
})

/** `?all`, however it is written. */
function isAll(query: Readonly<Record<string, unknown>>): boolean {
  return 'all' in query && query['all'] !== 'false'
}

async function gatherAll(
  source: StatsSource,
  others: OtherNodes,
): Promise<Static<typeof AllStats>> {
  const [stats, { answers, missing }] = await Promise.all([
    gatherStats(source),
    others.ask('stats', null),
  ])
  const { name, address } = others
  const nodes = answers.map((one) => ({
    ...{ name: one.name, address: one.address, stats: one.answer },
  }))
  return { nodes: [{ name, address, stats }, ...nodes], ...missingOf(missing) }
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
      description: 'All metrics, in the format that Accept prefers',
      content: { 'text/plain': TEXT, 'application/openmetrics-text': TEXT },
    },
  },
}

const Alive = Type.Object({ status: Type.Literal('alive') })

const Stuck = Type.Object({
  status: Type.Literal('stuck'),
  processes: Type.Array(Type.String(), {
    description: 'Which: `parent`, whose loop is late, or `worker-3`, which does not respond.',
  }),
})

/**
 * Processes that are stuck, by the names they have in metrics. An answer alone does not show that a
 * server is alive: its loop must be on time, and its workers must report.
 */
export function stuckProcesses({
  loop,
  silentWorkers,
}: Pick<StatsSource, 'loop' | 'silentWorkers'>): string[] {
  const own = loop.lateMs > figureLimits.loopLateMsMax ? ['parent'] : []
  return [...own, ...silentWorkers().map(processName)]
}
