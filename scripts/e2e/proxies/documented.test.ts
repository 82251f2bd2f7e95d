// Goal: behind nginx, HAProxy and Caddy, configured as the manual says, every format works as it
// does without: messages come at once, heartbeats keep streams, a client that leaves is noticed,
// and counts by its own address. Method: Debian's proxies with the files of
// scripts/operate/proxies.

import { afterEach, describe, expect, test } from 'bun:test'
import { type CometServer, freePort, serve } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { PROXIED_FORMATS, ProxiedStream } from '../../support/proxied-streams.ts'
import { hasProxy, PROXIES, type ProxyOptions, ReverseProxy } from '../../support/proxies.ts'
import { RawClient } from '../../support/raw-client.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

/** A proxy passes on the name that clients know. */
const BEHIND = ['--anonymous']

/** What a browser asks for a WebSocket with, besides the page's origin. */
const UPGRADE = [
  ...['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'],
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]

/** Formats that have heartbeats. */
const WITH_HEARTBEATS = ['json', 'sse', 'websocket', 'events'] as const

function withProxy(name: (typeof PROXIES)[number]) {
  return test.skipIf(!hasProxy(name))
}

function open(
  name: (typeof PROXIES)[number],
  server: Pick<CometServer, 'publicPort'>,
  options: ProxyOptions = {},
): Promise<ReverseProxy> {
  return ReverseProxy.open(name, server, { isDocumented: true, ...options })
}

async function refusedByAddress(server: CometServer): Promise<number> {
  return (await server.stats()).streams.refused.address
}

