// The connections of one process's streams: of the kind that its server and system allow.

import type { Clock } from '../core/clock.ts'
import { openBlackhole } from '../os/blackhole.ts'
import type { ConnectionListener, Connections, ConnectionsOptions } from './connections.ts'
import { openDescriptorConnections } from './descriptor-connections.ts'
import { LocalEnds } from './local-ends.ts'
import type { Share } from './plan.ts'
import type { RequestWriter } from './request.ts'
import { SocketConnections } from './socket-connections.ts'

export function openConnections(
  share: Share,
  requests: RequestWriter,
  clock: Clock,
  listener: ConnectionListener,
): Connections {
  const { behaviour, connections: count, sources, portOffset } = share
  const options: ConnectionsOptions = {
    count,
    server: behaviour.target,
    sources: sources.length > 0 ? new LocalEnds(sources, portOffset) : null,
    requests,
    blackhole: behaviour.silentDrop > 0 ? openBlackhole() : null,
    listener,
  }
  // Bun has TLS, and only on its own sockets.
  const isClear = behaviour.target.tls === undefined
  const descriptors =
    share.onDescriptors && isClear ? openDescriptorConnections(options, clock) : null
  return descriptors ?? new SocketConnections(options)
}
