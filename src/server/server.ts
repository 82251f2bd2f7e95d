// The wiring: puts store, router and both ports together, starts them and stops them in order.
// No rule of delivery lives here.

import { httpUrl, isLoopback } from '../core/address.ts'
import type { Clock } from '../core/clock.ts'
import { streamLimits } from '../core/limits.ts'
import { formatCount } from '../core/units.ts'
import { openFiles, openFilesLimit } from '../machine/descriptors.ts'
import type { StatsSource } from '../metrics/stats.ts'
import { Router } from '../router/router.ts'
import { StreamStore } from '../stream/store.ts'
import { openDatabase } from '../subscriptions/database.ts'
import { sqliteSubscriptions } from '../subscriptions/sqlite.ts'
import type { Subscriptions } from '../subscriptions/subscriptions.ts'
import { controlApp, type OnBug, publicApp } from './app.ts'
import { type Capacity, capacityOf } from './capacity.ts'
import type { ServerConfig } from './config.ts'
import { Guard } from './guard.ts'
import { watchHeads } from './heads.ts'
import { type Listener, type ListenResult, listen } from './listener.ts'
import type { Log } from './log.ts'

export interface Server {
  readonly publicUrl: string
  readonly controlUrl: string
  /** Ends every stream properly and closes both ports; at most `streamLimits.drainMsMax`. */
  drain(): Promise<void>
}

/** Why a server did not start: told wrongly, or a port or the database is not to be had. */
export type StartResult =
  | { readonly ok: true; readonly server: Server }
  | { readonly ok: false; readonly reason: 'config' | 'port' | 'database'; readonly why: string }

/** What both ports share. */
interface Parts {
  readonly config: ServerConfig
  readonly streams: StreamStore
  readonly subscriptions: Subscriptions
  readonly router: Router
  readonly guard: Guard
  readonly onBug: OnBug
}

/** Starts a server; when this returns, both ports are open. */
export function startServer(config: ServerConfig, log: Log, clock: Clock): StartResult {
  if (!isLoopback(config.controlAddress)) {
    const why =
      'the control port can publish and has no lock yet, so it must be on a loopback address ' +
      `like 127.0.0.1:8001, not on ${config.controlAddress.hostname}`
    return { ok: false, reason: 'config', why }
  }
  const filesLimit = openFilesLimit()
  const capacity = capacityOf(filesLimit, config.streamsMax)
  if (capacity.streamsMax === 0) {
    const why = `there is no room for streams: ${capacity.why}; raise the limit with ulimit -n`
    return { ok: false, reason: 'config', why }
  }
  const opened = openDatabase(config.databasePath)
  if (!opened.ok) return { ok: false, reason: 'database', why: `the database ${opened.why}` }
  const subscriptions = sqliteSubscriptions(opened.database)
  const result = openPorts(assemble(config, capacity, subscriptions, log, clock), log, {
    clock,
    startedMs: clock.elapsedMs(),
    streamsMax: capacity.streamsMax,
    openFilesLimit: filesLimit,
  })
  if (!result.ok) {
    subscriptions.close()
    return result
  }
  const { subscriptions: held } = subscriptions.counts()
  log.info('limit', `Up to ${formatCount(capacity.streamsMax)} streams: ${capacity.why}.`, {
    streams: capacity.streamsMax,
    openFiles: filesLimit,
  })
  log.info('subscriptions', `${formatCount(held)} subscriptions in ${config.databasePath}.`, {
    subscriptions: held,
  })
  return result
}

/** Opens both ports, or neither. */
function openPorts(parts: Parts, log: Log, figures: ServerFigures): StartResult {
  const open = openPublicPort(parts)
  if (!open.ok) return { ok: false, reason: 'port', why: `the public port ${open.why}` }
  const control = openControlPort(parts, figures)
  if (!control.ok) {
    open.listener.stop(0)
    return { ok: false, reason: 'port', why: `the control port ${control.why}` }
  }
  const unwatchHeads = watchHeads({
    listener: open.listener,
    streams: parts.streams,
    headTimeoutMs: parts.config.headTimeoutMs,
    openFilesLimit: figures.openFilesLimit,
    openFiles: () => parts.guard.filesInUse,
    log,
  })
  const unwatchFiles = parts.guard.watch(open.listener, control.listener)
  const unwatch = () => {
    unwatchHeads()
    unwatchFiles()
  }
  const server = running(parts, open.listener, control.listener, log, unwatch)
  log.info(
    'listening',
    `Streams on ${server.publicUrl}/test/{id}, control on ${server.controlUrl}.`,
    {
      public: server.publicUrl,
      control: server.controlUrl,
      pid: process.pid,
    },
  )
  return { ok: true, server }
}

