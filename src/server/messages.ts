// Opens the log and all that needs it, before any port: a log of this server beside its database,
// or the one that the nodes share in Redis.

import { randomBytes, randomInt } from 'node:crypto'
import type { FeedSharing, FeedSharingOptions } from '../bus/feed-sharing.ts'
import type { FollowLoader } from '../bus/follow-loader.ts'
import type { RedisBus } from '../bus/redis-bus.ts'
import type { SharedRevocations } from '../bus/shared-revocations.ts'
import type { Clock } from '../core/clock.ts'
import { identityLimits } from '../core/identity-limits.ts'
import type { Log } from '../core/log.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { Dispatcher } from '../hub/dispatcher.ts'
import { FollowLog } from '../hub/follow-log.ts'
import type { HistoryPlace } from '../hub/history.ts'
import { PublicationKeys } from '../hub/publication-keys.ts'
import type { CollectCounts } from '../hub/receipt.ts'
import type { ServerConfig } from '../hub/settings.ts'
import { type TicketIssuer, Tickets } from '../identity/tickets.ts'
import { LocalBus } from '../log/local-bus.ts'
import type { MessageBus } from '../log/message-bus.ts'
import { openLog } from '../log/open-log.ts'
import type { RingLog } from '../log/ring-log.ts'
import { IN_USE, openDatabase } from '../subscriptions/database.ts'
import { IndexSnapshot } from '../subscriptions/index-snapshot.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import { type Stores, storesOf } from '../subscriptions/stores.ts'
import type { StoredSubscriptions } from '../subscriptions/subscriptions.ts'

const CHANGES_MISSING =
  'The log of messages does not have all changes of subscriptions: what users followed before this ' +
  'start is taken to be what they follow now.'

/** The log, what stands in it, and who gets what is added to it. */
export interface Messages {
  readonly bus: MessageBus
  readonly dispatcher: Dispatcher
  readonly keys: PublicationKeys
  readonly stores: Stores
  /** The database, if there is one. */
  readonly storage: Pick<StoredSubscriptions, 'tryWrite'> | null
  readonly tickets: TicketIssuer
  readonly place: HistoryPlace
  /** Null without a bus. */
  readonly shared: SharedParts | null
  /** Whether a handle of a name is in use, besides the uses that the name table counts. */
  refersTo(handle: number): boolean
  /** Does one step of background work. Returns whether more is left. */
  maintain(): boolean
  /** To be called when no more message can arrive. */
  close(): Promise<void>
}

/** The feed of this server, and who is connected with it. */
export type OwnConnections = Pick<
  FeedSharingOptions,
  'node' | 'feed' | 'present' | 'isOnline' | 'bytes'
>

/** What the nodes of a cluster share. */
export interface SharedParts {
  readonly redis: RedisBus
  readonly revocations: SharedRevocations
  readonly collect: CollectCounts
  readonly loader: Pick<FollowLoader<unknown>, 'isReloading' | 'reload'>
  /** From now on the other servers are told of the connections of this one. At most once. */
  readonly shareFeed: (own: OwnConnections) => FeedSharing
}

export interface MessagesDependencies {
  readonly log: Log
  readonly clock: Clock
}

/** Opens the database and the log beside it. Fails if the database cannot be opened. */
export function openOwnMessages(
  config: ServerConfig,
  { log, clock }: MessagesDependencies,
): Result<Messages> {
  // The seed: nobody can guess which names collide in the table.
  const names = new NameTable({ seed: randomInt(2 ** 32) })
  const snapshot = IndexSnapshot.of(config.databasePath)
  const database = openDatabase(config.databasePath, names, snapshot)
  if (!database.ok) {
    snapshot?.close()
    // As when a second server is started in the folder of the first.
    const hint = database.why.endsWith(IN_USE) ? '; give another with --db, or --db :memory:' : ''
    return refused(`the database ${database.why}${hint}`)
  }
  const { messages, place } = openOwnLog(config, names, { log, clock })
  const recorder = new FollowLog(messages, names)
  const index = snapshot?.takeIndex() ?? null
  const stores = storesOf(database.value, names, { recorder, findsSubjects: true, index })
  if (snapshot !== null) logReading(snapshot, stores, log)
  if (!recorder.open(stores.subscriptions)) log.warn('history', CHANGES_MISSING)
  const dispatcher = new Dispatcher({ followers: stores.subscriptions })
  const bus = new LocalBus(messages, dispatcher)
  return success({
    ...{ bus, dispatcher, stores, place, shared: null },
    storage: stores.subscriptions,
    tickets: new Tickets({ clock, random: randomTicket }),
    // The table of names knows what the database has.
    refersTo: () => false,
    keys: new PublicationKeys({ log: messages, clock }),
    maintain: () => messages.maintain(),
    close: async () => {
      await bus.close()
      const saved = snapshot === null ? OK : stores.subscriptions.saveTo(snapshot, names)
      if (!saved.ok) log.warn('snapshot', `The next start takes longer: ${saved.why}.`)
      stores.subscriptions.close()
      snapshot?.close()
    },
  })
}

/** Says why a start took longer than it could. */
function logReading(snapshot: IndexSnapshot, { subscriptions, names }: Stores, log: Log): void {
  const why = snapshot.whyNot(subscriptions.counts().subscriptions + names.size)
  if (why === null) return
  const text = `Subscriptions were read from the database, which takes longer: ${why}.`
  log.info('snapshot', text, { path: snapshot.path })
}

/** An unguessable ticket, safe in a URL. */
export function randomTicket(): string {
  return randomBytes(identityLimits.ticketBytes).toString('base64url')
}

/** The file of the log is beside the database. */
function openOwnLog(
  { databasePath, historyBytes }: ServerConfig,
  names: NameTable,
  { log, clock }: MessagesDependencies,
): { messages: RingLog; place: HistoryPlace } {
  const path = databasePath === ':memory:' || historyBytes === 0 ? null : `${databasePath}-log`
  const intern = (name: string) => names.intern(name)
  const nameOf = (handle: number) => names.nameOf(handle)
  const { log: messages, note } = openLog({ path, bytes: historyBytes, intern, nameOf, clock })
  if (note !== null) log.warn('history', note)
  const isInFile = messages.isInFile
  const reason = isInFile || path === null ? null : note
  return { messages, place: { kind: isInFile ? 'file' : 'memory', reason } }
}
