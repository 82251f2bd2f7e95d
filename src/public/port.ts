// Holds streams in this process: the store, the public port and the guard of its open files. A
// server of one process has one, and each worker of a larger one.

import type { Address } from '../core/address.ts'
import type { Clock } from '../core/clock.ts'
import { streamLimits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import type { Capacity } from '../http/capacity.ts'
import { Guard } from '../http/descriptor-budget.ts'
import type { OnBug } from '../http/elysia.ts'
import { type Listener, listen } from '../http/listener.ts'
import { endEvenly, type Pace } from '../hub/drain.ts'
import { type StreamFigures, streamFigures } from '../hub/figures.ts'
import type { Door } from '../hub/limiter.ts'
import type { Entrance } from '../hub/registry.ts'
import type { StreamRules } from '../hub/rules.ts'
import { StreamStore } from '../hub/store.ts'
import type { Stream } from '../hub/stream.ts'
import { HighestDescriptor, openFiles } from '../os/descriptors.ts'
import { sendQueues } from '../os/sendqueues.ts'
import { tcpSockets } from '../os/sockets.ts'
import { publicApp, refuseHost } from './app.ts'
import { StreamGate } from './gate.ts'
import { watchHeads } from './head-timeout.ts'
import { watchSilence } from './keepalive.ts'
import { Unacknowledged } from './unacknowledged.ts'

export interface HoldingOptions<L extends Lobby> {
  readonly addresses: readonly Address[]
  /** Do other processes accept on the same port? */
  readonly isShared: boolean
  readonly capacity: Capacity
  readonly openFilesLimit: number
  readonly rules: StreamRules
  readonly headTimeoutMs: number
  /** Milliseconds of silence, then a client is asked whether it is there; 0 for never. */
  readonly keepaliveMs: number
  readonly log: Log
  readonly clock: Clock
  readonly onBug: OnBug
  /** Who decides by the client's address and by how many come. */
  readonly door: Door
  /** Where streams enter, if not the store itself; and who is told of those that end. */
  readonly lobby?: (store: StreamStore) => L
}

/** What stands before the store in a worker. */
export interface Lobby extends Entrance {
  gone(stream: Stream): void
  /** Ends the streams that wait in it. */
  drain(): void
}

export type HoldingResult<L extends Lobby> =
  | { readonly ok: true; readonly holding: Holding<L> }
  | { readonly ok: false; readonly why: string }

/** Opens the public port, or says why it cannot be opened. */
export function holdStreams<L extends Lobby>(options: HoldingOptions<L>): HoldingResult<L> {
  const { capacity, openFilesLimit, clock, log } = options
  const live = { ...options.rules }
  const streams = new StreamStore({
    get outboxBytes() {
      return live.outboxBytes
    },
    clock,
    onClose: (stream, reason) => {
      lobby?.gone(stream)
      if (reason !== 'slow') return
      unacknowledged.beforeCut()
      log.repeated('slow', `User ${stream.user} read too slowly; the stream was closed.`)
    },
  })
  const lobby = options.lobby?.(streams) ?? null
  const held = () => streams.open + options.door.waiting
  const guard = new Guard({ capacity, streams: held, openFiles, log, clock })
  const highest = new HighestDescriptor(openFilesLimit, () => guard.filesInUse)
  const lastDescriptor = () => highest.last()
  const unacknowledged = new Unacknowledged({ queues: sendQueues(), lastDescriptor, clock })
  const opened = openPort(options, live, lobby ?? streams, guard)
  if (typeof opened === 'string') return { ok: false, why: opened }
  const parts = { streams, lobby, guard, unacknowledged, lastDescriptor, ...opened }
  return { ok: true, holding: new Holding({ ...options, live }, parts) }
}

/** What a {@link Holding} is made of. */
interface HoldingParts<L extends Lobby> {
  readonly streams: StreamStore
  readonly lobby: L | null
  readonly guard: Guard
  readonly unacknowledged: Unacknowledged
  readonly lastDescriptor: () => number
  readonly gate: StreamGate
  readonly listener: Listener
}

function openPort<L extends Lobby>(
  { addresses, isShared, headTimeoutMs, onBug, door, log }: HoldingOptions<L>,
  live: LiveRules,
  streams: Entrance,
  guard: Guard,
): Pick<HoldingParts<L>, 'gate' | 'listener'> | string {
  let listener: Listener | null = null
  const peerOf = (request: Request) => listener?.peerOf(request) ?? null
  const gate = new StreamGate({ guard, door, rules: live, peerOf, log })
  const chunked = {
    streams,
    gate,
    get userIdMax() {
      return live.userIdMax
    },
    keepOpen: (request: Request) => listener?.keepOpen(request),
  }
  const app = publicApp(chunked, onBug, live.certificate !== null)
  const result = listen({
    addresses,
    isShared,
    certificate: live.certificate,
    fetch: (request) => refuseHost(request) ?? app.fetch(request),
    idleTimeoutSeconds: Math.ceil(headTimeoutMs / 1000),
    onError: onBug,
  })
  if (!result.ok) return result.why
  listener = result.listener
  return { gate, listener }
}

/** The rules as they are now. */
type LiveRules = { -readonly [K in keyof StreamRules]: StreamRules[K] }

export class Holding<L extends Lobby = Lobby> {
  readonly streams: StreamStore
  readonly guard: Guard
  readonly listener: Listener
  readonly lobby: L | null
  readonly #gate: StreamGate
  readonly #unacknowledged: Unacknowledged
  readonly #lastDescriptor: () => number
  readonly #options: HoldingOptions<L> & { readonly live: LiveRules }
  #unwatch: (() => void) | null = null

  constructor(options: HoldingOptions<L> & { readonly live: LiveRules }, parts: HoldingParts<L>) {
    this.#options = options
    this.streams = parts.streams
    this.lobby = parts.lobby
    this.guard = parts.guard
    this.listener = parts.listener
    this.#gate = parts.gate
    this.#unacknowledged = parts.unacknowledged
    this.#lastDescriptor = parts.lastDescriptor
  }

  /** Begins to look after the port, and after the control port if this process has it too. */
  watch(control: Listener | null): void {
    const { headTimeoutMs, keepaliveMs, log, clock } = this.#options
    const { streams, guard, listener } = this
    const lastDescriptor = this.#lastDescriptor
    const unwatchHeads = watchHeads({
      addresses: listener.addresses,
      streams,
      headTimeoutMs,
      lastDescriptor,
      openFiles: () => guard.filesInUse,
      log,
    })
    const unwatchSilence = watchSilence({
      addresses: listener.addresses,
      keepaliveMs,
      lastDescriptor,
      sockets: tcpSockets(),
      log,
      clock,
    })
    const unwatchFiles = guard.watch({ open: listener, control })
    this.#unwatch = () => {
      unwatchHeads()
      unwatchSilence()
      unwatchFiles()
    }
  }

  /** From now on these rules hold; answers why the port cannot be open by them, or null. */
  change(rules: StreamRules): string | null {
    const { certificate } = rules
    const why = certificate === null ? null : this.listener.renew(certificate)
    if (why !== null) return why
    Object.assign(this.#options.live, rules)
    this.#gate.change(rules)
    return null
  }

  figures(): StreamFigures {
    const { guard, streams } = this
    return streamFigures(streams, {
      limit: this.#options.capacity.streamsMax,
      refused: { ...this.#gate.refused },
      full: guard.full,
      openFiles: guard.filesInUse,
      unacknowledgedBytes: this.#unacknowledged.bytes,
      unmeasured: this.#unacknowledged.unmeasured,
    })
  }

  /**
   * In order: accept nothing, end each stream with its final chunk, evenly, let clients take it, close.
   *
   * @returns whether there were clients that had to be cut before they had taken everything
   */
  async drain(pace: Pace): Promise<boolean> {
    this.guard.draining = true
    this.#unwatch?.()
    this.listener.pause()
    this.lobby?.drain()
    await endEvenly(this.streams, pace, this.#options.clock)
    return this.listener.stop(streamLimits.drainMsMax)
  }
}
