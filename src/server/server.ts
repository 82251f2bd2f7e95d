// The wiring: puts the host of the streams, router, subscriptions and control port together, starts
// them and stops them in order. No rule of delivery lives here.

import { availableParallelism } from 'node:os'
import { httpUrl, isLoopback } from '../core/address.ts'
import type { Clock } from '../core/clock.ts'
import { streamLimits, workerLimits } from '../core/limits.ts'
import { formatCount } from '../core/units.ts'
import type { ErlangNode } from '../erlang/node.ts'
import { openFilesLimit } from '../machine/descriptors.ts'
import type { ServerState, StatsSource } from '../metrics/stats.ts'
import { Router } from '../router/router.ts'
import type { Pace } from '../stream/ending.ts'
import { openDatabase } from '../subscriptions/database.ts'
import { sqliteSubscriptions } from '../subscriptions/sqlite.ts'
import type { Subscriptions } from '../subscriptions/subscriptions.ts'
import { type Capacity, capacityOf, workersFor } from './capacity.ts'
import type { ServerConfig, WorkersWish } from './config.ts'
import { controlApp } from './control.ts'
import { startErlang } from './erlang.ts'
import { holdStreams } from './holding.ts'
import { hasEnded, LocalHost, type StreamHost } from './host.ts'
import { type Listener, type ListenResult, listen } from './listener.ts'
import { Lock } from './lock.ts'
import type { Log } from './log.ts'
import { startParent } from './parent.ts'
import type { OnBug } from './settings.ts'

export interface Server {
  readonly publicUrl: string
  readonly controlUrl: string
  /** How many streams are open. */
  streams(): Promise<number>
  /**
   * In order: not ready, then end every stream properly, then close both ports. It takes as long as it
   * was told to, and at most `streamLimits.drainMsMax` for clients that do not take their last bytes.
   */
  drain(): Promise<void>
}

/** Why a server did not start: told wrongly, or a port or the database is not to be had. */
export type StartResult =
  | { readonly ok: true; readonly server: Server }
  | { readonly ok: false; readonly reason: 'config' | 'port' | 'database'; readonly why: string }

/** What the whole server is given, whichever way its streams are held. */
export interface Surroundings {
  readonly log: Log
  readonly clock: Clock
  /** How to start this program again as a worker. */
  readonly workerCommand: readonly string[]
}

/** Everything that the start has found out. */
interface Parts extends Surroundings {
  readonly config: ServerConfig
  readonly filesLimit: number
  readonly capacity: Capacity
  readonly workers: number
  readonly subscriptions: Subscriptions
  readonly onBug: OnBug
}

/** Starts a server; once this has settled well, both ports are open. */
export async function startServer(
  config: ServerConfig,
  surroundings: Surroundings,
): Promise<StartResult> {
  if (config.controlToken === null && !isLoopback(config.controlAddress)) {
    const why =
      'whoever reaches the control port can publish, so without --control-token-file it must be on ' +
      `a loopback address like 127.0.0.1:8001, not on ${config.controlAddress.hostname}`
    return { ok: false, reason: 'config', why }
  }
  const filesLimit = openFilesLimit()
  const capacity = capacityOf(filesLimit, config.streamsMax)
  if (capacity.streamsMax === 0) {
    const why = `there is no room for streams: ${capacity.why}; raise the limit with ulimit -n`
    return { ok: false, reason: 'config', why }
  }
  const workers = workersOf(config.workers, capacityOf(filesLimit, null).streamsMax)
  if (workers > workerLimits.countMax) {
    const why =
      `it would take more than ${formatCount(workerLimits.countMax)} workers: a process may have ` +
      `${formatCount(filesLimit)} files open; raise that with ulimit -n`
    return { ok: false, reason: 'config', why }
  }
  const opened = openDatabase(config.databasePath)
  if (!opened.ok) return { ok: false, reason: 'database', why: `the database ${opened.why}` }
  const subscriptions = sqliteSubscriptions(opened.database)
  const { log } = surroundings
  const onBug = (error: unknown) => log.bug(error)
  const parts = { ...surroundings, config, filesLimit, capacity, workers, subscriptions, onBug }
  const result = await openPorts(parts)
  if (!result.ok) {
    subscriptions.close()
    return result
  }
  announce(parts)
  return result
}

