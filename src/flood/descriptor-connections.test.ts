// Goal: descriptors carry streams as sockets of Bun do, also when each event has to wake Bun, and
// when the kernel takes less than all. Method: the contract of connections; the kernel's calls with
// faults.

import { describe, expect, test } from 'bun:test'
import { systemClock } from '../core/clock.ts'
import { until } from '../core/time.fixture.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { descriptorCalls } from '../os/epoll.ts'
import { ERRNO } from '../os/libc.ts'
import { SocketAddress, tcpCalls } from '../os/tcp.ts'
import { connectionsContract, type OpenConnections, Reported } from './connections.contract.ts'
import { checkDescriptors } from './descriptor-check.ts'
import {
  DescriptorConnections,
  openDescriptorConnections,
  type Pace,
} from './descriptor-connections.ts'
import { SmallServer } from './server.fixture.ts'

type Send = (descriptor: number, bytes: Uint8Array, count: number) => number

function opened(pace?: Pace): OpenConnections {
  return (options) => {
    const connections = openDescriptorConnections(options, systemClock, pace)
    if (connections === null) throw new Error('no descriptors')
    return connections
  }
}

/** Over a kernel whose `send` is another one, and which reads so many bytes at once. */
function withFaults(receiveBytes: number, sendOf: (send: Send) => Send): OpenConnections {
  return (options) => {
    const tcp = tcpCalls(receiveBytes)
    const real = descriptorCalls(4)
    const server = SocketAddress.of(options.server.address, options.server.port)
    if (tcp === null || real === null || server === null) throw new Error('no descriptors')
    const calls = { ...real, send: sendOf(real.send) }
    const kernel = { tcp, calls, epoll: calls.openEpoll(), server }
    return new DescriptorConnections(kernel, options, systemClock, { turnMs: 1, idleMs: 1 })
  }
}

describe.if(process.platform === 'linux')('descriptors', () => {
  describe('with turns of their own', () => {
    connectionsContract(opened())
  })

  describe('that Bun reports each event of', () => {
    connectionsContract(opened({ turnMs: 0, idleMs: 0 }))
  })

  describe('that take a byte at once, and are not connected at first', () => {
    connectionsContract(
      withFaults(1_024, (send) => {
        const asked = new Set<number>()
        return (descriptor, bytes, count) => {
          if (asked.has(descriptor)) return send(descriptor, bytes, Math.min(1, count))
          asked.add(descriptor)
          return -ERRNO.EAGAIN
        }
      }),
    )
  })

  test('end with a reset where sending fails with one', async () => {
    using server = new SmallServer('hello')
    const open = withFaults(1_024, (send) => (descriptor, bytes, count) => {
      return bytes.length === 1 ? -ERRNO.EPIPE : send(descriptor, bytes, count)
    })
    using reported = new Reported(open, server.port)
    reported.beginAll()
    await until('it is answered', () => reported.received[0] === 'hello')
    reported.connections.send(0, Buffer.of(1))
    expect(reported.ends).toEqual([])
    await until('it has ended', () => reported.ends.length === 1)
    expect(reported.ends).toEqual([[0, 'reset']])
    await until('the server has seen it leave', () => server.clients.size === 0)
  })

  test('that end behind more bytes than one turn reads report the end, too', async () => {
    const receiveBytes = 1_024
    const open = withFaults(receiveBytes, (send) => send)
    using server = new SmallServer('')
    using reported = new Reported(open, server.port)
    reported.beginAll()
    await until('it has asked', () => server.asked === 1)
    const bytes = Buffer.alloc(receiveBytes * floodLimits.readsPerTurn + 1, 'x')
    server.send(bytes)
    server.cut()
    await until('it has ended', () => reported.ends.length === 1)
    expect(reported.received).toEqual([bytes.toString()])
  })

  test('are found to work', async () => {
    expect((await checkDescriptors(systemClock)).ok).toBe(true)
  })
})
