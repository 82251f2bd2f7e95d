// Goal: connections that were never answered are cut once they are old enough, and no others.
// Method: real servers on free ports; each test waits for the cut of one connection that must be,
// and then looks at the older one that must not be.

import { describe, expect, test } from 'bun:test'
import { until } from '../core/time.fixture.ts'
import { RawClient } from '../transport/client.fixture.ts'
import { type TcpSockets, tcpSockets } from './sockets.ts'

const LOOPBACK = '127.0.0.1'
const OTHER = '127.0.0.2'

/** Old enough to be cut, in milliseconds. */
const OLD_MS = 10
const NEVER_MS = 60_000

/** Above any descriptor that a test has. */
const LAST = 4_095

function serverAt(hostname: string, port = 0) {
  return Bun.serve({ hostname, port, development: false, fetch: () => new Response('yes') })
}

/** Two servers with the same port number at the two addresses. */
function twins() {
  for (;;) {
    const first = serverAt(LOOPBACK)
    try {
      return { first, second: serverAt(OTHER, first.port), port: first.port ?? 0 }
    } catch {
      // Somebody else has the number at the other address; another one will be free.
      first.stop(true)
    }
  }
}

function opened(): TcpSockets {
  const sockets = tcpSockets()
  if (sockets === null) throw new Error('there is no C library')
  return sockets
}

function isOpen(client: RawClient): boolean {
  return client.ending === 'open'
}

/** Asks, and settles when there is one more answer. */
async function answered(client: RawClient): Promise<void> {
  const count = () => `${client.head}${client.rest}`.split('200 OK').length
  const before = count()
  client.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n')
  await until('an answer has come', () => count() > before)
}

describe.skipIf(process.platform !== 'linux')('cutUnanswered', () => {
  test('cuts a connection that is old enough, and its client sees the end', async () => {
    const sockets = opened()
    let closed = 0
    using server = Bun.listen({
      hostname: LOOPBACK,
      port: 0,
      socket: { data: () => undefined, close: () => void closed++ },
    })
    const address = { hostname: LOOPBACK, port: server.port }
    using client = await RawClient.connect(server.port)
    // Half a head is no request.
    client.send('GET / HTTP/1.1\r\n')
    await until('it is cut', () => sockets.cutUnanswered(address, OLD_MS, 0, LAST) === 1)
    await until('both ends saw it', () => !isOpen(client) && closed === 1)
    expect(client.ending).toBe('cut')
    expect(sockets.cutUnanswered(address, 0, 0, LAST)).toBe(0)
  })

  test('cuts all that are old enough at once', async () => {
    const sockets = opened()
    await using server = serverAt(LOOPBACK)
    const port = server.port ?? 0
    const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.connect(port)))
    let cut = 0
    await until('all are cut', () => {
      cut += sockets.cutUnanswered({ hostname: LOOPBACK, port }, OLD_MS, 0, LAST)
      return cut === clients.length
    })
    await until('all saw it', () => !clients.some(isOpen))
    // The server goes on.
    using next = await RawClient.connect(port)
    await answered(next)
  })

  test('leaves one that is too young', async () => {
    const sockets = opened()
    await using server = serverAt(LOOPBACK)
    const address = { hostname: LOOPBACK, port: server.port ?? 0 }
    using client = await RawClient.connect(address.port)
    expect(sockets.cutUnanswered(address, NEVER_MS, 0, LAST)).toBe(0)
    await answered(client)
    expect(isOpen(client)).toBe(true)
  })

  test('leaves one that was answered, however old it is', async () => {
    const sockets = opened()
    await using server = serverAt(LOOPBACK)
    const address = { hostname: LOOPBACK, port: server.port ?? 0 }
    using client = await RawClient.connect(address.port)
    await answered(client)
    using younger = await RawClient.connect(address.port)
    await until('it is cut', () => sockets.cutUnanswered(address, OLD_MS, 0, LAST) === 1)
    await until('its client saw it', () => !isOpen(younger))
    await answered(client)
    expect(isOpen(client)).toBe(true)
  })

  test('leaves one at another address with the same port number', async () => {
    const sockets = opened()
    const { first, second, port } = twins()
    await using _first = first
    await using _second = second
    using client = await RawClient.connect(port, OTHER)
    using younger = await RawClient.connect(port, LOOPBACK)
    const cut = (hostname: string) => sockets.cutUnanswered({ hostname, port }, OLD_MS, 0, LAST)
    await until('the one is cut', () => cut(LOOPBACK) === 1)
    await until('its client saw it', () => !isOpen(younger))
    expect(isOpen(client)).toBe(true)
    expect(cut(OTHER)).toBe(1)
    await until('the other client saw it', () => !isOpen(client))
  })

  test('leaves one at another port', async () => {
    const sockets = opened()
    await using server = serverAt(LOOPBACK)
    await using other = serverAt(LOOPBACK)
    const [port = 0, otherPort = 0] = [server.port, other.port]
    using client = await RawClient.connect(otherPort)
    using younger = await RawClient.connect(port)
    const address = { hostname: LOOPBACK, port }
    await until('the one is cut', () => sockets.cutUnanswered(address, OLD_MS, 0, LAST) === 1)
    await until('its client saw it', () => !isOpen(younger))
    await answered(client)
  })

  test('takes 0.0.0.0 for any address', async () => {
    const sockets = opened()
    await using server = serverAt('0.0.0.0')
    const address = { hostname: '0.0.0.0', port: server.port ?? 0 }
    using client = await RawClient.connect(address.port, OTHER)
    await until('it is cut', () => sockets.cutUnanswered(address, OLD_MS, 0, LAST) === 1)
    await until('its client saw it', () => !isOpen(client))
  })

  test('looks at the descriptors that it was told, and at no others', async () => {
    const sockets = opened()
    await using server = serverAt(LOOPBACK)
    const address = { hostname: LOOPBACK, port: server.port ?? 0 }
    using client = await RawClient.connect(address.port)
    const cutAt: number[] = []
    await until('it is cut', () => {
      for (let descriptor = 0; descriptor <= 255; descriptor++) {
        const cut = sockets.cutUnanswered(address, OLD_MS, descriptor, descriptor)
        if (cut > 0) cutAt.push(descriptor)
      }
      return cutAt.length > 0
    })
    await until('its client saw it', () => !isOpen(client))
    expect(cutAt).toHaveLength(1)
  })
})
