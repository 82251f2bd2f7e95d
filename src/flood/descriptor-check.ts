// Decides whether a flood holds its connections as descriptors: it depends on what Bun does not
// promise, and on system calls that a sandbox may forbid.

import type { Clock } from '../core/clock.ts'
import { withTimeout } from '../core/deadline.ts'
import { OK, type Result, refused } from '../core/result.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { type DescriptorConnections, openDescriptorConnections } from './descriptor-connections.ts'
import { plainBehaviour } from './plan.ts'
import { RequestWriter } from './request.ts'

/** Carries a first stream from its connection to its end; or says why that does not work. */
export async function checkDescriptors(clock: Clock): Promise<Result<void>> {
  const carried = carryStream(clock)
  try {
    await withTimeout('a first stream over a descriptor', carried, floodLimits.firstDescriptorMs)
    return OK
  } catch (error) {
    return refused(error instanceof Error ? error.message : String(error))
  }
}

const GREETING = Buffer.from('hello')

/** Of a server in this process, which answers the request, and ends once its answer is read. */
async function carryStream(clock: Clock): Promise<void> {
  const { promise: over, resolve, reject } = Promise.withResolvers<void>()
  using server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: { data: (socket) => void socket.write(GREETING) },
  })
  const host = { host: 'localhost', address: '127.0.0.1', port: server.port, pathTemplate: '/' }
  const behaviour = plainBehaviour({ protocol: 'http', ...host })
  let received = ''
  const connections: DescriptorConnections | null = openDescriptorConnections(
    {
      count: 1,
      server: behaviour.target,
      sources: null,
      requests: new RequestWriter(behaviour, 1),
      blackhole: null,
      listener: {
        onBytes: (_, bytes, end) => {
          received += Buffer.from(bytes.subarray(0, end)).toString()
          if (received === String(GREETING)) server.stop(true)
        },
        onEnd: (_, kind) => {
          if (received === String(GREETING)) resolve()
          else reject(new Error(`a first stream over a descriptor failed: ${kind}`))
        },
        idleMs: () => 0,
      },
    },
    clock,
    // Bun has to wake it for each event.
    { turnMs: 0, idleMs: 0 },
  )
  if (connections === null) {
    throw new Error('this system has no epoll, or no C library to call it by')
  }
  try {
    connections.begin(0)
    await over
    if (connections.wakes === 0) throw new Error('Bun does not poll an epoll')
  } finally {
    connections.close(0)
    connections.stop()
  }
}
