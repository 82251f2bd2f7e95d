// Where messages come in, opened together or not at all: the control port, and the Erlang node if
// this server is one.

import { busFigures } from '../bus/bus-figures.ts'
import { controlPort } from '../control/app.ts'
import { ControlAuth } from '../control/auth.ts'
import { FeedReaders, feedFigures } from '../control/feed-figures.ts'
import { noOthers, type OtherNodes } from '../control/other-nodes.ts'
import { gatherStats, type ServerState } from '../control/stats.ts'
import { Storage } from '../control/storage.ts'
import { httpUrl } from '../core/address.ts'
import type { Clock } from '../core/clock.ts'
import { historyLimits } from '../core/history-limits.ts'
import { figureLimits, streamLimits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import { LoopWatch } from '../core/loop.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { dashboardRoutes } from '../dashboard/routes.ts'
import { Sampler } from '../dashboard/sampler.ts'
import type { ErlangNode } from '../erlang/node.ts'
import type { OnBug } from '../http/elysia.ts'
import { type Listener, listen } from '../http/listener.ts'
import { makeRoom } from '../http/unix-socket.ts'
import { EntryAges } from '../hub/entry-ages.ts'
import type { Feed } from '../hub/feed.ts'
import { type HistorySource, historyFigures } from '../hub/history.ts'
import { hasEnded, type StreamHost } from '../hub/host.ts'
import { sweepNames } from '../hub/name-sweep.ts'
import type { Resumption } from '../hub/resumption.ts'
import { Input, Router } from '../hub/router.ts'
import { nodeNameIn, type Settings } from '../hub/settings.ts'
import { answerOthers, BusNodes } from './bus-nodes.ts'
import type { Messages } from './messages.ts'
import { type OpenFeed, openFeed } from './open-feed.ts'

export interface InputDependencies {
  readonly settings: Settings
  readonly host: StreamHost
  readonly messages: Messages
  readonly resumption: Resumption
  /** Null if there is none. */
  readonly feed: Feed | null
  readonly openFilesLimit: number
  readonly startedMs: number
  readonly log: Log
  readonly clock: Clock
  readonly onBug: OnBug
}

/** What has been opened. */
export interface Inputs {
  readonly control: Listener
  readonly erlang: ErlangNode | null
  readonly feed: Pick<OpenFeed, 'close' | 'stop'>
  /** From now on the server is not ready; it still takes messages. */
  readonly leave: () => void
  readonly stopWatching: () => void
}

/** Opens all inputs or none. */
export async function openInputs(dependencies: InputDependencies): Promise<Result<Inputs>> {
  const { settings, host, log, messages } = dependencies
  const { bus, keys, stores } = messages
  const { names } = stores
  const router = { outlet: host.outlet, names, bus, keys, settings }
  const http = new Input('http', new Router(router))
  const collect = messages.shared?.collect ?? null
  const routerForAll = new Router({ ...router, collect, totals: http.router })
  const nodes = new Input('erlang', new Router(router))
  const started = await startErlang(dependencies, nodes)
  if (!started.ok) return started
  const node = started.value
  const storage = new Storage(messages.storage, log)
  let isLeaving = false
  const state = () => (isLeaving ? 'draining' : stateOf(dependencies, node, storage))
  const readers = new FeedReaders()
  const feed = openFeed(dependencies)
  const inputs = [http, ...(node === null ? [] : [nodes]), ...remoteOf(messages)]
  const sampler = samplerOf({ ...dependencies, readers, opened: feed }, inputs, node, state)
  const others = othersOf(dependencies, sampler)
  const { socketPath } = settings.current.controlAddress
  const room = socketPath === undefined ? OK : await makeRoom(socketPath)
  const opened = room.ok
    ? openControlPort(
        { ...dependencies, readers, opened: feed, others, routerForAll },
        http,
        sampler,
        storage,
      )
    : room
  if (!opened.ok) {
    node?.drain()
    await feed.stop()
    return refused(`the control port ${opened.why}`)
  }
  const leave = () => {
    isLeaving = true
    host.isReady = false
  }
  const stops = [
    sampler.start(),
    reportHealth(host, state),
    sweepNames(names, usesOf(dependencies), bus),
    maintain(messages),
  ]
  const stopWatching = () => {
    for (const stop of stops) stop()
  }
  return success({ control: opened.value, erlang: node, feed, leave, stopWatching })
}

/** The other nodes of the cluster, whose questions this node answers from now on. */
function othersOf({ messages, host, settings }: InputDependencies, sampler: Sampler): OtherNodes {
  const { controlAddress } = settings.current
  const address = httpUrl(controlAddress)
  const name = nodeNameIn(settings.current)
  if (messages.shared === null) return noOthers(name, address)
  const { redis, revocations } = messages.shared
  revocations.onMissed = (user) => void host.endStreams(user, { reason: 'ended', note: null })
  answerOthers({
    ...{ requests: redis.requests, host, names: messages.stores.names, revocations },
    stats: () => gatherStats(sampler.source),
  })
  return new BusNodes(name, address, redis)
}

/** What uses names besides the log. */
function usesOf({ host, messages }: InputDependencies): Parameters<typeof sweepNames>[1] {
  const isReached = (id: number) => host.isReached(id) || messages.refersTo(id)
  return { outlet: host.outlet, isReached }
}

/** The messages that other nodes published; none without a bus. */
function remoteOf({ bus, dispatcher }: Messages): Input[] {
  return bus.isShared ? [new Input('bus', dispatcher.remote)] : []
}

function maintain(messages: Pick<Messages, 'maintain'>): () => void {
  const { maintainEveryMs, maintainStepMs } = historyLimits
  let timer: NodeJS.Timeout
  const next = () => {
    timer = setTimeout(next, messages.maintain() ? maintainStepMs : maintainEveryMs)
  }
  next()
  return () => clearTimeout(timer)
}

/** Sets whether the public port is ready, for `/health`. */
function reportHealth(host: StreamHost, state: () => ServerState): () => void {
  const report = () => {
    host.isReady = state() === 'ready'
  }
  report()
  const timer = setInterval(report, figureLimits.healthEveryMs)
  return () => clearInterval(timer)
}

/** Starts the node, if this server is one. */
async function startErlang(
  { settings, host, messages, clock, log }: InputDependencies,
  { router, onRejected }: Input<Router>,
): Promise<Result<ErlangNode | null>> {
  const { erlang } = settings.current
  if (erlang === null) return success(null)
  // A twentieth of the program's code, which few servers need.
  const { startNode } = await import('../erlang/node.ts')
  const node = startNode(erlang, {
    ...{ router, clock, log },
    online: async (user) => (await host.userPresence(messages.stores.names.idOf(user))).connections,
    isDraining: () => hasEnded(host),
    onRefused: (from, count, { message }) => {
      onRejected(count)
      log.repeated('erlang_refused', `A message from ${from} was refused: ${message}`)
    },
  })
  return node.ok ? node : refused(`the Erlang port ${node.why}`)
}

interface WithReaders extends InputDependencies {
  readonly readers: FeedReaders
  /** What they read. */
  readonly opened: OpenFeed
}

/** What only the control port needs. */
interface PortDependencies extends WithReaders {
  readonly others: OtherNodes
  readonly routerForAll: Router
}

/** With a bus, entries have the time of Redis; a log of its own keeps no times. */
function agesOf({ bus, shared }: Messages, clock: Clock): HistorySource['ageMs'] {
  if (shared !== null) return (number) => shared.redis.ageMs(number, clock.nowMs())
  const ages = new EntryAges(bus.window.last, clock.elapsedMs())
  return (number, last) => {
    const nowMs = clock.elapsedMs()
    ages.note(last, nowMs)
    return ages.ageMs(number, nowMs)
  }
}

function samplerOf(
  dependencies: WithReaders,
  inputs: readonly Input[],
  node: ErlangNode | null,
  state: () => ServerState,
): Sampler {
  const { host, clock, startedMs, messages, openFilesLimit, log, resumption } = dependencies
  const { feed, readers, opened } = dependencies
  const { bus, stores, place, dispatcher } = messages
  const ageMs = agesOf(messages, clock)
  const loop = new LoopWatch(clock)
  loop.start()
  return new Sampler({
    ...{ clock, startedMs, loop, openFilesLimit, inputs, state },
    ...{ subscriptions: stores.subscriptions, names: stores.names },
    history: () => historyFigures({ bus, resumption, dispatcher, place, ageMs }),
    lookups: dispatcher,
    feed: () =>
      feed === null ? null : feedFigures(feed, readers, opened.sharing?.figures ?? null),
    streams: () => host.figures(),
    latest: () => host.latest(),
    openFiles: () => host.openFiles,
    logLinesDropped: () => log.dropped,
    silentWorkers: () => host.silentWorkers,
    erlang: () => node?.figures() ?? null,
    bus: () => (messages.shared === null ? null : busFigures({ ...messages.shared, clock })),
  })
}

function stateOf(
  { settings, host, messages }: InputDependencies,
  node: ErlangNode | null,
  { isFailing }: Storage,
): ServerState {
  if (host.isDraining) return 'draining'
  if (host.full) return 'full'
  if (isFailing) return 'unwritable'
  const isNodeRequired = settings.current.erlang?.required === true
  if (isNodeRequired && node?.isConnected === false) return 'disconnected'
  const isBusRequired = settings.current.bus?.isRequired === true
  return isBusRequired && messages.shared?.redis.isReady === false ? 'disconnected' : 'ready'
}

function openControlPort(
  dependencies: PortDependencies,
  { router, onRejected }: Input<Router>,
  sampler: Sampler,
  { onError: onStorageError }: Storage,
): Result<Listener> {
  const { settings, host, clock, messages, readers, opened, others, routerForAll, log, onBug } =
    dependencies
  const { controlAddress, controlMode, controlTokens } = settings.current
  const { names, subscriptions, revocations } = messages.stores
  const isLocked = controlTokens.length > 0
  const published = {
    router,
    routerForAll,
    clock,
    isDraining: () => hasEnded(host),
    onRejected,
    settings,
  }
  const auth = new ControlAuth({
    settings,
    onRefused: (why) =>
      log.repeated('unauthorized', `A request to the control port was refused: ${why}.`),
  })
  const options = {
    settings,
    messages: published,
    subscriptions: { subscriptions, names, settings, clock, onStorageError },
    users: { host, names, others, revocations, settings, clock, onStorageError },
    others,
    subjects: { host, names, followers: subscriptions, settings },
    tickets: { tickets: messages.tickets, settings },
    feed: { feed: opened.source, present: opened.present, readers, settings, clock },
    recentLog: log.recent,
    stats: sampler.source,
    dashboard: () =>
      dashboardRoutes({
        ...{ sampler, isLocked, settings },
        publicPort: () => host.addresses[0]?.port ?? 0,
      }),
  }
  return listen({
    ...controlPort(options, auth, onBug),
    addresses: [controlAddress],
    socketMode: controlMode,
    isShared: false,
    // Publishers keep their connection between two messages, unless open files are short.
    isShort: () => host.isShortOfFiles,
    headMs: () => streamLimits.controlHeadMs,
    idleMs: streamLimits.controlIdleMs,
    clock,
    onBug,
  })
}
