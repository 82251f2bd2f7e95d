// Which wire carries the streams of a process, and why.

import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import type { WireFigures } from '../hub/figures.ts'
import type { ServerConfig } from '../hub/settings.ts'
import type { DescriptorWire } from '../public/descriptor-wire.ts'
import { openDescriptorWire } from '../public/wire-check.ts'

/** As the public port takes it. */
export interface StreamWire {
  readonly descriptors: DescriptorWire | null
  readonly wire: WireFigures
}

/**
 * Descriptors where they may and can be, otherwise sockets of Bun.
 *
 * @param open the descriptors, or why there are none
 */
export async function openStreamWire(
  { certificate, wire }: Pick<ServerConfig, 'certificate' | 'wire'>,
  log: Log,
  clock: Clock,
  open: typeof openDescriptorWire = openDescriptorWire,
): Promise<StreamWire> {
  if (certificate !== null) return sockets('TLS, of which Bun has the keys')
  if (wire === 'socket') return sockets('--wire socket')
  const opened = await open(clock, (error) => log.bug(error))
  if (opened.ok) return { descriptors: opened.value, wire: { kind: 'descriptor', reason: null } }
  log.info('wire', `Streams stay on sockets of Bun, which take more memory: ${opened.why}.`)
  return sockets(opened.why)
}

function sockets(reason: string): StreamWire {
  return { descriptors: null, wire: { kind: 'socket', reason } }
}
