// The host of a server with workers: this process keeps router, subscriptions and control port, its
// workers hold the streams and share the public port.

import { availableParallelism } from 'node:os'
import type { HostFigures } from '../control/stats.ts'
import type { Address } from '../core/address.ts'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import { formatCount } from '../core/units.ts'
import type { Capacity } from '../http/capacity.ts'
import { DescriptorBudget } from '../http/descriptor-budget.ts'
import { type Listener, listen } from '../http/listener.ts'
import type { Pace } from '../hub/drain.ts'
import { addTotals } from '../hub/figures.ts'
import type { StreamHost } from '../hub/host.ts'
import { StreamLimiter } from '../hub/limiter.ts'
import type { Outlet } from '../hub/outlet.ts'
import type { StreamRules } from '../hub/rules.ts'
import type { UserPresence } from '../hub/store.ts'
import { openFiles } from '../os/descriptors.ts'
import type { ServerConfig } from '../server/config.ts'
import { Supervisor, type WorkerFigures } from './supervisor.ts'

export interface ParentOptions {
  readonly config: ServerConfig
  /** Workers to start. */
  readonly workers: number
  /** What holds for streams at first. */
  readonly rules: StreamRules
  /** What this process can have open. */
  readonly capacity: Capacity
  /** How to start this program again as a worker. */
  readonly command: readonly string[]
  readonly log: Log
  readonly clock: Clock
}

/** Starts the workers; answers why the public port cannot be had otherwise. */
export async function startParent(options: ParentOptions): Promise<ParentHost | string> {
  const addresses = await freeAddresses(options.config.publicAddresses)
  if (typeof addresses === 'string') return addresses
  for (const address of addresses) {
    if (reserve(address)) continue
    return `the public port ${address.hostname}:${address.port} is in use by another comet`
  }
  const { config, workers: count, command, log, clock } = options
  const { streamsMax, headTimeoutMs, keepaliveMs } = config
  const live = { rules: options.rules }
  const limiter = new StreamLimiter(options.rules, clock)
  const sharesCores = count > availableParallelism()
  const workers = new Supervisor({
    count,
    sharesCores,
    command,
    clock,
    limiter,
    start: (number) => ({
      number,
      sharesCores,
      addresses,
      streamsMax: streamsMax === null ? null : Math.max(1, Math.floor(streamsMax / count)),
      rules: live.rules,
      headTimeoutMs,
      keepaliveMs,
    }),
    onRestart: (worker, pid) => {
      log.info('worker_restarted', `Worker ${worker} takes streams again.`, { worker, pid })
    },
    onDown: (worker, streams, why, restartMs) => {
      const next = restartMs === null ? '' : `; it is started again in ${restartMs} ms`
      const held = `with ${formatCount(streams)} streams`
      log.warn('worker_ended', `Worker ${worker} has ended ${held}: ${why}${next}.`, {
        worker,
        streams,
      })
    },
  })
  const why = await workers.start()
  return why === null ? new ParentHost(options, addresses, { workers, limiter, live }) : why
}

/**
 * The port on all its addresses, if nobody listens there. Workers share theirs, so without this look a second server would
 * start on the same port and take half of the clients.
 */
async function freeAddresses(addresses: readonly Address[]): Promise<readonly Address[] | string> {
  const probe = listen({
    addresses,
    isShared: false,
    fetch: () => new Response('The server is starting\n', { status: 503 }),
    idleTimeoutSeconds: 1,
    onError: () => undefined,
  })
  if (!probe.ok) return `the public port ${probe.why}`
  await probe.listener.stop(0)
  return probe.listener.addresses
}

/**
 * Keeps other servers with workers off the port, as long as this process lives: between the look
 * and the start of the workers there is nobody on it yet. An abstract socket (unix(7)) is gone with
 * its process, and where there are none, there is only the look.
 */
function reserve({ hostname, port }: Address): boolean {
  if (process.platform !== 'linux') return true
  try {
    const lock = Bun.listen({
      unix: `\0comet ${hostname}:${port}`,
      socket: { data: () => undefined },
    })
    lock.unref()
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return false
    throw error
  }
}

interface ParentParts {
  readonly workers: Supervisor
  readonly limiter: StreamLimiter
  readonly live: { rules: StreamRules }
}

class ParentHost implements StreamHost {
  readonly addresses: readonly Address[]
  readonly budget: DescriptorBudget
  readonly #workers: Supervisor
  readonly #limiter: StreamLimiter
  /** What workers are told that start again. */
  readonly #live: { rules: StreamRules }
  #unwatch: (() => void) | null = null

  constructor(
    { capacity, log, clock }: ParentOptions,
    addresses: readonly Address[],
    { workers, limiter, live }: ParentParts,
  ) {
    this.addresses = addresses
    this.#live = live
    this.#workers = workers
    this.#limiter = limiter
    this.budget = new DescriptorBudget({ capacity, streams: () => 0, openFiles, log, clock })
  }

  get outlet(): Outlet {
    return this.#workers.outlet
  }

  get full(): boolean {
    return this.#workers.full
  }

  get silentWorkers(): readonly number[] {
    return this.#workers.silent
  }

  userPresence(user: number): Promise<UserPresence> {
    return this.#workers.userPresence(user)
  }

  async figures(): Promise<HostFigures> {
    return this.#addedUp(await this.#workers.figures())
  }

  told(): HostFigures {
    return this.#addedUp(this.#workers.told())
  }

  #addedUp(workers: readonly WorkerFigures[]): HostFigures {
    let totals = this.#workers.past
    let [open, limit, queuedBytes] = [0, 0, 0]
    for (const { streams } of workers) {
      if (streams === null) continue
      totals = addTotals(totals, streams)
      open += streams.open
      limit += streams.limit
      queuedBytes += streams.queuedBytes
    }
    const { users } = this.#workers.presence
    return { open, limit, users, queuedBytes, totals, lost: this.#workers.lost, workers }
  }

  watch(control: Listener): void {
    this.#unwatch = this.budget.watch({ open: null, control })
  }

  get isEmpty(): boolean {
    return this.#workers.presence.users === 0
  }

  change(rules: StreamRules): null {
    this.#live.rules = rules
    this.#limiter.change(rules)
    this.#workers.change(rules)
    return null
  }

  async drain(pace: Pace): Promise<boolean> {
    this.budget.draining = true
    this.#unwatch?.()
    return this.#workers.drain(pace)
  }
}
