// Cuts connections to the public port that have not sent a complete request head in time. Every
// head is answered in the turn it completes, so one that was never answered never completed.

import { streamLimits } from '../core/limits.ts'
import { openFiles } from '../machine/descriptors.ts'
import { type TcpSockets, tcpSockets } from '../machine/sockets.ts'
import type { StreamStore } from '../stream/store.ts'
import type { Listener } from './listener.ts'
import type { Log } from './log.ts'

export interface HeadsOptions {
  readonly listener: Listener
  readonly streams: StreamStore
  readonly headTimeoutMs: number
  readonly openFilesLimit: number
  readonly log: Log
}

/**
 * Watches until the returned function is called; one timer for all connections. Without the C
 * library there is only Bun's own bound of about ten seconds.
 */
export function watchHeads(options: HeadsOptions): () => void {
  const sockets = tcpSockets()
  if (sockets === null) {
    if (options.headTimeoutMs < streamLimits.headTimeoutMsMax) {
      const ms = streamLimits.headTimeoutMsMax
      options.log.warn('head_timeout', `On this system a connection has ${ms} ms to send its head.`)
    }
    return () => undefined
  }
  // What is open besides connections, now that nobody has connected yet.
  const filesAtStart = openFiles()
  const timer = setInterval(
    () => check(options, sockets, filesAtStart),
    streamLimits.headCheckEveryMs,
  )
  return () => clearInterval(timer)
}

function check(options: HeadsOptions, sockets: TcpSockets, filesAtStart: number): void {
  const { listener, streams, headTimeoutMs, openFilesLimit, log } = options
  // In the usual case every connection is a stream, and there is nothing to look for.
  if (openFiles() - streams.open <= filesAtStart) return
  const { port } = listener.address
  const cut = sockets.cutUnanswered(port, headTimeoutMs, openFilesLimit - 1)
  if (cut > 0) log.repeated('no_head', `${cut} connections sent no request in time and were cut.`)
}
