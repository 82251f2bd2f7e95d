// The wiring: puts the host of the streams, router, subscriptions and control port together, starts
// them and stops them in order. No rule of delivery lives here.

import { availableParallelism } from 'node:os'
import { workerLimits } from '../core/limits.ts'
import { formatCount } from '../core/units.ts'
import { type Capacity, capacityOf, workersFor } from '../http/capacity.ts'
import { whyUnresolved } from '../http/listener.ts'
import { LocalHost, localLimiter } from '../hub/host.ts'
import { StreamLimiter } from '../hub/limiter.ts'
import { openFilesLimit } from '../os/descriptors.ts'
import { openPublicPort } from '../public/port.ts'
import { openDatabase } from '../subscriptions/database.ts'
import { sqliteSubscriptions } from '../subscriptions/sqlite.ts'
import { startParent } from '../workers/host.ts'
import { type ServerConfig, unguardedControl, type WorkersRequest } from './config.ts'
import { openInputs } from './inputs.ts'
import type { Parts, Surroundings } from './parts.ts'
import { paceOf, rulesOf, running, type Server } from './stop.ts'

/** Why a server did not start: told wrongly, or a port or the database is not to be had. */
export type StartResult =
  | { readonly ok: true; readonly server: Server }
  | { readonly ok: false; readonly reason: 'config' | 'port' | 'database'; readonly why: string }

/** Starts a server; once this has settled well, both ports are open. */
export async function startServer(
  config: ServerConfig,
  surroundings: Surroundings,
): Promise<StartResult> {
  const unguarded = unguardedControl(config.controlAddress, config.controlToken !== null)
  if (unguarded !== null) return { ok: false, reason: 'config', why: unguarded }
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
  const parentFiles = workers * workerLimits.parentFilesEach
  if (workers > 1 && parentFiles > capacityOf(filesLimit, null).streamsMax) {
    const why =
      `${formatCount(workers)} workers take ${formatCount(parentFiles)} open files, and this process ` +
      `may have ${formatCount(filesLimit)}; raise that with ulimit -n`
    return { ok: false, reason: 'config', why }
  }
  const rules = rulesOf(config)
  if (typeof rules === 'string') return { ok: false, reason: 'config', why: rules }
  const opened = openDatabase(config.databasePath)
  if (!opened.ok) return { ok: false, reason: 'database', why: `the database ${opened.why}` }
  const subscriptions = sqliteSubscriptions(opened.database)
  const { log } = surroundings
  const onBug = (error: unknown) => log.bug(error)
  const held = { filesLimit, capacity, workers, rules }
  const parts = { ...surroundings, config, ...held, subscriptions, onBug }
  const result = await openPorts(parts)
  if (!result.ok) {
    subscriptions.close()
    return result
  }
  announce(parts)
  return result
}

function workersOf(wish: WorkersRequest, perWorker: number): number {
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
  const { publicAddresses, controlAddress } = parts.config
  for (const [name, address] of [
    ...publicAddresses.map((address) => ['public', address] as const),
    ['control', controlAddress],
  ] as const) {
    const unresolved = await whyUnresolved(address)
    if (unresolved !== null)
      return { ok: false, reason: 'port', why: `the ${name} port ${unresolved}` }
  }
  const startedMs = parts.clock.elapsedMs()
  const host =
    parts.workers === 1
      ? startLocal(parts)
      : await startParent({ ...parts, command: parts.workerCommand })
  if (typeof host === 'string') return { ok: false, reason: 'port', why: host }
  const inputs = await openInputs(parts, host, startedMs)
  if (typeof inputs === 'string') {
    await host.drain(paceOf(parts.config))
    return { ok: false, reason: 'port', why: inputs }
  }
  host.watch(inputs.control)
  const server = running(parts, host, inputs)
  const streamUrls = server.publicUrls.map((url) => `${url}/test/{id}`).join(' and ')
  parts.log.info('listening', `Streams on ${streamUrls}, control on ${server.controlUrl}.`, {
    public: server.publicUrls.join(' '),
    control: server.controlUrl,
    pid: process.pid,
  })
  return { ok: true, server }
}

function startLocal({ config, capacity, filesLimit, rules, log, clock, onBug }: Parts) {
  const { publicAddresses: addresses, headTimeoutMs, keepaliveMs } = config
  const limiter = new StreamLimiter(rules, clock)
  const result = openPublicPort({
    ...{ addresses, isShared: false, capacity, openFilesLimit: filesLimit },
    ...{ rules, headTimeoutMs, keepaliveMs, log, clock, onBug, limiter: localLimiter(limiter) },
  })
  return result.ok ? new LocalHost(result.publicPort, limiter) : `the public port ${result.why}`
}
