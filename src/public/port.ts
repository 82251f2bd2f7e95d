// Holds streams in this process: the store, the public port and the guard of its open files. A
// server of one process has one, and each worker of a larger one.

import type { Address } from '../core/address.ts'
import type { Clock } from '../core/clock.ts'
import { streamLimits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import type { Capacity } from '../http/capacity.ts'
import { DescriptorBudget } from '../http/descriptor-budget.ts'
import type { OnBug } from '../http/elysia.ts'
import { type Listener, listen } from '../http/listener.ts'
import { endEvenly, type Pace } from '../hub/drain.ts'
import { type StreamFigures, streamFigures } from '../hub/figures.ts'
import type { Limiter } from '../hub/limiter.ts'
import type { StreamRegistry } from '../hub/registry.ts'
import type { StreamRules } from '../hub/rules.ts'
import { StreamStore } from '../hub/store.ts'
import type { Stream } from '../hub/stream.ts'
import { HighestDescriptor, openFiles } from '../os/descriptors.ts'
import { sendQueues, tcpSockets } from '../os/sockets.ts'
import { publicApp, refuseHost } from './app.ts'
import { StreamAdmission } from './gate.ts'
import { watchHeadTimeout } from './head-timeout.ts'
import { watchKeepalive } from './keepalive.ts'
import { Unacknowledged } from './unacknowledged.ts'

export interface PublicPortOptions<L extends PendingStreams> {
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
  readonly limiter: Limiter
  /** Where streams enter, if not the store itself; and who is told of those that end. */
  readonly pendingStreams?: (store: StreamStore) => L
}

/** What stands before the store in a worker. */
export interface PendingStreams extends StreamRegistry {
  gone(stream: Stream): void
  /** Ends the streams that wait in it. */
  drain(): void
}

export type PublicPortResult<L extends PendingStreams> =
  | { readonly ok: true; readonly publicPort: PublicPort<L> }
  | { readonly ok: false; readonly why: string }

/** Opens the public port, or says why it cannot be opened. */
export function openPublicPort<L extends PendingStreams>(
  options: PublicPortOptions<L>,
): PublicPortResult<L> {
  const { capacity, openFilesLimit, clock, log } = options
  const live = { ...options.rules }
  const streams = new StreamStore({
    get outboxBytes() {
      return live.outboxBytes
    },
    clock,
    onClose: (stream, reason) => {
      pendingStreams?.gone(stream)
      if (reason !== 'slow') return
      unacknowledged.beforeCut()
      log.repeated('slow', `User ${stream.user} read too slowly; the stream was closed.`)
    },
  })
  const pendingStreams = options.pendingStreams?.(streams) ?? null
  const held = () => streams.open + options.limiter.waiting
  const budget = new DescriptorBudget({ capacity, streams: held, openFiles, log, clock })
  const highest = new HighestDescriptor(openFilesLimit, () => budget.filesInUse)
  const lastDescriptor = () => highest.last()
  const unacknowledged = new Unacknowledged({ queues: sendQueues(), lastDescriptor, clock })
  const opened = openPort(options, live, pendingStreams ?? streams, budget)
  if (typeof opened === 'string') return { ok: false, why: opened }
  const parts = { streams, pendingStreams, budget, unacknowledged, lastDescriptor, ...opened }
  return { ok: true, publicPort: new PublicPort({ ...options, live }, parts) }
}

/** What a {@link PublicPort} is made of. */
interface PublicPortParts<L extends PendingStreams> {
  readonly streams: StreamStore
  readonly pendingStreams: L | null
  readonly budget: DescriptorBudget
  readonly unacknowledged: Unacknowledged
  readonly lastDescriptor: () => number
  readonly admission: StreamAdmission
  readonly listener: Listener
}

function openPort<L extends PendingStreams>(
  { addresses, isShared, headTimeoutMs, onBug, limiter, log }: PublicPortOptions<L>,
  live: LiveRules,
  streams: StreamRegistry,
  budget: DescriptorBudget,
): Pick<PublicPortParts<L>, 'admission' | 'listener'> | string {
  let listener: Listener | null = null
  const peerOf = (request: Request) => listener?.peerOf(request) ?? null
  const admission = new StreamAdmission({ budget, limiter, rules: live, peerOf, log })
  const chunked = {
    streams,
    admission,
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
  return { admission, listener }
}

/** The rules as they are now. */
type LiveRules = { -readonly [K in keyof StreamRules]: StreamRules[K] }

export class PublicPort<L extends PendingStreams = PendingStreams> {
  readonly streams: StreamStore
  readonly budget: DescriptorBudget
  readonly listener: Listener
  readonly pendingStreams: L | null
  readonly #admission: StreamAdmission
  readonly #unacknowledged: Unacknowledged
  readonly #lastDescriptor: () => number
  readonly #options: PublicPortOptions<L> & { readonly live: LiveRules }
  #unwatch: (() => void) | null = null

  constructor(
    options: PublicPortOptions<L> & { readonly live: LiveRules },
    parts: PublicPortParts<L>,
  ) {
    this.#options = options
    this.streams = parts.streams
    this.pendingStreams = parts.pendingStreams
    this.budget = parts.budget
    this.listener = parts.listener
    this.#admission = parts.admission
    this.#unacknowledged = parts.unacknowledged
    this.#lastDescriptor = parts.lastDescriptor
  }

  /** Begins to look after the port, and after the control port if this process has it too. */
  watch(control: Listener | null): void {
    const { headTimeoutMs, keepaliveMs, log, clock } = this.#options
    const { streams, budget, listener } = this
    const lastDescriptor = this.#lastDescriptor
    const unwatchHeads = watchHeadTimeout({
      addresses: listener.addresses,
      streams,
      headTimeoutMs,
      lastDescriptor,
      openFiles: () => budget.filesInUse,
      log,
    })
    const unwatchSilence = watchKeepalive({
      addresses: listener.addresses,
      keepaliveMs,
      lastDescriptor,
      sockets: tcpSockets(),
      log,
      clock,
    })
    const unwatchFiles = budget.watch({ open: listener, control })
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
    this.#admission.change(rules)
    return null
  }

  figures(): StreamFigures {
    const { budget, streams } = this
    return streamFigures(streams, {
      limit: this.#options.capacity.streamsMax,
      refused: { ...this.#admission.refused },
      full: budget.full,
      openFiles: budget.filesInUse,
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
    this.budget.draining = true
    this.#unwatch?.()
    this.listener.pause()
    this.pendingStreams?.drain()
    await endEvenly(this.streams, pace, this.#options.clock)
    return this.listener.stop(streamLimits.drainMsMax)
  }
}
