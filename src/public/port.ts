// The public port of one process: listener, admission, store, and what watches its connections. A
// server of one process has one, and each worker of a larger one.

import type { Address } from '../core/address.ts'
import type { Capacity } from '../core/capacity.ts'
import type { Clock } from '../core/clock.ts'
import { identityLimits } from '../core/identity-limits.ts'
import { streamLimits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import { OK, type Result, success } from '../core/result.ts'
import { formatQuantity } from '../core/units.ts'
import type { Subject } from '../core/user.ts'
import { DescriptorBudget } from '../http/descriptor-budget.ts'
import type { OnBug } from '../http/elysia.ts'
import { type Listener, listen } from '../http/listener.ts'
import { type DrainPace, endEvenly } from '../hub/drain.ts'
import type { ConnectionOwner, HeldConnection, HeldPage } from '../hub/feed.ts'
import {
  type HostFigures,
  type StreamFigures,
  streamFigures,
  type WireFigures,
} from '../hub/figures.ts'
import type { Audience, EndedStreams, PausablePort, StreamHost } from '../hub/host.ts'
import type { Limiter } from '../hub/limiter.ts'
import { LocalRegistry, type RouterParts } from '../hub/local-registry.ts'
import { LocalOutlet } from '../hub/outlet.ts'
import type { CloseReason } from '../hub/refusals.ts'
import type { ServerConfig, Settings } from '../hub/settings.ts'
import { StreamStore } from '../hub/store.ts'
import type { StreamEnd, StreamRegistry } from '../hub/stream.ts'
import type { SubjectsOwner } from '../hub/stream-subjects.ts'
import type { UserPresence } from '../hub/stream-table.ts'
import { Authenticator, type AuthenticatorOptions } from '../identity/authenticator.ts'
import { HighestDescriptor, openFiles } from '../os/descriptors.ts'
import { sendQueues, tcpSockets } from '../os/sockets.ts'
import { Admission } from './admission.ts'
import { publicApp, publicRejection } from './app.ts'
import type { DescriptorWire } from './descriptor-wire.ts'
import { BurstCollector } from './garbage.ts'
import { watchKeepalive } from './keepalive.ts'
import { Unacknowledged } from './unacknowledged.ts'

export interface PublicPortOptions {
  readonly addresses: readonly Address[]
  /** Do other processes accept on the same port, and is it a crowd of them? */
  readonly isShared: boolean
  readonly isOfCrowd: boolean
  readonly capacity: Capacity
  readonly openFilesLimit: number
  readonly settings: Settings
  readonly limiter: Limiter
  /** A user as people write it, for the log. */
  readonly subjectOf: (user: number) => Subject
  readonly redeem: AuthenticatorOptions['redeem']
  readonly refreshKeys: AuthenticatorOptions['refreshKeys']
  readonly log: Log
  readonly clock: Clock
  readonly onBug: OnBug
  /** Null if streams stay on sockets of Bun. */
  readonly descriptors: DescriptorWire | null
  /** The same for figures. */
  readonly wire: WireFigures
  /** Told of all connections; null without a feed, and in a worker. */
  readonly feed: ConnectionOwner | null
  /** Where streams begin: as the router of this process says, or that of another one. */
  readonly router: RouterParts | { readonly registryOf: (store: StreamStore) => RemoteRegistry }
}

/** The registry of a process whose router is in another one. */
export interface RemoteRegistry extends StreamRegistry, SubjectsOwner {
  /** The store has ended a stream. */
  onEnd(slot: number, reason: CloseReason): void
}

/** For the feed; workers have others. */
const THIS_PROCESS = 0

/** Opens the public port, or says why it cannot be opened. */
export function openPublicPort(options: PublicPortOptions): Result<PublicPort> {
  const port = new PublicPort(options)
  const opened = port.open()
  return opened.ok ? success(port) : opened
}

export class PublicPort implements StreamHost {
  readonly streams: StreamStore
  readonly outlet: LocalOutlet
  readonly silentWorkers: readonly number[] = []
  isReady = true
  readonly #options: PublicPortOptions
  readonly #registry: StreamRegistry
  /** The same if the router is in another process. */
  readonly #remote: RemoteRegistry | null = null
  readonly #budget: DescriptorBudget
  readonly #highest: HighestDescriptor
  readonly #unacknowledged: Unacknowledged
  readonly #admission: Admission
  readonly #garbage = new BurstCollector({
    opened: () => this.streams.opened,
    collect: () => {
      Bun.gc(true)
      // Gives what is free now back to the system: 3 MB of a process with 15,000 streams.
      Bun.shrink()
    },
  })
  /** Null for streams over TLS, too: Bun has their keys. */
  readonly #descriptors: DescriptorWire | null
  #listener: Listener | null = null
  #unwatch: (() => void) | null = null
  /** Runs while there are streams that are to end at some time, */
  #expiry: Timer | null = null
  /** and while there are some that get heartbeats. */
  #heartbeat: Timer | null = null

  constructor(options: PublicPortOptions) {
    const { settings, limiter, capacity, openFilesLimit, log, clock } = options
    this.#options = options
    this.#descriptors = settings.current.certificate === null ? options.descriptors : null
    this.streams = new StreamStore({
      settings,
      clock,
      onOpen: (slot) => this.#onOpen(slot),
      onEnd: (user, reason, slot) => this.#onEnd(user, reason, slot),
      refresh: () => this.#descriptors?.pollAll(),
      onExpiring: () => this.#expireLater(),
      onBeating: () => this.#beat(),
      subjects: {
        onFollow: (subject) => this.#remote?.onFollow(subject),
        onUnfollow: (subject) => this.#remote?.onUnfollow(subject),
      },
    })
    if (this.#descriptors !== null) this.#descriptors.owner = this.streams
    this.outlet = new LocalOutlet(this.streams)
    const { router } = options
    if ('registryOf' in router) {
      this.#remote = router.registryOf(this.streams)
      this.#registry = this.#remote
    } else this.#registry = new LocalRegistry(this.streams, this.outlet, router)
    const streams = () => this.streams.open + this.streams.opening + limiter.waiting
    this.#budget = new DescriptorBudget({ capacity, streams, openFiles, log, clock })
    this.#highest = new HighestDescriptor(openFilesLimit, () => this.openFiles)
    this.#unacknowledged = new Unacknowledged(sendQueues())
    const authenticator = new Authenticator({ ...options, settings, clock })
    this.#admission = new Admission({
      ...{ budget: this.#budget, limiter, authenticator, settings, log, clock },
    })
  }

  #onOpen(slot: number): void {
    this.#options.feed?.opened(this.#connectionOf(slot))
  }

  #onEnd(user: number, reason: CloseReason, slot: number): void {
    this.#remote?.onEnd(slot, reason)
    this.#tellClosed(user, reason, slot)
    if (reason !== 'slow') return
    this.#unacknowledged.beforeCut(this.streams.descriptorOf(slot))
    const who = this.#options.subjectOf(user)
    this.#options.log.repeated('slow', `User ${who} read too slowly; the stream was closed.`)
  }

  #tellClosed(user: number, reason: CloseReason, slot: number): void {
    const { feed, clock } = this.#options
    if (feed === null) return
    const isOnline = this.streams.connected.isOnline(user)
    feed.closed(this.#connectionOf(slot), reason, isOnline, clock.nowMs())
  }

  #connectionOf(slot: number): HeldConnection {
    const { streams } = this
    const sinceUs = streams.connected.openedAtUs(slot)
    return { user: streams.userOf(slot), process: THIS_PROCESS, sinceUs }
  }

  /** Called once, by {@link openPublicPort}. */
  open(): Result<void> {
    const { addresses, isShared, isOfCrowd, settings, log, clock, onBug } = this.#options
    const app = publicApp({
      store: this.streams,
      registry: this.#registry,
      descriptors: this.#descriptors,
      onEnding: (socket) => this.#listener?.onEnding(socket),
      admission: this.#admission,
      settings,
      clock,
      isReady: () => this.isReady && !this.#budget.draining,
    })
    const result = listen({
      ...{ addresses, isShared, isOfCrowd, clock, onBug },
      certificate: settings.current.certificate,
      handle: app.handle,
      take: this.#descriptors === null ? null : app.take,
      rejection: publicRejection,
      onAccepted: () => {
        this.#budget.accepted(this.#opened)
        this.#garbage.onAccepted()
      },
      headMs: () => settings.current.headTimeoutMs,
      idleMs: streamLimits.publicIdleMs,
      onNoHead: (count) => {
        const connections = formatQuantity(count, 'connection')
        log.repeated('no_head', `${connections} sent no request in time and were cut.`)
      },
    })
    if (!result.ok) return result
    this.#listener = result.value
    return OK
  }

  get addresses(): readonly Address[] {
    return this.#opened.addresses
  }

  get #opened(): Listener {
    if (this.#listener === null) throw new Error('the public port is not open')
    return this.#listener
  }

  get isDraining(): boolean {
    return this.#budget.draining
  }

  get full(): boolean {
    return this.#budget.full
  }

  get isEmpty(): boolean {
    return this.streams.open === 0
  }

  get openFiles(): number {
    return this.#budget.filesInUse
  }

  get isShortOfFiles(): boolean {
    return this.#budget.short
  }

  userPresence(user: number): Promise<UserPresence> {
    return Promise.resolve(this.streams.connected.presence(user))
  }

  isReached(subject: number): boolean {
    return this.streams.connected.isReached(subject)
  }

  audienceOf(subject: number, followers: Uint32Array): Promise<Audience> {
    const connections = this.streams.connected.audienceOf(subject, [subject, ...followers])
    return Promise.resolve({ connections, unknown: 0 })
  }

  usersAfter(after: number, count: number): Uint32Array {
    return this.streams.connected.usersAfter(after, count)
  }

  connectionsFrom(place: number, countMax: number): HeldPage {
    const slots = this.streams.connected.slotsBehind(place, countMax)
    const next = slots.length < countMax ? null : (slots.at(-1) ?? null)
    return { connections: slots.map((slot) => this.#connectionOf(slot)), next }
  }

  endStreams(user: number, end: StreamEnd): Promise<EndedStreams> {
    return Promise.resolve({ ended: this.streams.endUser(user, end), unknown: 0 })
  }

  /** The figures of this process. */
  processFigures(): StreamFigures {
    this.streams.refresh()
    return streamFigures(this.streams, {
      wire: this.#options.wire,
      limit: this.#options.capacity.streamsMax,
      refused: { ...this.#admission.refused },
      full: this.full,
      openFiles: this.openFiles,
      unacknowledgedBytes: this.#unacknowledged.bytes,
      unmeasured: this.#unacknowledged.unmeasured,
    })
  }

  figures(): Promise<HostFigures> {
    return Promise.resolve(this.latest())
  }

  latest(): HostFigures {
    const totals = this.processFigures()
    const { open, limit, users, queuedBytes, wire } = totals
    return { open, limit, users, queuedBytes, totals, lost: 0, wire, workers: [] }
  }

  /** @param control of this process; null in a worker, which has none */
  watch(control: PausablePort | null): void {
    const { settings, log, clock } = this.#options
    const { keepaliveMs } = settings.current
    const { addresses } = this
    const lastDescriptor = () => this.#highest.last()
    const silent = { addresses, keepaliveMs, lastDescriptor, log, clock }
    const unwatch = [
      watchKeepalive({ ...silent, sockets: tcpSockets() }),
      this.#budget.watch({ public: this.#opened, control }),
    ]
    this.#unwatch = () => {
      for (const end of unwatch) end()
    }
  }

  /** Sends heartbeats as long as there are streams that get some. */
  #beat(): void {
    if (this.#heartbeat !== null) return
    const { settings, clock } = this.#options
    const { streams } = this
    let atMs = clock.elapsedMs()
    const timer = setInterval(() => {
      const nowMs = clock.elapsedMs()
      const { heartbeatMs } = settings.current
      if (heartbeatMs > 0) streams.beat((nowMs - atMs) / heartbeatMs)
      atMs = nowMs
      if (streams.heartbeats.streams === 0) this.#stopBeating()
    }, streamLimits.heartbeatStepMs)
    timer.unref()
    this.#heartbeat = timer
  }

  #stopBeating(): void {
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat)
    this.#heartbeat = null
  }

  /** Looks for streams that are to end as long as there are some. */
  #expireLater(ms: number = identityLimits.expiryCheckEveryMs): void {
    this.#expiry ??= setTimeout(() => this.#expire(), ms)
  }

  #expire(): void {
    // Also after a bug: it may be of one stream.
    let left: ReturnType<StreamStore['endExpired']> = 'later'
    try {
      left = this.streams.endExpired()
    } finally {
      this.#expiry = null
      if (left !== 'never') this.#expireLater(left === 'now' ? 0 : undefined)
    }
  }

  /** The port is opened again for another certificate, and for nothing else. */
  prepare({ certificate }: ServerConfig): Result<void> {
    const { current } = this.#options.settings
    if (certificate === null || Bun.deepEquals(certificate, current.certificate)) return OK
    return this.#opened.renew(certificate)
  }

  /** Nothing to do: the readers of this process read the settings when they need them. */
  onSettings(): void {
    // Empty.
  }

  /**
   * In order: accept nothing, end each stream properly, evenly, let clients take the rest, close.
   */
  async drain(pace: DrainPace): Promise<boolean> {
    this.#budget.draining = true
    this.#unwatch?.()
    this.#garbage.stop()
    this.#opened.pause()
    this.#registry.drain()
    await endEvenly(this.streams, pace, this.#options.clock)
    if (this.#expiry !== null) clearTimeout(this.#expiry)
    this.#stopBeating()
    const cut = await Promise.all([
      this.#opened.stop(streamLimits.drainMsMax),
      this.#descriptors?.stop(streamLimits.drainMsMax) ?? false,
    ])
    // Until now: clients that have had the end are waited for.
    if (this.#expiry !== null) clearTimeout(this.#expiry)
    return cut.includes(true)
  }
}
