// The figures of the bus in `/stats`: one schema for names, types and documentation, and their
// values from the state of the bus. Gathered on request, and once a second.

import { type Static, type TInteger, Type } from '@sinclair/typebox'
import type { Clock } from '../core/clock.ts'
import { type HistogramFigures, quantileOf } from '../core/histogram.ts'
import { BUS_REFUSALS, ROUND_TRIP_BOUNDS_SECONDS } from './bus-meter.ts'
import type { Member } from './member-entry.ts'
import type { BusState, RedisBus } from './redis-bus.ts'
import type { RedisInfo } from './redis-info.ts'

const Count = (description: string) => Type.Integer({ minimum: 0, description })
const Seconds = (description: string) => Type.Number({ minimum: 0, description })

const RefusedCounts = Object.fromEntries(
  Object.entries(BUS_REFUSALS).map(([reason, help]) => [reason, Count(help)]),
) as Record<keyof typeof BUS_REFUSALS, TInteger>

const BusNode = Type.Object({
  name: Type.String(),
  origin: Type.String({ description: 'Identifies one run of the node.' }),
  address: Type.String({ description: 'Its control port.' }),
  version: Type.String(),
  startedMs: Type.Integer({ description: 'When it was started, in milliseconds since 1970.' }),
  joinedMs: Type.Integer({ description: 'When it joined, by the clock of Redis.' }),
  own: Type.Boolean({ description: 'Whether it is this node.' }),
})

const RoundTrip = Type.Object(
  {
    batches: Count('Batches of this node that it has read back.'),
    p50Seconds: Type.Union([Type.Number(), Type.Null()], {
      description: 'Null before the first batch.',
    }),
    p99Seconds: Type.Union([Type.Number(), Type.Null()]),
    sumSeconds: Seconds('Of all batches.'),
    counts: Type.Array(Type.Integer({ minimum: 0 }), {
      description:
        `Batches that took up to ${ROUND_TRIP_BOUNDS_SECONDS.join(', ')} seconds, each without those ` +
        'before, and then those that took longer.',
    }),
  },
  { description: 'From sending a batch of this node to reading it back, since the start.' },
)

const RedisServer = Type.Object(
  {
    product: Type.Union([Type.Literal('Redis'), Type.Literal('Valkey')]),
    version: Type.String(),
    durable: Type.Boolean({ description: 'Whether its append-only file (AOF) is on.' }),
    evictionPolicy: Type.String({ description: 'Its `maxmemory-policy`.' }),
    usedBytes: Count('Memory that it uses.'),
    limitBytes: Type.Union([Type.Integer(), Type.Null()], {
      description: 'Memory that it may use (maxmemory); null for no limit.',
    }),
  },
  { description: 'The Redis server of the last connection, as of some seconds ago.' },
)

export const BusFigures = Type.Object({
  connected: Type.Boolean({ description: 'Whether this node is connected to Redis.' }),
  seconds: Seconds('How long `connected` has had this value.'),
  why: Type.Union([Type.String(), Type.Null()], { description: 'Why it is not connected.' }),
  ready: Type.Boolean({ description: 'Whether this node has read the whole log and can publish.' }),
  epoch: Count('Epoch of the last entry read: when it began, in milliseconds since 1970.'),
  behind: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
    description:
      'Messages and follow changes in the log that this node has not read yet; null if not known.',
  }),
  nodes: Type.Array(BusNode, { description: 'The nodes of the cluster, sorted by origin.' }),
  queue: Type.Object(
    {
      messages: Count('Messages and follow changes.'),
      bytes: Count('Bytes that they take.'),
      limitMessages: Count('Beyond which publishers are refused.'),
      limitBytes: Count('Beyond which publishers are refused.'),
      oldestAgeSeconds: Seconds('Age of the oldest; 0 if the queue is empty.'),
    },
    { description: 'What was published on this node and is not in the log yet.' },
  ),
  refused: Type.Object(RefusedCounts, {
    description: 'Messages and follow changes that were not added to the log, by reason.',
  }),
  roundTrip: RoundTrip,
  added: Count('Batches of this node that Redis has accepted.'),
  read: Count('Log entries of all nodes that this node has read.'),
  forks: Count('New epochs of the log, as after a restart of Redis.'),
  gaps: Count('Gaps sent to the streams of this node because messages were lost.'),
  foreign: Count('Entries that no node has written, or that are damaged.'),
  doubled: Count('Batches read a second time and not delivered again.'),
  unsent: Count('Questions, answers and reports to other nodes that were not sent.'),
  reloading: Type.Boolean({
    description: 'Whether subscriptions are being read again; the old ones are used until then.',
  }),
  redis: Type.Union([RedisServer, Type.Null()]),
})
export type BusFigures = Static<typeof BusFigures>

export interface BusSource {
  readonly redis: Pick<RedisBus, 'figures' | 'members' | 'origin'>
  readonly loader: { readonly isReloading: boolean }
  readonly clock: Clock
}

export function busFigures({ redis, loader, clock }: BusSource): BusFigures {
  const { link, isReady, roundTripSeconds, info, ...state } = redis.figures
  const { epoch, behind, refused, added, read, forks, gaps, foreign, doubled, unsent } = state
  return {
    connected: link.isConnected,
    seconds: Math.max(0, clock.elapsedMs() - link.sinceMs) / 1_000,
    why: link.why,
    ready: isReady,
    ...{ epoch, behind },
    nodes: redis.members.all.map((member) => nodeOf(member, redis.origin)),
    queue: queueOf(state),
    refused,
    roundTrip: roundTripOf(roundTripSeconds),
    ...{ added, read, forks, gaps, foreign, doubled, unsent },
    reloading: loader.isReloading,
    redis: info === null ? null : serverOf(info),
  }
}

function nodeOf(member: Member, thisOrigin: string): BusFigures['nodes'][number] {
  const { name, origin, address, version, sinceMs: joinedMs } = member
  const startedMs = Math.round(member.startedMs)
  return { name, origin, address, version, startedMs, joinedMs, own: origin === thisOrigin }
}

type QueueState = Pick<
  BusState,
  'queuedMessages' | 'queuedBytes' | 'queueMessagesMax' | 'queueBytesMax' | 'oldestAgeMs'
>

function queueOf(state: QueueState): BusFigures['queue'] {
  return {
    messages: state.queuedMessages,
    bytes: state.queuedBytes,
    limitMessages: state.queueMessagesMax,
    limitBytes: state.queueBytesMax,
    oldestAgeSeconds: state.oldestAgeMs / 1_000,
  }
}

function roundTripOf({ counts, sum }: HistogramFigures): BusFigures['roundTrip'] {
  const batches = counts.reduce((total, count) => total + count, 0)
  const quantile = (share: number) => quantileOf(ROUND_TRIP_BOUNDS_SECONDS, counts, share)
  const [p50Seconds, p99Seconds] = [quantile(0.5), quantile(0.99)]
  return { batches, p50Seconds, p99Seconds, sumSeconds: sum, counts: [...counts] }
}

function serverOf(info: RedisInfo): NonNullable<BusFigures['redis']> {
  const { product, version, isDurable, evictionPolicy, usedBytes, limitBytes } = info
  return { product, version, durable: isDurable, evictionPolicy, usedBytes, limitBytes }
}
