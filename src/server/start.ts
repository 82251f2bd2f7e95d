// Starts a server, in order: check what the machine allows, open the database, the streams, the
// inputs. All or nothing.

import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { type Capacity, capacityOf, workersFor } from '../core/capacity.ts'
import type { Clock } from '../core/clock.ts'
import { feedLimits } from '../core/feed-limits.ts'
import { workerLimits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import { redisName } from '../core/redis-address.ts'
import { allOf, OK, type Result, refused, success } from '../core/result.ts'
import { formatCount, formatQuantity } from '../core/units.ts'
import type { OnBug } from '../http/elysia.ts'
import { type Listener, resolve } from '../http/listener.ts'
import { Feed } from '../hub/feed.ts'
import type { StreamHost } from '../hub/host.ts'
import { localLimiter, StreamLimiter } from '../hub/limiter.ts'
import { Resumption } from '../hub/resumption.ts'
import {
  CurrentSettings,
  checkControlGuard,
  DATABASE_DEFAULT,
  nodeNameIn,
  type ServerConfig,
  type WorkersRequest,
} from '../hub/settings.ts'
import { openFilesLimit } from '../os/descriptors.ts'
import { openPublicPort } from '../public/port.ts'
import type { Stores } from '../subscriptions/stores.ts'
import { startWorkers } from '../workers/supervisor.ts'
import { openInputs } from './inputs.ts'
import { type Messages, openOwnMessages } from './messages.ts'
import { RemoteSettings } from './remote-settings.ts'
import { paceOf, running, type Server } from './stop.ts'
import { openStreamWire } from './stream-wire.ts'

export interface ServerDependencies {
  readonly log: Log
  readonly clock: Clock
  /** How to start this program again as a worker. */
  readonly workerCommand: readonly string[]
}

/**
 * Why a server did not start: its configuration, or what is not available.
 */
export interface NotStarted {
  readonly cause: 'config' | 'keys' | 'port' | 'database' | 'bus'
  readonly reason: string
}

/** Everything that the ports are opened with. */
interface Plan extends ServerDependencies {
  readonly settings: CurrentSettings
  readonly filesLimit: number
  readonly capacity: Capacity
  readonly workers: number
  readonly remote: RemoteSettings
  readonly messages: Messages
  readonly resumption: Resumption
  /** Null if there is none. */
  readonly feed: Feed | null
  readonly onBug: OnBug
}

/** Starts a server; if it succeeds, both ports are open. */
export async function startServer(
  config: ServerConfig,
  dependencies: ServerDependencies,
): Promise<Result<Server, NotStarted>> {
  const filesLimit = openFilesLimit()
  const capacity = capacityOf(filesLimit, config.streamsMax)
  const perWorker = capacityOf(filesLimit, null).streamsMax
  const workers = workersOf(config.workers, perWorker)
  const checked = allOf(
    checkControlGuard(config.controlAddress, config.controlTokens.length > 0),
    checkRoom(capacity, workers, perWorker, filesLimit),
  )
  if (!checked.ok) return refused({ cause: 'config', reason: checked.why })
  const settings = new CurrentSettings(config)
  const remote = await RemoteSettings.load({ settings, ...dependencies })
  if (!remote.ok) return refused({ cause: 'keys', reason: remote.why })
  const opened = await openMessages(config, dependencies)
  if (!opened.ok) return opened
  const messages = opened.value
  const { bus, stores } = messages
  const plan: Plan = {
    ...dependencies,
    ...{ filesLimit, capacity, workers, settings, remote: remote.value, messages },
    resumption: new Resumption({ bus, subscriptions: stores.subscriptions }),
    feed: feedOf(config, stores, dependencies.clock),
    onBug: (error) => dependencies.log.bug(error),
  }
  const server = await openPorts(plan)
  if (!server.ok) {
    await messages.close()
    return refused({ cause: 'port', reason: server.why })
  }
  announce(plan)
  return server
}

async function openMessages(
  config: ServerConfig,
  dependencies: ServerDependencies,
): Promise<Result<Messages, NotStarted>> {
  if (config.bus === null) {
    const own = openOwnMessages(config, dependencies)
    return own.ok ? own : refused({ cause: 'database', reason: own.why })
  }
  const { databasePath } = config
  if (databasePath !== DATABASE_DEFAULT && databasePath !== ':memory:') {
    const text = `With --bus subscriptions are in Redis; the database ${databasePath} is not used.`
    dependencies.log.warn('unused', text)
  }
  // Few servers are one of several.
  const { openSharedMessages } = await import('./shared-messages.ts')
  const shared = await openSharedMessages(config, config.bus, dependencies)
  return shared.ok ? shared : refused({ cause: 'bus', reason: shared.why })
}

function feedOf(config: ServerConfig, { names }: Stores, clock: Clock): Feed | null {
  const { feedBytes } = config
  if (feedBytes === 0) return null
  return new Feed({
    ...{ bytes: feedBytes, node: nodeNameIn(config), names },
    epoch: Math.floor(clock.nowMs()),
    run: randomBytes(feedLimits.runBytes).toString('hex'),
  })
}

function workersOf(request: WorkersRequest, perWorker: number): number {
  if ('count' in request) return request.count
  return 'onePerCore' in request
    ? Math.min(workerLimits.countMax, availableParallelism())
    : workersFor(request.connections, perWorker)
}

/** Does this machine allow so many streams and workers? */
function checkRoom(
  capacity: Capacity,
  workers: number,
  perWorker: number,
  filesLimit: number,
): Result<void> {
  if (capacity.streamsMax === 0) {
    return refused(`there is no room for streams: ${capacity.why}; raise the limit with ulimit -n`)
  }
  const files = formatCount(filesLimit)
  if (workers > workerLimits.countMax) {
    const most = formatCount(workerLimits.countMax)
    return refused(
      `it would take more than ${most} workers: a process may have ` +
        `${files} files open; raise that with ulimit -n`,
    )
  }
  const parentFiles = workers * workerLimits.parentFilesEach
  if (workers === 1 || parentFiles <= perWorker) return OK
  return refused(
    `${formatCount(workers)} workers take ${formatCount(parentFiles)} open files, and this process ` +
      `may have ${files}; raise that with ulimit -n`,
  )
}

/** Logs what the server has been started with. */
function announce({ log, settings, capacity, filesLimit, workers, messages }: Plan): void {
  const { streamsMax, databasePath, bus } = settings.current
  const streams = workers === 1 ? capacity.streamsMax : streamsOf(streamsMax, capacity, workers)
  const by = workers === 1 ? '' : ` in ${formatCount(workers)} workers, each with its own limit`
  log.info('limit', `Up to ${formatQuantity(streams, 'stream')}${by}: ${capacity.why}.`, {
    streams,
    workers,
    openFiles: filesLimit,
  })
  const place = bus === null ? databasePath : redisName(bus.address)
  const { subscriptions: held } = messages.stores.subscriptions.counts()
  log.info('subscriptions', `${formatQuantity(held, 'subscription')} in ${place}.`, {
    subscriptions: held,
  })
}

function streamsOf(streamsMax: number | null, capacity: Capacity, workers: number): number {
  const each = streamsMax === null ? capacity.streamsMax : Math.floor(streamsMax / workers)
  return workers * Math.min(Math.max(1, each), capacity.streamsMax)
}

/** Opens both ports, or neither. */
async function openPorts(plan: Plan): Promise<Result<Server>> {
  const { settings, clock, log } = plan
  const resolved = await resolveAddresses(settings.current)
  if (!resolved.ok) return resolved
  const startedMs = clock.elapsedMs()
  const held = await openStreams(plan)
  if (!held.ok) return held
  const host = held.value
  const openFiles = { openFilesLimit: plan.filesLimit }
  const opened = await openInputs({ ...plan, ...openFiles, host, startedMs })
  if (!opened.ok) {
    await host.drain(paceOf(settings.current))
    return opened
  }
  rememberPort(settings, host, opened.value.control)
  host.watch(opened.value.control)
  const server = running({ ...plan, host, inputs: opened.value })
  const streamUrls = server.publicUrls.map((url) => `${url}/stream/{id}`).join(' and ')
  log.info('listening', `Streams on ${streamUrls}, control on ${server.controlUrl}.`, {
    public: server.publicUrls.join(' '),
    control: server.controlUrl,
    pid: process.pid,
  })
  return success(server)
}

/** Where the system chose the port, the public port learns whose pages are those of this server. */
function rememberPort(settings: CurrentSettings, host: StreamHost, { addresses }: Listener): void {
  const { controlAddress } = settings.current
  const [opened = controlAddress] = addresses
  if (controlAddress.port !== 0 || controlAddress.socketPath !== undefined) return
  settings.replace({
    ...settings.current,
    controlAddress: { ...controlAddress, port: opened.port },
  })
  host.onSettings()
}

async function resolveAddresses(config: ServerConfig): Promise<Result<void>> {
  for (const address of config.publicAddresses) {
    const resolved = await resolve(address)
    if (!resolved.ok) return refused(`the public port ${resolved.why}`)
  }
  const resolved = await resolve(config.controlAddress)
  return resolved.ok ? OK : refused(`the control port ${resolved.why}`)
}

/**
 * Opens the public port, in this process or in workers. Messages go there before a stream can
 * begin: other machines publish meanwhile.
 */
async function openStreams(plan: Plan): Promise<Result<StreamHost>> {
  const { settings, capacity, filesLimit, workers, feed, log, clock, onBug } = plan
  const { dispatcher, tickets } = plan.messages
  const { names, revocations: revoked } = plan.messages.stores
  const refreshKeys = () => plan.remote.refresh()
  if (workers > 1) {
    const command = plan.workerCommand
    return startWorkers({
      ...{ settings, count: workers, capacity, command, feed, log, clock },
      ...{
        refreshKeys,
        revoked,
        names,
        tickets,
        resumption: plan.resumption,
        onOutlet: (outlet) => dispatcher.open(outlet),
      },
    })
  }
  const opened = openPublicPort({
    ...{ addresses: settings.current.publicAddresses, settings, capacity },
    ...{ isShared: false, isOfCrowd: false },
    ...{ openFilesLimit: filesLimit, feed, log, clock, onBug },
    limiter: localLimiter(new StreamLimiter({ settings, clock, revoked, names })),
    router: { resumption: plan.resumption, names },
    subjectOf: (user) => names.subjectOf(user),
    refreshKeys,
    redeem: (ticket) => tickets.redeem(ticket),
    ...(await openStreamWire(settings.current, log, clock)),
  })
  if (!opened.ok) return refused(`the public port ${opened.why}`)
  dispatcher.open(opened.value.outlet)
  return opened
}
