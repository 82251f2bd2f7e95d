// Opens the wire of descriptors, once it has carried a stream of this process to its end: it
// depends on what Bun does not promise, and on system calls that a sandbox may forbid.

import type { Clock } from '../core/clock.ts'
import { withTimeout } from '../core/deadline.ts'
import { acceptLimits, wireLimits } from '../core/limits.ts'
import { type Result, refused, success } from '../core/result.ts'
import { Acceptor } from '../http/acceptor.ts'
import type { OnBug } from '../http/elysia.ts'
import type { SocketHolder } from '../http/exchange.ts'
import { NO_OWNER } from '../hub/stream.ts'
import { type DescriptorCalls, descriptorCalls } from '../os/epoll.ts'
import { SocketAddress, tcpCalls } from '../os/tcp.ts'
import { DescriptorWire } from './descriptor-wire.ts'

/** A wire that works, or why there is none. */
export async function openDescriptorWire(
  clock: Clock,
  onBug: OnBug,
): Promise<Result<DescriptorWire>> {
  const calls = descriptorCalls(wireLimits.eventsPerTurn, wireLimits.receiveBytes)
  if (calls === null) return refused('this system has no epoll, or no C library to call it by')
  const epoll = calls.openEpoll()
  if (epoll < 0) return refused(`an epoll cannot be opened: errno ${-epoll}`)
  const wire = new DescriptorWire({ calls, epoll, clock, onBug })
  try {
    await withTimeout('a first stream over its descriptor', carries(wire), wireLimits.checkMsMax)
    await withTimeout('a connection past Bun', accepts(calls, onBug), wireLimits.checkMsMax)
    return success(wire)
  } catch (error) {
    await wire.stop(0)
    return refused(error instanceof Error ? error.message : String(error))
  }
}

/** Accepts a client of its own, which Bun has to report. */
async function accepts(events: DescriptorCalls, onBug: OnBug): Promise<void> {
  const calls = tcpCalls(acceptLimits.receiveBytes)
  const address = SocketAddress.of('127.0.0.1')
  if (calls === null || address === null) throw new Error('there is no C library')
  const listening = { address, isIpv6Only: false, isShared: false, ...acceptLimits }
  const descriptor = calls.listen(listening)
  if (descriptor < 0) throw new Error(`a socket cannot listen: errno ${-descriptor}`)
  const { promise: accepted, resolve } = Promise.withResolvers<void>()
  const take = (connection: number) => {
    events.close(connection)
    resolve()
    return true
  }
  const owner = { take, adopt: take, onAccepted: () => undefined }
  const acceptor = Acceptor.open({ calls, events, descriptor, owner, onBug })
  if (acceptor === null) throw new Error('an epoll cannot be opened')
  try {
    using _ = await Bun.connect({
      ...{ hostname: '127.0.0.1', port: acceptor.port },
      socket: { open: (socket) => void socket.write(HELLO), data: () => undefined },
    })
    await accepted
  } finally {
    acceptor.stop()
  }
}

const HELLO = Buffer.from('hello')
const SLOT = 1

/** Sends to a client of its own, reads nothing of what that sends, and sees it leave. */
async function carries(wire: DescriptorWire): Promise<void> {
  const { promise: over, resolve, reject } = Promise.withResolvers<void>()
  const take = (socket: Bun.Socket<SocketHolder>): void => {
    if (!wire.adopt(SLOT, socket)) {
      reject(new Error('a socket cannot be taken out of Bun'))
      return
    }
    wire.owner = { ...NO_OWNER, onEnd: () => wire.end(SLOT), onClose: () => resolve() }
    const taken = wire.write(SLOT, HELLO, HELLO.length)
    if (taken !== HELLO.length) reject(new Error('a descriptor takes no bytes'))
  }
  using listener = Bun.listen<SocketHolder>({
    hostname: '127.0.0.1',
    port: 0,
    allowHalfOpen: true,
    socket: { open: () => undefined, data: take, close: (socket) => socket.data?.onClose() },
  })
  let received = ''
  using _ = await Bun.connect({
    hostname: '127.0.0.1',
    port: listener.port,
    socket: {
      open: (socket) => {
        socket.write(HELLO)
      },
      data: (socket, bytes) => {
        received += String(bytes)
        if (received === String(HELLO)) socket.shutdown()
      },
      close: (_, error) => {
        if (received === '') reject(new Error(`a stream was closed: ${String(error)}`))
      },
      error: (_, error) => reject(error),
    },
  })
  // The wire looks less often than a start can wait.
  const timer = setInterval(() => wire.poll(), 1)
  try {
    await over
  } finally {
    clearInterval(timer)
  }
}