function workersOf(wish: WorkersWish, perWorker: number): number {
  if ('count' in wish) return wish.count
  return 'onePerCore' in wish
    ? Math.min(workerLimits.countMax, availableParallelism())
    : workersFor(wish.connections, perWorker)
}

/** What an operator wants to know of a server that has started. */
function announce({ log, config, capacity, filesLimit, workers, subscriptions }: Parts): void {
  const streams = workers === 1 ? capacity.streamsMax : streamsOf(config, capacity, workers)
  const by = workers === 1 ? '' : ` in ${formatCount(workers)} workers, each with its own limit`
  log.info('limit', `Up to ${formatCount(streams)} streams${by}: ${capacity.why}.`, {
    streams,
    workers,
    openFiles: filesLimit,
  })
  const { subscriptions: held } = subscriptions.counts()
  log.info('subscriptions', `${formatCount(held)} subscriptions in ${config.databasePath}.`, {
    subscriptions: held,
  })
}

function streamsOf({ streamsMax }: ServerConfig, capacity: Capacity, workers: number): number {
  const each = streamsMax === null ? capacity.streamsMax : Math.floor(streamsMax / workers)
  return workers * Math.min(Math.max(1, each), capacity.streamsMax)
}

/** Opens both ports, or neither. */
async function openPorts(parts: Parts): Promise<StartResult> {
  const startedMs = parts.clock.elapsedMs()
  const host =
    parts.workers === 1
      ? startLocal(parts)
      : await startParent({ ...parts, command: parts.workerCommand })
  if (typeof host === 'string') return { ok: false, reason: 'port', why: host }
  const inputs = openInputs(parts, host, startedMs)
  if (typeof inputs === 'string') {
    await host.drain(paceOf(parts.config))
    return { ok: false, reason: 'port', why: inputs }
  }
  host.watch(inputs.control)
  const server = running(parts, host, inputs)
  parts.log.info(
    'listening',
    `Streams on ${server.publicUrl}/test/{id}, control on ${server.controlUrl}.`,
    { public: server.publicUrl, control: server.controlUrl, pid: process.pid },
  )
  return { ok: true, server }
}

function startLocal({ config, capacity, filesLimit, log, clock, onBug }: Parts) {
  const { publicAddress: address, userIdMax, outboxBytes, headTimeoutMs } = config
  const result = holdStreams({
    ...{ address, isShared: false, capacity, openFilesLimit: filesLimit },
    ...{ userIdMax, outboxBytes, headTimeoutMs, log, clock, onBug },
  })
  return result.ok ? new LocalHost(result.holding) : `the public port ${result.why}`
}

/** Where messages come in. */
interface Inputs {
  readonly control: Listener
  readonly erlang: ErlangNode | null
  /** The server is about to stop: it is not ready any more, and goes on. */
  readonly leave: () => void
}

/** Opens all inputs or none; answers why one cannot be opened. */
function openInputs(parts: Parts, host: StreamHost, startedMs: number): Inputs | string {
  const router = new Router(host.outlet, parts.subscriptions)
  let rejected = 0
  let isLeaving = false
  const onRejected = (count: number) => {
    rejected += count
  }
  const erlang = startErlang({ ...parts, host, router, onRejected })
  if (typeof erlang === 'string') return erlang
  const { clock, filesLimit, subscriptions } = parts
  const stats: StatsSource = {
    ...{ clock, startedMs, subscriptions, router, openFilesLimit: filesLimit },
    streams: () => host.figures(),
    state: () => (isLeaving ? 'draining' : stateOf(parts.config, host, erlang)),
    openFiles: () => host.guard.filesInUse,
    rejected: () => rejected,
    erlang: () => erlang?.figures() ?? null,
  }
  const control = openControlPort(parts, host, { router, onRejected, stats })
  const leave = () => {
    isLeaving = true
  }
  if (control.ok) return { control: control.listener, erlang, leave }
  erlang?.drain()
  return `the control port ${control.why}`
}

