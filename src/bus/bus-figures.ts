// The figures of the bus in `/stats`: one schema for names, types and documentation, and how they
// are made of what the bus knows. Gathered on request, and once a second.

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
  origin: Type.String({ description: 'Which start of the node it is.' }),
  address: Type.String({ description: 'Its control port.' }),
  version: Type.String(),
  startedMs: Type.Integer({ description: 'When it was started, in milliseconds since 1970.' }),
  joinedMs: Type.Integer({ description: 'When it joined, by the clock of Redis.' }),
  own: Type.Boolean({ description: 'Whether it is this server.' }),
})

const RoundTrip = Type.Object(
  {
    batches: Count('Batches that were read back.'),
    p50Seconds: Type.Union([Type.Number(), Type.Null()], { description: 'Null if there is none.' }),
    p99Seconds: Type.Union([Type.Number(), Type.Null()]),
    sumSeconds: Seconds('Of all batches.'),
    counts: Type.Array(Type.Integer({ minimum: 0 }), {
      description:
        `Batches that took up to ${ROUND_TRIP_BOUNDS_SECONDS.join(', ')} seconds, each without those ` +
        'before, and then those that took longer.',
    }),
  },
  { description: 'From sending a batch of this server to reading it back, since the start.' },
)

const RedisServer = Type.Object(
  {
    product: Type.Union([Type.Literal('Redis'), Type.Literal('Valkey')]),
    version: Type.String(),
    durable: Type.Boolean({ description: 'Whether it keeps its commands in a file (AOF).' }),
    evictionPolicy: Type.String({ description: 'What goes when its memory is short.' }),
    usedBytes: Count('Memory that it uses.'),
    limitBytes: Type.Union([Type.Integer(), Type.Null()], {
      description: 'Memory that it may use (maxmemory); null for any.',
    }),
  },
  { description: 'The server that was there last, as it said some seconds ago.' },
)

export const BusFigures = Type.Object({
  connected: Type.Boolean({ description: 'Whether this server is connected with Redis.' }),
  seconds: Seconds('How long it has been so.'),
  why: Type.Union([Type.String(), Type.Null()], { description: 'Why it is not connected.' }),
  ready: Type.Boolean({ description: 'Whether all is read and messages can be added.' }),
  epoch: Count('Of the last entry: when that part of the log began, in milliseconds since 1970.'),
  behind: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
    description:
      'Messages and changes that were not read here a moment ago; null while nobody knows.',
  }),
  nodes: Type.Array(BusNode, { description: 'The servers that share the log, by their origins.' }),
  queue: Type.Object(
    {
      messages: Count('Messages, and changes of who follows whom.'),
      bytes: Count('Bytes that they take.'),
      limitMessages: Count('Beyond which publishers are refused.'),
      limitBytes: Count('Beyond which publishers are refused.'),
      oldestAgeSeconds: Seconds('How long the oldest one has been here; 0 if there is none.'),
    },
    { description: 'What was published here and is not in the log yet.' },
  ),
  refused: Type.Object(RefusedCounts, {
    description: 'Messages, and requests to change subscriptions, without a place in the log.',
  }),
  roundTrip: RoundTrip,
  added: Count('Batches of this server that Redis has taken.'),
  read: Count('Entries of all servers that were read.'),
  forks: Count('Times that the log went on in another epoch, as after a restart of Redis.'),
  gaps: Count('Times that streams of this server may have missed something, and were told.'),
  foreign: Count('Entries that no server has written, or whose content is damaged.'),
  doubled: Count('Batches that came a second time, which no stream got.'),
  unsent: Count('Questions, answers and reports to other servers that were not sent.'),
  reloading: Type.Boolean({
    description: 'Whether subscriptions are being read anew: until then, old ones count.',
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
