// Finds out which clients have vanished without a word, as a device does that lost its network: the kernel
// asks those that are silent, and ends the connection of one that is not there. To the stream it is as if
// the client had left.

import type { Address } from '../core/address.ts'
import { streamLimits } from '../core/limits.ts'
import { descriptors } from '../machine/descriptors.ts'
import { type Probes, tcpSockets } from '../machine/sockets.ts'
import type { Log } from './log.ts'

/**
 * What to do each time the port opens.
 *
 * @param keepaliveMs of silence, then a client is asked; 0 to ask nobody
 */
export function askSilent(keepaliveMs: number, log: Log): (address: Address) => void {
  if (keepaliveMs === 0) return () => undefined
  const sockets = tcpSockets()
  const probes = probesOf(keepaliveMs)
  return (address) => {
    if (sockets?.probeSilent(address, probes, descriptors()) === true) return
    log.warn('keepalive', 'On this system a client that vanishes is only found by sending to it.')
  }
}

/** All probes together take half as long again as the silence before them. */
export function probesOf(keepaliveMs: number): Probes {
  const { keepaliveProbes: count } = streamLimits
  const idleSeconds = Math.max(1, Math.round(keepaliveMs / 1000))
  return { idleSeconds, everySeconds: Math.max(1, Math.round(idleSeconds / (2 * count))), count }
}