function stateOf(
  { erlang: wanted }: ServerConfig,
  { guard, full }: StreamHost,
  erlang: ErlangNode | null,
): ServerState {
  if (guard.draining) return 'draining'
  if (full) return 'full'
  return wanted?.required === true && erlang?.isConnected === false ? 'disconnected' : 'ready'
}

function openControlPort(
  { config, clock, subscriptions, log, onBug }: Parts,
  host: StreamHost,
  input: {
    readonly router: Router
    readonly onRejected: (count: number) => void
    readonly stats: StatsSource
  },
): ListenResult {
  const { guard } = host
  const { router, onRejected, stats } = input
  const app = controlApp(
    {
      messages: { router, clock, isDraining: () => hasEnded(host), onRejected },
      subscriptions: {
        subscriptions,
        rules: { userIdMax: config.userIdMax, perUserMax: config.subscriptionsPerUserMax },
        onStorageError: onBug,
      },
      presence: (user) => host.userPresence(user),
      stats,
    },
    onBug,
  )
  const lock = new Lock({
    token: config.controlToken,
    onRefused: (why) =>
      log.repeated('unauthorized', `A request to the control port was refused: ${why}.`),
  })
  return listen({
    address: config.controlAddress,
    isShared: false,
    fetch: (request) => lock.refuse(request) ?? app.fetch(request),
    // Publishers keep their connection between two messages, but not for ever.
    isShort: () => guard.short,
    idleTimeoutSeconds: streamLimits.controlIdleSeconds,
    onError: onBug,
  })
}

/** As it was wished, or few streams soon and very many within a bound. */
function paceOf({ drainMs }: ServerConfig): Pace {
  const { drainMsDefault, drainPerSecondMin } = streamLimits
  return drainMs === null
    ? { ms: drainMsDefault, perSecondMin: drainPerSecondMin }
    : { ms: drainMs, perSecondMin: 0 }
}

function running(
  { config, subscriptions, log }: Parts,
  host: StreamHost,
  { control, erlang, leave }: Inputs,
): Server {
  return {
    publicUrl: httpUrl(host.address),
    controlUrl: httpUrl(control.address),
    streams: async () => (await host.figures()).open,
    drain: async () => {
      leave()
      if (config.drainGraceMs > 0) {
        const seconds = config.drainGraceMs / 1000
        log.info('leaving', `Not ready any more; streams end in ${seconds} s.`, { seconds })
        await Bun.sleep(config.drainGraceMs)
      }
      const { open } = await host.figures()
      log.info('draining', `Ending ${formatCount(open)} streams.`, { streams: open })
      erlang?.drain()
      const quiet = tellProgress(host, log)
      const cut = await host.drain(paceOf(config))
      quiet()
      erlang?.stop()
      // A publisher whose batch is being read gets its answer, if it is quick about it.
      await control.stop(streamLimits.controlGraceMs)
      subscriptions.close()
      if (cut) log.warn('stopped', 'Clients that did not take their last bytes in time were cut.')
      else log.info('stopped', 'All streams have ended.')
    },
  }
}

/** Tells now and then how many streams are left, until the returned function is called. */
function tellProgress(host: StreamHost, log: Log): () => void {
  const timer = setInterval(async () => {
    const { open } = await host.figures()
    if (open === 0) return
    log.info('draining', `${formatCount(open)} streams are left.`, { streams: open })
  }, streamLimits.drainTellMs)
  return () => clearInterval(timer)
}