describe.each(PROXIES)('behind %s', (name) => {
  withProxy(name)('messages come at once, in every format', async () => {
    await using server = await serve(BEHIND)
    await using proxy = await open(name, server)
    for (const format of PROXIED_FORMATS) {
      using stream = await ProxiedStream.open(proxy, format)
      await server.open(1)
      expect(await server.publish({ to: 'alice', body: 'first' })).toBe(1)
      // Less than what a buffer would take to fill, or a heartbeat to come.
      await stream.got('first', 5_000)
      if (format !== 'poll') {
        await server.publish({ to: 'alice', body: 'second' })
        await stream.got('second', 5_000)
      }
      stream.leave()
      await server.open(0)
    }
  })

  withProxy(name)('a client that leaves is noticed before there is a heartbeat', async () => {
    await using server = await serve([...BEHIND, '--heartbeat', '60s'])
    await using proxy = await open(name, server)
    for (const format of PROXIED_FORMATS) {
      using stream = await ProxiedStream.open(proxy, format)
      await server.open(1)
      stream.leave()
      await server.open(0, 10_000)
    }
  })

  withProxy(name)('heartbeats keep streams that are silent for longer than it allows', async () => {
    await using server = await serve([...BEHIND, '--heartbeat', '1s'])
    await using proxy = await open(name, server, { idleSeconds: 3 })
    await using cleanup = new AsyncDisposableStack()
    const streams: ProxiedStream[] = []
    for (const format of WITH_HEARTBEATS) {
      streams.push(cleanup.use(await ProxiedStream.open(proxy, format)))
    }
    using raw = await ProxiedStream.open(proxy, 'raw')
    await server.open(WITH_HEARTBEATS.length + 1)
    // It has no heartbeats, and shows how long the proxy waits.
    await raw.over()
    await Bun.sleep(3_000)
    expect(streams.filter(({ isOver }) => isOver).map(({ format }) => format)).toEqual([])
    expect(await server.publish({ to: 'alice', body: 'still there' })).toBe(WITH_HEARTBEATS.length)
    for (const stream of streams) await stream.got('still there')
  })

  withProxy(name)('streams count by the address of the client, whatever it says', async () => {
    await using server = await serve([
      ...[...BEHIND, '--max-streams-per-address', '1'],
      ...['--trusted-proxy', '127.0.0.1'],
    ])
    await using proxy = await open(name, server)
    const at = (from: string, forged?: string) => {
      const headers = forged === undefined ? {} : { 'x-forwarded-for': forged }
      return ProxiedStream.open(proxy, 'json', { from, headers })
    }
    using first = await at('127.0.0.2')
    using other = await at('127.0.0.3')
    expect([await first.status(), await other.status()]).toEqual([200, 200])
    for (const forged of [undefined, '192.0.2.1', '127.0.0.4, 127.0.0.1']) {
      using again = await at('127.0.0.2', forged)
      expect(await again.status()).toBe(429)
    }
    expect(await refusedByAddress(server)).toBe(3)
  })

  withProxy(name)('it keeps connections to the server, which closes them in time', async () => {
    await using server = await serve([...BEHIND, '--head-timeout', '1s'])
    let connections = 0
    using counted = forwarder(server.publicPort, () => connections++)
    await using proxy = await open(name, { publicPort: counted.port })
    const poll = async () => {
      const response = await fetch(`http://127.0.0.1:${proxy.port}/stream/alice?offset=-1`)
      expect(response.status).toBe(200)
      await response.text()
    }
    for (let times = 0; times < 20; times++) await poll()
    // One a process of nginx; HAProxy begins with one a client.
    expect(connections).toBeLessThan(10)
    for (let times = 0; times < 3; times++) {
      // The server closes those that wait longer than this.
      await Bun.sleep(1_500)
      await poll()
    }
  })

  withProxy(name)('pages of its own origin may open a WebSocket, others may not', async () => {
    await using server = await serve(BEHIND)
    await using proxy = await open(name, server)
    const host = `localhost:${proxy.port}`
    const headers = { host, origin: `http://${host}` }
    using own = await ProxiedStream.open(proxy, 'websocket', { headers })
    await own.got('"id"')
    const foreign = [`Host: ${host}`, 'Origin: http://evil.example', ...UPGRADE]
    using other = await RawClient.request(proxy.port, 'GET /stream/alice HTTP/1.1', foreign)
    await other.received('origin: Pages of this origin may not open the stream')
  })

  withProxy(name)('a reload of the proxy cuts no response', async () => {
    await using server = await serve(BEHIND)
    await using proxy = await open(name, server)
    await using cleanup = new AsyncDisposableStack()
    const streams: ProxiedStream[] = []
    for (const format of PROXIED_FORMATS) {
      streams.push(cleanup.use(await ProxiedStream.open(proxy, format)))
    }
    await server.open(streams.length)
    await proxy.reload()
    // The new processes take what comes from now on.
    await Bun.sleep(1_000)
    using next = await ProxiedStream.open(proxy, 'json')
    await next.got('"id"')
    const cut = streams.filter(({ isOver }) => isOver).map(({ format }) => format)
    // Caddy closes what has become another protocol.
    expect(cut).toEqual(name === 'caddy' ? ['websocket'] : [])
    await server.publish({ to: 'alice', body: 'reloaded' })
    for (const stream of [...streams, next]) if (!stream.isOver) await stream.got('reloaded')
  })

  withProxy(name)('an end of the server is told, and a death is no proper end', async () => {
    await using folder = await makeFolder()
    const port = freePort()
    const args = [...BEHIND, '--listen', `127.0.0.1:${port}`, '--db', `${folder.path}/comet.db`]
    const server = await serve(args)
    await using proxy = await open(name, server)
    using drained = await ProxiedStream.open(proxy, 'json')
    await server.open(1)
    await server.end('SIGTERM')
    await drained.got('{"end":"drained"}')
    await drained.over()
    expect(drained.hasFinalChunk).toBe(true)
    using early = await ProxiedStream.open(proxy, 'json')
    if (name === 'nginx') expect(await early.status()).toBe(502)
    await Bun.sleep(1_000)
    const second = await serve(args)
    // The others try again until the server is there.
    if (name !== 'nginx') await early.got('"id"')
    using killed = await ProxiedStream.open(proxy, 'json')
    await killed.got('"id"')
    await second.end('SIGKILL')
    await killed.over()
    // Caddy 2.6 ends what broke off as if it were whole: only what comet itself says is an end.
    expect([killed.hasFinalChunk, killed.text.includes('"end"')]).toEqual([name === 'caddy', false])
  })
})

/** Passes connections on to a port, and counts them. */
function forwarder(port: number, onConnection: () => void) {
  type Side = { other: Promise<Bun.Socket<Side>>; resolve: (socket: Bun.Socket<Side>) => void }
  const sideOf = (): Side => {
    const { promise, resolve } = Promise.withResolvers<Bun.Socket<Side>>()
    return { other: promise, resolve }
  }
  const handlers: Bun.SocketHandler<Side> = {
    data: async ({ data }, bytes) => {
      const copy = Buffer.from(bytes)
      const other = await data.other
      other.write(copy)
    },
    close: async ({ data }) => {
      const other = await data.other
      other.end()
    },
    error: () => undefined,
  }
  const listener = Bun.listen<Side>({
    ...{ hostname: '127.0.0.1', port: 0 },
    socket: {
      ...handlers,
      open: async (socket) => {
        onConnection()
        socket.data = sideOf()
        const data = sideOf()
        data.resolve(socket)
        const to = { hostname: '127.0.0.1', port, data, socket: handlers }
        socket.data.resolve(await Bun.connect<Side>(to))
      },
    },
  })
  return { port: listener.port, [Symbol.dispose]: () => listener.stop(true) }
}
