// Starts a server, in order: check what the machine allows, open the database, the streams, the
// inputs. All or nothing.

import { availableParallelism } from 'node:os'
import { type Capacity, capacityOf, workersFor } from '../core/capacity.ts'
import type { Clock } from '../core/clock.ts'
import { workerLimits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import { type Result, refused } from '../core/result.ts'
import { formatCount } from '../core/units.ts'
import type { OnBug } from '../http/elysia.ts'
import { whyUnresolved } from '../http/listener.ts'
import type { StreamHost } from '../hub/host.ts'
import { localLimiter, StreamLimiter } from '../hub/limiter.ts'
import {
  CurrentSettings,
  type ServerConfig,
  unguardedControl,
  type WorkersRequest,
} from '../hub/settings.ts'
import { openFilesLimit } from '../os/descriptors.ts'
import { openPublicPort } from '../public/port.ts'
import { openDatabase } from '../subscriptions/database.ts'
import { sqliteSubscriptions } from '../subscriptions/sqlite.ts'
import type { Subscriptions } from '../subscriptions/subscriptions.ts'
import { startWorkers } from '../workers/supervisor.ts'
import { openInputs } from './inputs.ts'
import { paceOf, running, type Server } from './stop.ts'

export interface ServerDependencies {
  readonly log: Log
  readonly clock: Clock
  /** How to start this program again as a worker. */
  readonly workerCommand: readonly string[]
}

/**
 * Why a server did not start: its configuration, or a port or the database that is not available.
 */
export type StartResult =
  | { readonly ok: true; readonly server: Server }
  | {
      readonly ok: false
      readonly reason: 'config' | 'port' | 'database'
      readonly why: string
    }

/** Everything that the ports are opened with. */
interface Plan extends ServerDependencies {
  readonly settings: CurrentSettings
  readonly filesLimit: number
  readonly capacity: Capacity
  readonly workers: number
  readonly subscriptions: Subscriptions
  readonly onBug: OnBug
}

/** Starts a server; if it succeeds, both ports are open. */
export async function startServer(
  config: ServerConfig,
  dependencies: ServerDependencies,
): Promise<StartResult> {
  const filesLimit = openFilesLimit()
  const capacity = capacityOf(filesLimit, config.streamsMax)
  const perWorker = capacityOf(filesLimit, null).streamsMax
  const workers = workersOf(config.workers, perWorker)
  const invalid =
    unguardedControl(config.controlAddress, config.controlToken !== null) ??
    whyNoRoom(capacity, workers, perWorker, filesLimit)
  if (invalid !== null) return { ok: false, reason: 'config', why: invalid }
  const opened = openDatabase(config.databasePath)
  if (!opened.ok) return { ok: false, reason: 'database', why: `the database ${opened.why}` }
  const plan: Plan = {
    ...dependencies,
    ...{ filesLimit, capacity, workers },
    settings: new CurrentSettings(config),
    subscriptions: sqliteSubscriptions(opened.value),
    onBug: (error) => dependencies.log.bug(error),
  }
  const result = await openPorts(plan)
  if (result.ok) announce(plan)
  else plan.subscriptions.close()
  return result
}

function workersOf(request: WorkersRequest, perWorker: number): number {
  if ('count' in request) return request.count
  return 'onePerCore' in request
    ? Math.min(workerLimits.countMax, availableParallelism())
    : workersFor(request.connections, perWorker)
}

/** Why this machine does not allow so many streams or workers, or null. */
function whyNoRoom(
  capacity: Capacity,
  workers: number,
  perWorker: number,
  filesLimit: number,
): string | null {
  if (capacity.streamsMax === 0)
    return `there is no room for streams: ${capacity.why}; raise the limit with ulimit -n`
  const files = formatCount(filesLimit)
  if (workers > workerLimits.countMax) {
    const most = formatCount(workerLimits.countMax)
    return (
      `it would take more than ${most} workers: a process may have ` +
      `${files} files open; raise that with ulimit -n`
    )
  }
  const parentFiles = workers * workerLimits.parentFilesEach
  if (workers === 1 || parentFiles <= perWorker) return null
  return (
    `${formatCount(workers)} workers take ${formatCount(parentFiles)} open files, and this process ` +
    `may have ${files}; raise that with ulimit -n`
  )
}

/** Logs what the server has been started with. */
function announce({ log, settings, capacity, filesLimit, workers, subscriptions }: Plan): void {
  const { streamsMax, databasePath } = settings.current
  const streams = workers === 1 ? capacity.streamsMax : streamsOf(streamsMax, capacity, workers)
  const by = workers === 1 ? '' : ` in ${formatCount(workers)} workers, each with its own limit`
  log.info('limit', `Up to ${formatCount(streams)} streams${by}: ${capacity.why}.`, {
    streams,
    workers,
    openFiles: filesLimit,
  })
  const { subscriptions: held } = subscriptions.counts()
  log.info('subscriptions', `${formatCount(held)} subscriptions in ${databasePath}.`, {
    subscriptions: held,
  })
}

function streamsOf(streamsMax: number | null, capacity: Capacity, workers: number): number {
  const each = streamsMax === null ? capacity.streamsMax : Math.floor(streamsMax / workers)
  return workers * Math.min(Math.max(1, each), capacity.streamsMax)
}

/** Opens both ports, or neither. */
async function openPorts(plan: Plan): Promise<StartResult> {
  const { settings, clock, log } = plan
  const unresolved = await whyAddressesUnresolved(settings.current)
  if (unresolved !== null) return { ok: false, reason: 'port', why: unresolved }
  const startedMs = clock.elapsedMs()
  const held = await openStreams(plan)
  if (!held.ok) return { ok: false, reason: 'port', why: held.why }
  const host = held.value
  const openFiles = { openFilesLimit: plan.filesLimit }
  const opened = await openInputs({ ...plan, ...openFiles, host, startedMs })
  if (!opened.ok) {
    await host.drain(paceOf(settings.current))
    return { ok: false, reason: 'port', why: opened.why }
  }
  host.watch(opened.value.control)
  const server = running({ ...plan, host, inputs: opened.value })
  const streamUrls = server.publicUrls.map((url) => `${url}/test/{id}`).join(' and ')
  log.info('listening', `Streams on ${streamUrls}, control on ${server.controlUrl}.`, {
    public: server.publicUrls.join(' '),
    control: server.controlUrl,
    pid: process.pid,
  })
  return { ok: true, server }
}

async function whyAddressesUnresolved(config: ServerConfig): Promise<string | null> {
  for (const address of config.publicAddresses) {
    const why = await whyUnresolved(address)
    if (why !== null) return `the public port ${why}`
  }
  const why = await whyUnresolved(config.controlAddress)
  return why === null ? null : `the control port ${why}`
}

/** Opens the public port, in this process or in workers. */
async function openStreams(plan: Plan): Promise<Result<StreamHost>> {
  const { settings, capacity, filesLimit, workers, log, clock, onBug } = plan
  if (workers > 1) {
    const command = plan.workerCommand
    return startWorkers({ settings, count: workers, capacity, command, log, clock })
  }
  const opened = openPublicPort({
    ...{ addresses: settings.current.publicAddresses, isShared: false, settings, capacity },
    ...{ openFilesLimit: filesLimit, log, clock, onBug },
    limiter: localLimiter(new StreamLimiter(settings, clock)),
  })
  return opened.ok ? opened : refused(`the public port ${opened.why}`)
}
