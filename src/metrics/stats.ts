// The figures of a server, gathered when somebody asks. The schema is the one source for their
// names, types and documentation. Nothing here is on a hot path: the counters lie where they count.

import { type Static, Type } from '@sinclair/typebox'
import { build } from '../core/build.ts'
import type { Clock } from '../core/clock.ts'
import type { Router } from '../router/router.ts'
import type { StreamStore } from '../stream/store.ts'
import type { Subscriptions } from '../subscriptions/subscriptions.ts'

const Count = (description: string) => Type.Integer({ minimum: 0, description })

export const ServerState = Type.Union(
  [Type.Literal('ready'), Type.Literal('full'), Type.Literal('draining')],
  { description: 'Whether new streams are taken, and if not, why.' },
)
export type ServerState = Static<typeof ServerState>

export const Stats = Type.Object({
  version: Type.String(),
  state: ServerState,
  uptimeSeconds: Type.Number(),
  streams: Type.Object({
    open: Count('Streams open now.'),
    limit: Count('Streams that may be open at once.'),
    users: Count('Users with at least one open stream.'),
    opened: Count('Streams opened since the start.'),
    closed: Type.Object({
      client: Count('The client left.'),
      slow: Count('The client read too slowly; its outbox was full.'),
      drained: Count('The server was stopping.'),
    }),
    refused: Count('Streams refused with 503 since the start.'),
  }),
  subscriptions: Type.Object({
    held: Count('Subscriptions in the database, and in memory.'),
    subjects: Count('Users whom somebody follows.'),
  }),
  messages: Type.Object({
    accepted: Count('Messages taken since the start.'),
    rejected: Count('Messages and lines refused.'),
    dropped: Count('Messages taken that found nobody connected.'),
  }),
  deliveries: Type.Object({
    handed: Count('Frames handed to streams.'),
    undelivered: Count('Of these, frames that still waited when their stream ended.'),
  }),
  outbox: Type.Object({
    queuedBytes: Count('Bytes that wait for slow clients, beyond the buffers of the kernel.'),
  }),
  process: Type.Object({
    pid: Type.Integer(),
    residentBytes: Count('Resident memory.'),
    cpuSeconds: Type.Number({ description: 'Processor time used since the start.' }),
    openFiles: Count('Open files, of which each connection is one.'),
    openFilesLimit: Count('Open files allowed.'),
  }),
})
export type Stats = Static<typeof Stats>

/** Where the figures come from. */
export interface StatsSource {
  readonly clock: Clock
  readonly startedMs: number
  readonly streams: StreamStore
  readonly subscriptions: Pick<Subscriptions, 'counts'>
  readonly router: Router
  readonly streamsMax: number
  readonly openFilesLimit: number
  readonly openFiles: () => number
  readonly state: () => ServerState
  readonly refused: () => number
  readonly rejected: () => number
}

export function gatherStats(source: StatsSource): Stats {
  const { streams, router } = source
  const { subscriptions, subjects } = source.subscriptions.counts()
  const cpu = process.cpuUsage()
  return {
    version: build.version,
    state: source.state(),
    uptimeSeconds: (source.clock.elapsedMs() - source.startedMs) / 1000,
    streams: {
      open: streams.open,
      limit: source.streamsMax,
      users: streams.users,
      opened: streams.opened,
      closed: { ...streams.closed },
      refused: source.refused(),
    },
    subscriptions: { held: subscriptions, subjects },
    messages: {
      accepted: router.accepted,
      rejected: source.rejected(),
      dropped: router.dropped,
    },
    deliveries: { handed: router.deliveries, undelivered: streams.undelivered },
    outbox: { queuedBytes: streams.queuedBytes },
    process: {
      pid: process.pid,
      residentBytes: process.memoryUsage.rss(),
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
      openFiles: source.openFiles(),
      openFilesLimit: source.openFilesLimit,
    },
  }
}
