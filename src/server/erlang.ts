// The wiring of the Erlang node: gives it the router, and says in the log what was refused.

import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import type { ErlangNode } from '../erlang/node.ts'
import { hasEnded, type StreamHost } from '../hub/host.ts'
import type { Router } from '../hub/router.ts'
import type { ServerConfig } from './config.ts'

export interface ErlangWiring {
  readonly config: ServerConfig
  readonly host: StreamHost
  readonly router: Router
  readonly onRejected: (count: number) => void
  readonly clock: Clock
  readonly log: Log
}

/** Starts the node, if one is wanted; answers why its port cannot be had otherwise. */
export async function startErlang(wiring: ErlangWiring): Promise<ErlangNode | null | string> {
  const { config, host, router, onRejected, clock, log } = wiring
  if (config.erlang === null) return null
  // A twentieth of the program's code, which few servers need.
  const { startNode } = await import('../erlang/node.ts')
  const node = startNode(config.erlang, {
    ...{ router, clock, log },
    online: async (user) => (await host.userPresence(user)).connections,
    isDraining: () => hasEnded(host),
    onRefused: (from, count, { message }) => {
      onRejected(count)
      log.repeated('erlang_refused', `A message from ${from} was refused: ${message}`)
    },
  })
  return typeof node === 'string' ? `the Erlang port ${node}` : node
}
