// Finds clients that vanished without a word, as a device does that lost its network. It asks
// silent ones by TCP keepalive probes, one connection at a time: the kernel's own timers send the
// probes of thousands of connections in one burst, which overflows queues and makes live clients
// look gone.

import type { Address } from '../core/address.ts'
import { type Clock, togetherMs } from '../core/clock.ts'
import { clockLimits, keepaliveLimits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import { formatQuantity } from '../core/units.ts'
import { type ListenEndpoints, listenEndpoints, type TcpSockets } from '../os/sockets.ts'

export interface KeepaliveOptions {
  /** Where the streams were accepted. */
  readonly addresses: readonly Address[]
  /** Milliseconds of silence after which a client is probed at the latest; 0 for never. */
  readonly keepaliveMs: number
  /** No descriptor above it is in use. */
  readonly lastDescriptor: () => number
  /** Null on a system where probes cannot be sent. */
  readonly sockets: Pick<TcpSockets, 'silence' | 'isAt' | 'probe' | 'cut'> | null
  readonly log: Log
  readonly clock: Clock
}

type SweepOptions = KeepaliveOptions & {
  readonly sockets: NonNullable<KeepaliveOptions['sockets']>
}

/** Watches until the returned function is called; one timer for all connections. */
export function watchKeepalive(options: KeepaliveOptions): () => void {
  if (options.keepaliveMs === 0) return () => undefined
  if (options.sockets === null) {
    const text = 'On this system a client that vanishes is only found by sending to it.'
    options.log.warn('keepalive', text)
    return () => undefined
  }
  const sweep = new KeepaliveSweep({ ...options, sockets: options.sockets })
  let timer: Timer
  const later = () => {
    timer = setTimeout(look, togetherMs(options.clock, sweep.nextTickMs, clockLimits.gridMs))
  }
  const look = () => {
    sweep.tick()
    later()
  }
  later()
  return () => clearTimeout(timer)
}

/** How long things take for one value of `--keepalive`, in milliseconds. */
export interface KeepaliveTimes {
  /** Silence before the first probe. */
  readonly silentMs: number
  /** One pass over all descriptors. With `silentMs` at most `--keepalive`, if that is not tiny. */
  readonly passMs: number
  /** Between two probes to a client that does not answer. */
  readonly retryMs: number
}

export function keepaliveTimes(keepaliveMs: number): KeepaliveTimes {
  const { probeSilenceMsMin, probeEveryMsMin, probes } = keepaliveLimits
  return {
    silentMs: Math.max(probeSilenceMsMin, keepaliveMs / 2),
    passMs: keepaliveMs * 0.45,
    retryMs: Math.max(probeEveryMsMin, keepaliveMs / (2 * probes)),
  }
}

/**
 * Goes round the descriptors of this process at an even pace. It keeps nothing for a stream: how
 * long one was silent and how many probes it left without an answer, the kernel knows.
 */
export class KeepaliveSweep {
  readonly #options: SweepOptions
  readonly #times: KeepaliveTimes
  readonly #ends: ListenEndpoints
  /** Descriptors that were sent a probe, and when, the oldest first. */
  readonly #probed = new Map<number, number>()
  #descriptor = 0
  /** Descriptors that may be in use, as of the last tick. */
  #count = 0
  #lookedMs: number

  constructor(options: SweepOptions) {
    this.#options = options
    this.#times = keepaliveTimes(options.keepaliveMs)
    this.#ends = listenEndpoints(options.addresses)
    this.#lookedMs = options.clock.elapsedMs()
  }

  /** So that few descriptors are looked at in one tick, and an idle server seldom wakes. */
  get nextTickMs(): number {
    const { descriptorsPerTick, tickMsMin, tickMsMax } = keepaliveLimits
    return Math.min(tickMsMax, Math.max(tickMsMin, descriptorsPerTick / this.#perMs))
  }

  /** Asks those whose turn it is, and cuts those who left too many probes without an answer. */
  tick(): void {
    const nowMs = this.#options.clock.elapsedMs()
    this.#count = this.#options.lastDescriptor() + 1
    this.#askAgain(nowMs)
    this.#goOn(nowMs)
  }

  /** Descriptors to look at. */
  get #perMs(): number {
    return this.#count / this.#times.passMs
  }

  /** Second and later probes at most: as many as first ones when all clients are silent. */
  get #probesPerTick(): number {
    // A tick comes later than that by what the grid of the timers takes.
    const tickMs = this.nextTickMs + clockLimits.gridMs
    return Math.max(keepaliveLimits.descriptorsPerTick, Math.ceil(this.#perMs * tickMs))
  }

  #askAgain(nowMs: number): void {
    const { sockets, log } = this.#options
    let cut = 0
    // Those of one burst would stay together until they are cut, lost in the same queue each time.
    // What is left over stays the oldest, and comes in the next tick.
    let probes = this.#probesPerTick
    for (const [descriptor, probedMs] of this.#probed) {
      if (probes === 0 || nowMs - probedMs < this.#times.retryMs) break
      this.#probed.delete(descriptor)
      const silence = sockets.silence(descriptor)
      // It answered, it ended, or bytes are on their way, which the kernel retransmits.
      if (silence === null || silence.probes === 0) continue
      if (silence.probes < keepaliveLimits.probes) {
        this.#probe(descriptor, nowMs)
        probes--
      } else if (sockets.isAt(descriptor, this.#ends) && sockets.cut(descriptor)) {
        cut++
      }
    }
    if (cut > 0) {
      const clients = formatQuantity(cut, 'client')
      log.repeated(
        'vanished',
        `Cut ${clients} that answered none of ${keepaliveLimits.probes} probes.`,
      )
    }
  }

  #goOn(nowMs: number): void {
    const { sockets } = this.#options
    const { silentMs, passMs } = this.#times
    const count = this.#count
    const due = Math.floor(((nowMs - this.#lookedMs) / passMs) * count)
    if (due === 0) return
    // After a pause of the process there is no hurry, and a burst would do harm.
    const looks = Math.min(due, count, keepaliveLimits.checksPerTickMax)
    // The part of a look that is not due yet counts in the next tick.
    this.#lookedMs = looks < due ? nowMs : this.#lookedMs + (due / count) * passMs
    for (let look = 0; look < looks; look++) {
      const descriptor = this.#descriptor < count ? this.#descriptor : 0
      this.#descriptor = descriptor + 1
      if (this.#probed.has(descriptor)) continue
      const silence = sockets.silence(descriptor)
      if (silence !== null && silence.ms >= silentMs) this.#probe(descriptor, nowMs)
    }
  }

  #probe(descriptor: number, nowMs: number): void {
    const { sockets, log } = this.#options
    if (!sockets.isAt(descriptor, this.#ends)) return
    if (sockets.probe(descriptor)) this.#probed.set(descriptor, nowMs)
    else log.repeated('keepalive', 'A silent client could not be sent a probe.')
  }
}
