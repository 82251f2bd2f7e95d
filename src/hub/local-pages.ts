// Which pages may read the streams of a server that is for its own machine alone: those of its
// control port, where /try is.

import { isLoopbackHost, parseHost } from '../core/address.ts'
import type { ServerConfig } from './settings.ts'

const HOSTS = ['127.0.0.1', '[::1]', 'localhost']

/**
 * The origins of the control port, if the public port is for this machine alone. Who can serve a
 * page there is on this machine, and can read its streams without a browser; and the port's own
 * pages may publish and read all that is known. A server with keys, or one for everyone, lists
 * whose pages may read.
 */
export function localPages({
  identity,
  anonymous,
  controlAddress: { hostname, port, socketPath },
}: Pick<ServerConfig, 'identity' | 'anonymous' | 'controlAddress'>): readonly string[] {
  if (identity !== null || anonymous || socketPath !== undefined) return []
  const own = hostname.includes(':') ? `[${hostname}]` : hostname
  if (!isLoopbackHost(parseHost(own) ?? '')) return []
  return [...new Set([own, ...HOSTS])].map((host) => new URL(`http://${host}:${port}`).origin)
}
