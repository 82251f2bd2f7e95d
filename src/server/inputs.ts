// Where messages come in, opened together or not at all: the control port, and the Erlang node if this
// server is one. What is told of the server on that port is put together here, too.

import { controlApp } from '../control/app.ts'
import { ControlAuth } from '../control/auth.ts'
import type { ServerState } from '../control/stats.ts'
import { Storage } from '../control/storage.ts'
import { streamLimits } from '../core/limits.ts'
import { LoopWatch } from '../core/loop.ts'
import { Sampler } from '../dashboard/sampler.ts'
import type { ErlangNode } from '../erlang/node.ts'
import { type Listener, type ListenResult, listen } from '../http/listener.ts'
import { makeRoom } from '../http/unix-socket.ts'
import { closingUnread } from '../http/unread.ts'
import { hasEnded, type StreamHost } from '../hub/host.ts'
import { Input } from '../hub/input.ts'
import { Router } from '../hub/router.ts'
import type { ServerConfig } from './config.ts'
import { startErlang } from './erlang.ts'
import type { Parts } from './parts.ts'

/** Where messages come in. */
export interface Inputs {
  readonly control: Listener
  readonly erlang: ErlangNode | null
  /** The server is about to stop: it is not ready any more, and goes on. */
  readonly leave: () => void
  readonly stopSampling: () => void
  /** What may change of the inputs while they are open. */
  readonly change: (config: ServerConfig) => void
}

/** Opens all inputs or none; answers why one cannot be opened. */
export async function openInputs(
  parts: Parts,
  host: StreamHost,
  startedMs: number,
): Promise<Inputs | string> {
  const routerOf = () => new Router(host.outlet, parts.subscriptions)
  const http = new Input('http', routerOf())
  const nodes = new Input('erlang', routerOf())
  let isLeaving = false
  const { router, onRejected } = nodes
  const erlang = await startErlang({ ...parts, host, router, onRejected })
  if (typeof erlang === 'string') return erlang
  const lived = liveOf(parts, [http.router, nodes.router])
  const { storage } = lived
  const loop = new LoopWatch(parts.clock)
  loop.start()
  const { clock, filesLimit, subscriptions } = parts
  const sampler = new Sampler({
    ...{ clock, startedMs, subscriptions, loop, openFilesLimit: filesLimit },
    inputs: erlang === null ? [http] : [http, nodes],
    ...{ streams: () => host.figures(), latest: () => host.told() },
    state: () => (isLeaving ? 'draining' : stateOf(parts.config, host, erlang, storage)),
    openFiles: () => host.budget.filesInUse,
    logLinesDropped: () => parts.log.dropped,
    silentWorkers: () => host.silentWorkers,
    erlang: () => erlang?.figures() ?? null,
  })
  const { socketPath } = parts.config.controlAddress
  const occupied = socketPath === undefined ? null : await makeRoom(socketPath)
  if (occupied !== null) {
    erlang?.drain()
    return `the control port ${occupied}`
  }
  const control = openControlPort(parts, host, http, sampler, lived)
  const leave = () => {
    isLeaving = true
  }
  if (control.ok) {
    const stopSampling = sampler.start()
    const { listener } = control
    const change = (next: ServerConfig) => {
      lived.change(next)
      listener.changeIdleTimeout(idleSeconds(next))
    }
    return { control: listener, erlang, leave, stopSampling, change }
  }
  erlang?.drain()
  return `the control port ${control.why}`
}

function stateOf(
  { erlang: wanted }: ServerConfig,
  { budget, full }: StreamHost,
  erlang: ErlangNode | null,
  { isFailing }: Storage,
): ServerState {
  if (budget.draining) return 'draining'
  if (full) return 'full'
  if (isFailing) return 'unwritable'
  return wanted?.required === true && erlang?.isConnected === false ? 'disconnected' : 'ready'
}

/** What may be another one while the control port is open. */
interface Live {
  readonly lock: ControlAuth
  readonly storage: Storage
  readonly rules: { userIdMax: number; perUserMax: number; bodyTimeoutMs: number }
  readonly change: (config: ServerConfig) => void
}

function liveOf({ config, log, subscriptions }: Parts, routers: readonly Router[]): Live {
  const lock = new ControlAuth({
    ...config,
    onRefused: (why) =>
      log.repeated('unauthorized', `A request to the control port was refused: ${why}.`),
  })
  const rules = {
    userIdMax: config.userIdMax,
    perUserMax: config.subscriptionsPerUserMax,
    bodyTimeoutMs: config.bodyTimeoutMs,
  }
  for (const router of routers) router.userIdMax = config.userIdMax
  const change = (next: ServerConfig) => {
    rules.userIdMax = next.userIdMax
    for (const router of routers) router.userIdMax = next.userIdMax
    rules.perUserMax = next.subscriptionsPerUserMax
    rules.bodyTimeoutMs = next.bodyTimeoutMs
    lock.change(next)
  }
  return { lock, rules, change, storage: new Storage(subscriptions, log) }
}

function openControlPort(
  { config, clock, subscriptions, onBug }: Parts,
  host: StreamHost,
  { router, onRejected }: Input,
  sampler: Sampler,
  { lock, rules, storage }: Live,
): ListenResult {
  const app = controlApp(
    {
      messages: {
        router,
        clock,
        isDraining: () => hasEnded(host),
        onRejected,
        rules,
      },
      subscriptions: {
        subscriptions,
        rules,
        clock,
        onStorageError: storage.onError,
      },
      presence: (user) => host.userPresence(user),
      stats: sampler.source,
      dashboard: { sampler, isLocked: config.controlToken !== null },
    },
    onBug,
  )
  return listen({
    addresses: [config.controlAddress],
    socketMode: config.controlMode,
    isShared: false,
    fetch: (request) => closingUnread(request, lock.refuse(request) ?? app.fetch(request)),
    // Publishers keep their connection between two messages, but not for ever.
    isShort: () => host.budget.short,
    idleTimeoutSeconds: idleSeconds(config),
    onError: onBug,
  })
}

/** Longer than a body is waited for, which is answered. */
function idleSeconds({ bodyTimeoutMs }: ServerConfig): number {
  return streamLimits.controlIdleSeconds + Math.ceil(bodyTimeoutMs / 1000)
}
