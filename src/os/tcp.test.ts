// Goal: an address reaches the kernel as it was written, and each call answers with its own error.
// Method: the bytes of <netinet/in.h>; sockets of this process.

import { describe, expect, test } from 'bun:test'
import { descriptorCalls } from './epoll.ts'
import { ERRNO } from './libc.ts'
import { SocketAddress, tcpCalls } from './tcp.ts'

describe('a socket address', () => {
  test.each([
    ['127.0.0.1', 8_000, '02001f407f0000010000000000000000'],
    ['10.1.2.255', 65_535, '0200ffff0a0102ff0000000000000000'],
    ['::ffff:10.1.2.3', 1, '020000010a0102030000000000000000'],
    ['::1', 8_000, '0a001f40000000000000000000000000000000000000000100000000'],
    ['fd00::1:2', 80, '0a00005000000000fd00000000000000000000000001000200000000'],
  ])('of %s and port %p is %s', (text, port, hex) => {
    expect(Buffer.from(SocketAddress.of(text, port)?.bytes ?? []).toString('hex')).toBe(hex)
  })

  test('has the port that was set last', () => {
    const address = SocketAddress.of('127.0.0.1', 1)
    address?.setPort(40_000)
    expect(address?.bytes).toEqual(SocketAddress.of('127.0.0.1', 40_000)?.bytes)
  })

  test.each(['localhost', '', '127.0.0', '1.2.3.4:5'])('is not made of %p', (text) => {
    expect(SocketAddress.of(text)).toBeNull()
  })
})

describe.if(process.platform === 'linux')('calls', () => {
  const calls = tcpCalls(16)
  const events = descriptorCalls(1)
  const loopback = SocketAddress.of('127.0.0.1', 0)
  // As on other systems, where these tests do not run.
  if (calls === null || events === null || loopback === null) return

  test('answer with the error of the kernel', () => {
    const descriptor = calls.open(loopback.family)
    try {
      expect(calls.receive(descriptor)).toBe(-ERRNO.ENOTCONN)
      expect(calls.failure(descriptor)).toBe(0)
      const elsewhere = SocketAddress.of('192.0.2.1', 0)
      expect(elsewhere && calls.bind(descriptor, elsewhere)).toBe(-ERRNO.EADDRNOTAVAIL)
    } finally {
      events.close(descriptor)
    }
    expect(calls.receive(descriptor)).toBe(-ERRNO.EBADF)
    expect(calls.failure(descriptor)).toBe(-ERRNO.EBADF)
  })

  test('listen at the port that is told, which is in use then, and accept what connects', () => {
    const options = {
      isIpv6Only: false,
      isShared: false,
      backlog: 8,
      deferSeconds: 0,
      unsentBytesMax: 65_536,
    }
    const listener = calls.listen({ address: loopback, ...options })
    const client = calls.open(loopback.family)
    try {
      expect(calls.accept(listener)).toBe(-ERRNO.EAGAIN)
      const port = calls.portOf(listener)
      const address = SocketAddress.of('127.0.0.1', port)
      if (address === null) throw new Error(`no address with port ${port}`)
      expect(calls.listen({ address, ...options })).toBe(-ERRNO.EADDRINUSE)
      calls.connect(client, address)
      const accepted = calls.accept(listener)
      expect(accepted).toBeGreaterThan(client)
      events.close(accepted)
    } finally {
      events.close(client)
      events.close(listener)
    }
  })

  test('receive no more at once than there is room for, and wait for an event', async () => {
    using server = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: { data: () => undefined, open: (socket) => void socket.write('x'.repeat(20)) },
    })
    loopback.setPort(server.port)
    const descriptor = calls.open(loopback.family)
    const epoll = events.openEpoll()
    try {
      expect(calls.connect(descriptor, loopback)).toBe(-ERRNO.EINPROGRESS)
      while (calls.receive(descriptor) === -ERRNO.EAGAIN) await Bun.sleep(1)
      expect(Buffer.from(calls.received).toString()).toBe('x'.repeat(16))
      expect(calls.receive(descriptor)).toBe(4)
      events.watch(epoll, true, descriptor, 7, 1)
      const beganMs = performance.now()
      expect(events.wait(epoll, 30)).toBe(0)
      expect(performance.now() - beganMs).toBeGreaterThan(25)
    } finally {
      events.close(descriptor)
      events.close(epoll)
    }
  })
})