function assemble(
  config: ServerConfig,
  capacity: Capacity,
  subscriptions: Subscriptions,
  log: Log,
  clock: Clock,
): Parts {
  const streams = new StreamStore({
    outboxBytes: config.outboxBytes,
    clock,
    onClose: (stream, reason) => {
      if (reason !== 'slow') return
      log.repeated('slow', `User ${stream.user} read too slowly; the stream was closed.`)
    },
  })
  return {
    config,
    streams,
    subscriptions,
    router: new Router(streams, subscriptions),
    guard: new Guard({ capacity, streams, openFiles, log }),
    onBug: (error) => log.bug(error),
  }
}

function openPublicPort({ config, streams, guard, onBug }: Parts): ListenResult {
  let listener: Listener | null = null
  const app = publicApp(
    {
      streams,
      gate: guard,
      userIdMax: config.userIdMax,
      keepOpen: (request) => listener?.keepOpen(request),
    },
    onBug,
  )
  const result = listen({
    address: config.publicAddress,
    fetch: app.fetch,
    idleTimeoutSeconds: Math.ceil(config.headTimeoutMs / 1000),
    onError: onBug,
  })
  if (result.ok) listener = result.listener
  return result
}

type ServerFigures = Pick<StatsSource, 'clock' | 'startedMs' | 'streamsMax' | 'openFilesLimit'>

function openControlPort(parts: Parts, figures: ServerFigures): ListenResult {
  const { config, streams, subscriptions, router, guard, onBug } = parts
  let rejected = 0
  const onRejected = (count: number) => {
    rejected += count
  }
  const stats: StatsSource = {
    ...figures,
    streams,
    subscriptions,
    router,
    state: () => (guard.draining ? 'draining' : guard.full ? 'full' : 'ready'),
    openFiles: () => guard.filesInUse,
    refused: () => guard.refused,
    rejected: () => rejected,
  }
  const messages = { router, clock: figures.clock, isDraining: () => guard.draining, onRejected }
  return listen({
    address: config.controlAddress,
    fetch: controlApp(
      {
        messages,
        subscriptions: {
          subscriptions,
          rules: { userIdMax: config.userIdMax, perUserMax: config.subscriptionsPerUserMax },
          onStorageError: onBug,
        },
        streams,
        stats,
      },
      onBug,
    ).fetch,
    // Publishers keep their connection between two messages, but not for ever.
    isShort: () => guard.short,
    idleTimeoutSeconds: streamLimits.controlIdleSeconds,
    onError: onBug,
  })
}

function running(
  { streams, subscriptions, guard }: Parts,
  open: Listener,
  control: Listener,
  log: Log,
  unwatch: () => void,
): Server {
  return {
    publicUrl: httpUrl(open.address),
    controlUrl: httpUrl(control.address),
    drain: async () => {
      guard.draining = true
      unwatch()
      log.info('draining', `Ending ${formatCount(streams.open)} streams.`)
      const cut = await drain(open, control, streams)
      subscriptions.close()
      if (cut) log.warn('stopped', 'Clients that did not take their last bytes in time were cut.')
      else log.info('stopped', 'All streams have ended.')
    },
  }
}

/**
 * In order: accept nothing, end each stream with its final chunk, let clients take it, close.
 *
 * @returns whether there were clients that had to be cut before they had taken everything
 */
async function drain(open: Listener, control: Listener, streams: StreamStore): Promise<boolean> {
  open.pause()
  while (streams.drain(streamLimits.drainBatch) === streamLimits.drainBatch) {
    await new Promise(setImmediate)
  }
  const cut = await open.stop(streamLimits.drainMsMax)
  // A publisher whose batch is being read gets its answer, if it is quick about it.
  await control.stop(streamLimits.controlGraceMs)
  return cut
}
