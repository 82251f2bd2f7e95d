// Starts a server, in order: check what the machine allows, open the database, the streams, the
// inputs. All or nothing.

import { randomBytes, randomInt } from 'node:crypto'
import { availableParallelism, hostname } from 'node:os'
import { type Capacity, capacityOf, workersFor } from '../core/capacity.ts'
import type { Clock } from '../core/clock.ts'
import { feedLimits } from '../core/feed-limits.ts'
import { identityLimits } from '../core/identity-limits.ts'
import { workerLimits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import { allOf, OK, type Result, refused, success } from '../core/result.ts'
import { formatCount, formatQuantity } from '../core/units.ts'
import type { OnBug } from '../http/elysia.ts'
import { type Listener, resolve } from '../http/listener.ts'
import { Feed } from '../hub/feed.ts'
import { FollowLog } from '../hub/follow-log.ts'
import type { HistoryPlace } from '../hub/history.ts'
import type { StreamHost } from '../hub/host.ts'
import { localLimiter, StreamLimiter } from '../hub/limiter.ts'
import { PublicationKeys } from '../hub/publication-keys.ts'
import { Resumption } from '../hub/resumption.ts'
import {
  CurrentSettings,
  checkControlGuard,
  type ServerConfig,
  type WorkersRequest,
} from '../hub/settings.ts'
import { Tickets } from '../identity/tickets.ts'
import type { MessageLog } from '../log/message-log.ts'
import { openLog } from '../log/open-log.ts'
import { openFilesLimit } from '../os/descriptors.ts'
import { openPublicPort } from '../public/port.ts'
import { openDatabase } from '../subscriptions/database.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import { type Stores, storesOf } from '../subscriptions/stores.ts'
import { startWorkers } from '../workers/supervisor.ts'
import { openInputs } from './inputs.ts'
import { RemoteSettings } from './remote-settings.ts'
import { paceOf, running, type Server } from './stop.ts'
import { openStreamWire } from './stream-wire.ts'

const CHANGES_MISSING =
  'The log of messages does not have all changes of subscriptions: what users followed before this ' +
  'start is taken to be what they follow now.'

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
  readonly cause: 'config' | 'keys' | 'port' | 'database'
  readonly reason: string
}

/** Everything that the ports are opened with. */
interface Plan extends ServerDependencies {
  readonly settings: CurrentSettings
  readonly filesLimit: number
  readonly capacity: Capacity
  readonly workers: number
  readonly stores: Stores
  readonly remote: RemoteSettings
  readonly tickets: Tickets
  /** The log of messages, the keys of those of the last minutes, and where new streams begin. */
  readonly messages: MessageLog
  readonly historyPlace: HistoryPlace
  readonly keys: PublicationKeys
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
  // The seed: nobody can guess which names collide in the table.
  const names = new NameTable({ seed: randomInt(2 ** 32) })
  const opened = openDatabase(config.databasePath, names)
  if (!opened.ok) return refused({ cause: 'database', reason: `the database ${opened.why}` })
  const { log: messages, place: historyPlace } = openMessages(config, names, dependencies)
  const recorder = new FollowLog(messages, names)
  const stores = storesOf(opened.value, names, { recorder, findsSubjects: true })
  if (!recorder.open(stores.subscriptions)) dependencies.log.warn('history', CHANGES_MISSING)
  const plan: Plan = {
    ...dependencies,
    ...{ filesLimit, capacity, workers, settings, remote: remote.value, stores },
    ...{ messages, historyPlace },
    keys: new PublicationKeys({ log: messages, clock: dependencies.clock }),
    resumption: new Resumption({ log: messages, subscriptions: stores.subscriptions }),
    feed: feedOf(config, names, dependencies.clock),
    tickets: new Tickets({ clock: dependencies.clock, random: randomTicket }),
    onBug: (error) => dependencies.log.bug(error),
  }
  const server = await openPorts(plan)
  if (!server.ok) {
    messages.close()
    stores.subscriptions.close()
    return refused({ cause: 'port', reason: server.why })
  }
  announce(plan)
  return server
}

function randomTicket(): string {
  return randomBytes(identityLimits.ticketBytes).toString('base64url')
}

function feedOf(
  { feedBytes, nodeName }: ServerConfig,
  names: NameTable,
  clock: Clock,
): Feed | null {
  if (feedBytes === 0) return null
  return new Feed({
    ...{ bytes: feedBytes, node: nodeName ?? hostname(), names },
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
function announce({ log, settings, capacity, filesLimit, workers, stores }: Plan): void {
  const { streamsMax, databasePath } = settings.current
  const streams = workers === 1 ? capacity.streamsMax : streamsOf(streamsMax, capacity, workers)
  const by = workers === 1 ? '' : ` in ${formatCount(workers)} workers, each with its own limit`
  log.info('limit', `Up to ${formatQuantity(streams, 'stream')}${by}: ${capacity.why}.`, {
    streams,
    workers,
    openFiles: filesLimit,
  })
  const { subscriptions: held } = stores.subscriptions.counts()
  log.info('subscriptions', `${formatQuantity(held, 'subscription')} in ${databasePath}.`, {
    subscriptions: held,
  })
}

function streamsOf(streamsMax: number | null, capacity: Capacity, workers: number): number {
  const each = streamsMax === null ? capacity.streamsMax : Math.floor(streamsMax / workers)
  return workers * Math.min(Math.max(1, each), capacity.streamsMax)
}

/** Opens the log of messages, whose file is beside the database. */
function openMessages(
  { databasePath, historyBytes }: ServerConfig,
  names: NameTable,
  { log, clock }: Pick<ServerDependencies, 'log' | 'clock'>,
): { log: MessageLog; place: HistoryPlace } {
  const path = databasePath === ':memory:' || historyBytes === 0 ? null : `${databasePath}-log`
  const intern = (name: string) => names.intern(name)
  const nameOf = (handle: number) => names.nameOf(handle)
  const { log: messages, note } = openLog({ path, bytes: historyBytes, intern, nameOf, clock })
  if (note !== null) log.warn('history', note)
  const isInFile = messages.isInFile
  const place: HistoryPlace = {
    kind: isInFile ? 'file' : 'memory',
    reason: isInFile || path === null ? null : note,
  }
  return { log: messages, place }
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

/** Opens the public port, in this process or in workers. */
async function openStreams(plan: Plan): Promise<Result<StreamHost>> {
  const { settings, capacity, filesLimit, workers, feed, log, clock, onBug } = plan
  const { names, revocations: revoked } = plan.stores
  const refreshKeys = () => plan.remote.refresh()
  if (workers > 1) {
    const command = plan.workerCommand
    return startWorkers({
      ...{ settings, count: workers, capacity, command, feed, log, clock },
      ...{ refreshKeys, revoked, names, tickets: plan.tickets, resumption: plan.resumption },
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
    redeem: (ticket) => plan.tickets.redeem(ticket),
    ...(await openStreamWire(settings.current, log, clock)),
  })
  return opened.ok ? opened : refused(`the public port ${opened.why}`)
}
