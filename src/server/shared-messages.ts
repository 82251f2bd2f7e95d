// Opens what the nodes share in Redis: the log, who follows whom, tickets and revocations. All but
// the tickets are in the memory of every node too.

import { randomBytes, randomInt } from 'node:crypto'
import { busKeys } from '../bus/bus-keys.ts'
import { FeedSharing } from '../bus/feed-sharing.ts'
import { FollowLoader } from '../bus/follow-loader.ts'
import { RedisBus } from '../bus/redis-bus.ts'
import { SharedRevocations } from '../bus/shared-revocations.ts'
import { SharedTickets } from '../bus/shared-tickets.ts'
import { ORIGIN_BYTES } from '../bus/stream-entry.ts'
import { httpUrl } from '../core/address.ts'
import { build } from '../core/build.ts'
import { busLimits, redisLimits } from '../core/bus-limits.ts'
import { settledWithin } from '../core/deadline.ts'
import { redisName } from '../core/redis-address.ts'
import { type Result, refused, success } from '../core/result.ts'
import { formatQuantity } from '../core/units.ts'
import { Dispatcher } from '../hub/dispatcher.ts'
import { PublicationKeys } from '../hub/publication-keys.ts'
import type { CollectCounts } from '../hub/receipt.ts'
import type { BusConfig, ServerConfig } from '../hub/settings.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import { type FollowsRead, SharedSubscriptions } from '../subscriptions/shared.ts'
import { LinkLog } from './link-log.ts'
import { type Messages, type MessagesDependencies, randomTicket } from './messages.ts'
import { warnOfUnused } from './unused-follows.ts'

/** Connects to Redis and reads the shared state. Fails with what is not available. */
export async function openSharedMessages(
  { historyBytes, controlAddress }: Pick<ServerConfig, 'historyBytes' | 'controlAddress'>,
  { address, prefix, nodeName }: BusConfig,
  { log, clock }: MessagesDependencies,
): Promise<Result<Messages>> {
  const names = new NameTable({ seed: randomInt(2 ** 32) })
  const keys = busKeys(prefix)
  const changer: Pick<RedisBus, 'changeFollows'> = {
    changeFollows: (...change) => redis.changeFollows(...change),
  }
  const subscriptions = new SharedSubscriptions({ names, changer })
  const loader = new FollowLoader<FollowsRead>({
    ...{ address, prefix, target: subscriptions, clock, random: Math.random, redisLimits },
    readUpTo: () => redis.readUpTo,
    onReloaded: (read) => {
      const count = formatQuantity(read.subscriptions, 'subscription')
      log.info('subscriptions', `${count} read from Redis again.`)
      warnOfUnused(read, prefix, log)
    },
    onFailed: (why) => log.warn('subscriptions', `Subscriptions cannot be read again yet: ${why}`),
  })
  const dispatcher = new Dispatcher({
    followers: subscriptions,
    onFollow: (change) => subscriptions.apply(change),
    onBarrier: () => loader.reload(),
  })
  const origin = randomBytes(ORIGIN_BYTES).toString('hex')
  const links = new LinkLog({ address, log, clock, steadyMs: redisLimits.forgetMs })
  let sharing: FeedSharing | null = null
  const redis: RedisBus = new RedisBus({
    ...{ address, prefix, historyBytes, listener: dispatcher, clock, random: Math.random },
    origin,
    intern: (name) => names.intern(name),
    nameOf: (handle) => names.nameOf(handle),
    node: {
      ...{ name: nodeName, address: httpUrl(controlAddress), version: build.version },
      startedMs: clock.nowMs(),
    },
    onFollowsLost: () => loader.reload(),
    onChange: (state) => links.onChange(state),
    memberListener: {
      onJoin: () => undefined,
      onLeave: (member) => sharing?.onLeave(member.origin),
    },
    onReady: () => {
      sharing?.onReady()
      // If it fails, the connection is lost again.
      void revocations.load()
    },
  })
  const revocations = new SharedRevocations({ redis, keys, names })
  const close = async () => {
    links.close()
    await loader.stop()
    await redis.close()
  }
  const opened = await readAll(redis, loader, revocations)
  if (!opened.ok) {
    await close()
    return refused(startFailure(redisName(address), opened.why))
  }
  links.onStarted()
  warnOfUnused(opened.value, prefix, log)
  const collect: CollectCounts = (cursor, onDone) => {
    redis.receipts.expect(cursor, redis.members.others(origin), (counts, missing) =>
      onDone(
        counts,
        missing.map(({ name }) => name),
      ),
    )
  }
  return success({
    ...{ bus: redis, dispatcher, close },
    stores: { names, subscriptions, revocations },
    storage: null,
    tickets: new SharedTickets({ redis, keys, clock, random: randomTicket }),
    place: { kind: 'bus', reason: null },
    keys: new PublicationKeys({ log: null, clock }),
    shared: {
      ...{ redis, revocations, loader, collect },
      shareFeed: (own) => {
        const ofFeed = { bus: redis, address, prefix, clock, random: Math.random, ...own }
        sharing = new FeedSharing(ofFeed)
        return sharing
      },
    },
    refersTo: (handle) => subscriptions.refersTo(handle) || revocations.refersTo(handle),
    maintain: () => false,
  })
}

/** Names the Redis, unless the reason already does. */
function startFailure(name: string, why: string): string {
  return why.startsWith(name) ? why : `${name} cannot be used: ${why}`
}

/** Reads the log, subscriptions and revocations, within `busLimits.startMsMax` for the log. */
async function readAll(
  redis: RedisBus,
  loader: FollowLoader<FollowsRead>,
  revocations: SharedRevocations,
): Promise<Result<FollowsRead>> {
  const isReady = redis.ready.then(() => true)
  if ((await settledWithin(isReady, busLimits.startMsMax)) !== true) {
    return refused(redis.figures.link.why ?? 'its log could not be read in time')
  }
  const read = await loader.load()
  if (!read.ok) return read
  const revoked = await revocations.load()
  return revoked.ok ? read : refused(revoked.why.text)
}
