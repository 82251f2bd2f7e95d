// Cuts connections to the public port that have not sent a complete request head in time. Every
// head is answered in the turn it completes, so one that was never answered never completed.

import type { Address } from '../core/address.ts'
import { streamLimits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import { formatQuantity } from '../core/units.ts'
import type { StreamStore } from '../hub/store.ts'
import {
  type ListenEndpoints,
  listenEndpoints,
  type TcpSockets,
  tcpSockets,
} from '../os/sockets.ts'

export interface HeadTimeoutOptions {
  /** Where connections are accepted. */
  readonly addresses: readonly Address[]
  readonly streams: StreamStore
  readonly headTimeoutMs: number
  /** No descriptor above it is in use. */
  readonly lastDescriptor: () => number
  /** Open files, without those that are only held back. */
  readonly openFiles: () => number
  readonly log: Log
}

/**
 * Watches until the returned function is called; one timer for all connections. Nothing is to be
 * done for a timeout that is Bun's own, and without the C library nothing can be.
 */
export function watchHeadTimeout(options: HeadTimeoutOptions): () => void {
  // Asking the kernel after thousands of descriptors each second costs more than it may for
  // nothing.
  if (options.headTimeoutMs >= streamLimits.headTimeoutMsMax) return () => undefined
  const sockets = tcpSockets()
  if (sockets === null) {
    const ms = streamLimits.headTimeoutMsMax
    options.log.warn('head_timeout', `On this system a connection has ${ms} ms to send its head.`)
    return () => undefined
  }
  const ends = listenEndpoints(options.addresses)
  const watch = { ...options, ends, sockets, filesAtStart: options.openFiles(), next: 0 }
  const timer = setInterval(() => check(watch), streamLimits.headCheckEveryMs)
  return () => clearInterval(timer)
}

interface Watch extends HeadTimeoutOptions {
  readonly ends: ListenEndpoints
  readonly sockets: TcpSockets
  /** Open files before the first connection. */
  readonly filesAtStart: number
  /** The descriptor to go on with. */
  next: number
}

function check(watch: Watch): void {
  const { ends, streams, headTimeoutMs, lastDescriptor, sockets, log } = watch
  const files = watch.openFiles()
  const end = lastDescriptor() + 1
  // In the usual case every connection is a stream, and there is nothing to look for.
  if (files - streams.open <= watch.filesAtStart) return
  const first = watch.next < end ? watch.next : 0
  const last = Math.min(end, first + streamLimits.headCheckDescriptors) - 1
  watch.next = last + 1
  const cut = sockets.cutUnanswered(ends, headTimeoutMs, first, last)
  if (cut === 0) return
  log.repeated('no_head', `Cut ${formatQuantity(cut, 'connection')} that sent no request in time.`)
}
