// Where messages come in, opened together or not at all: the control port, and the Erlang node if
// this server is one.

import { controlPort } from '../control/app.ts'
import { ControlAuth } from '../control/auth.ts'
import { FeedReaders, feedFigures } from '../control/feed-figures.ts'
import type { ServerState } from '../control/stats.ts'
import { Storage } from '../control/storage.ts'
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
import { type HistoryPlace, historyFigures } from '../hub/history.ts'
import { hasEnded, type StreamHost } from '../hub/host.ts'
import { sweepNames } from '../hub/name-sweep.ts'
import type { PublicationKeys } from '../hub/publication-keys.ts'
import type { Resumption } from '../hub/resumption.ts'
import { Input, Router } from '../hub/router.ts'
import type { Settings } from '../hub/settings.ts'
import type { Tickets } from '../identity/tickets.ts'
import type { PresentConnections } from '../log/feed-source.ts'
import type { MessageLog } from '../log/message-log.ts'
import type { Stores } from '../subscriptions/stores.ts'

export interface InputDependencies {
  readonly settings: Settings
  readonly host: StreamHost
  readonly stores: Stores
  /** The log of messages. */
  readonly messages: MessageLog
  readonly historyPlace: HistoryPlace
  readonly resumption: Resumption
  /** Of the messages of all inputs. */
  readonly keys: PublicationKeys
  readonly tickets: Tickets
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
  /** From now on the server is not ready; it still takes messages. */
  readonly leave: () => void
  readonly stopWatching: () => void
}

/** Opens all inputs or none. */
export async function openInputs(dependencies: InputDependencies): Promise<Result<Inputs>> {
  const { settings, host, log } = dependencies
  const { subscriptions, names } = dependencies.stores
  const { messages, keys } = dependencies
  const { outlet } = host
  const router = { outlet, followers: subscriptions, names, log: messages, keys, settings }
  const http = new Input('http', new Router(router))
  const nodes = new Input('erlang', new Router(router))
  const started = await startErlang(dependencies, nodes)
  if (!started.ok) return started
  const node = started.value
  const storage = new Storage(subscriptions, log)
  let isLeaving = false
  const state = () => (isLeaving ? 'draining' : stateOf(dependencies, node, storage))
  const readers = new FeedReaders()
  const sampler = samplerOf(
    { ...dependencies, readers },
    node === null ? [http] : [http, nodes],
    node,
    state,
  )
  const { socketPath } = settings.current.controlAddress
  const room = socketPath === undefined ? OK : await makeRoom(socketPath)
  const opened = room.ok
    ? openControlPort({ ...dependencies, readers }, http, sampler, storage)
    : room
  if (!opened.ok) {
    node?.drain()
    return refused(`the control port ${opened.why}`)
  }
  const leave = () => {
    isLeaving = true
    host.isReady = false
  }
  const stops = [
    sampler.start(),
    reportHealth(host, state),
    sweepNames(names, host, messages),
    maintain(messages),
  ]
  const stopWatching = () => {
    for (const stop of stops) stop()
  }
  return success({ control: opened.value, erlang: node, leave, stopWatching })
}

function maintain(messages: Pick<MessageLog, 'maintain'>): () => void {
  const { maintainEveryMs, maintainStepMs } = historyLimits
  let timer: NodeJS.Timeout
  const next = () => {
    timer = setTimeout(next, messages.maintain() ? maintainStepMs : maintainEveryMs)
  }
  next()
  return () => clearTimeout(timer)
}

/** Tells the public port how the server is. */
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
  { settings, host, stores, clock, log }: InputDependencies,
  { router, onRejected }: Input,
): Promise<Result<ErlangNode | null>> {
  const { erlang } = settings.current
  if (erlang === null) return success(null)
  // A twentieth of the program's code, which few servers need.
  const { startNode } = await import('../erlang/node.ts')
  const node = startNode(erlang, {
    ...{ router, clock, log },
    online: async (user) => (await host.userPresence(stores.names.idOf(user))).connections,
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
}

function samplerOf(
  dependencies: WithReaders,
  inputs: readonly Input[],
  node: ErlangNode | null,
  state: () => ServerState,
): Sampler {
  const { host, clock, startedMs, stores, openFilesLimit, log } = dependencies
  const { messages, resumption, historyPlace: place, feed, readers } = dependencies
  const ages = new EntryAges(messages.last, clock.elapsedMs())
  const loop = new LoopWatch(clock)
  loop.start()
  return new Sampler({
    ...{ clock, startedMs, loop, openFilesLimit, inputs, state },
    ...{ subscriptions: stores.subscriptions, names: stores.names },
    history: () => historyFigures({ log: messages, resumption, place, clock, ages }),
    feed: () => (feed === null ? null : feedFigures(feed, readers)),
    streams: () => host.figures(),
    latest: () => host.latest(),
    openFiles: () => host.openFiles,
    logLinesDropped: () => log.dropped,
    silentWorkers: () => host.silentWorkers,
    erlang: () => node?.figures() ?? null,
  })
}

function stateOf(
  { settings, host }: InputDependencies,
  node: ErlangNode | null,
  { isFailing }: Storage,
): ServerState {
  if (host.isDraining) return 'draining'
  if (host.full) return 'full'
  if (isFailing) return 'unwritable'
  const isRequired = settings.current.erlang?.required === true
  return isRequired && node?.isConnected === false ? 'disconnected' : 'ready'
}

/** Who is connected, as readers of the feed are told. */
function presentOf(host: StreamHost, feed: Feed | null): PresentConnections {
  return (place, countMax) => {
    if (feed === null) throw new Error('there is no feed')
    return feed.present(host.connectionsFrom(place, countMax))
  }
}

function openControlPort(
  { settings, host, clock, stores, tickets, feed, readers, log, onBug }: WithReaders,
  { router, onRejected }: Input,
  sampler: Sampler,
  { onError: onStorageError }: Storage,
): Result<Listener> {
  const { controlAddress, controlMode, controlTokens } = settings.current
  const { names, subscriptions, revocations } = stores
  const isLocked = controlTokens.length > 0
  const messages = { router, clock, isDraining: () => hasEnded(host), onRejected, settings }
  const auth = new ControlAuth({
    settings,
    onRefused: (why) =>
      log.repeated('unauthorized', `A request to the control port was refused: ${why}.`),
  })
  const options = {
    settings,
    messages,
    subscriptions: { subscriptions, names, settings, clock, onStorageError },
    users: { host, names, revocations, settings, clock, onStorageError },
    subjects: { host, names, followers: subscriptions, settings },
    tickets: { tickets, settings },
    feed: { feed, present: presentOf(host, feed), readers, settings, clock },
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
