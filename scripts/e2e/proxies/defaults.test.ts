// Goal: what works and what does not behind nginx, HAProxy and Caddy with nothing but the address
// of the server, as the manual says it. Method: Debian's proxies, with the configuration files of
// their packages.

import { afterEach, describe, expect, test } from 'bun:test'
import { serve } from '../../support/comet.ts'
import { PROXIED_FORMATS, ProxiedStream } from '../../support/proxied-streams.ts'
import { hasProxy, PROXIES, ReverseProxy } from '../../support/proxies.ts'
import { RawClient } from '../../support/raw-client.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

/** What each does by itself. */
const FACTS = {
  nginx: {
    passesWebsockets: false,
    /** The name that the client asked for; nginx says the address of the server instead. */
    passesHost: false,
    /** That a client of HTTP/1.1 has left, before there is anything to send to it. */
    tellsLeaving: true,
    /** That an answer broke off: nginx asks by HTTP/1.0, of which an answer has no end. */
    tellsCuts: false,
    passesAddress: false,
  },
  haproxy: {
    ...{ passesWebsockets: true, passesHost: true, tellsLeaving: false, tellsCuts: true },
    passesAddress: false,
  },
  caddy: {
    ...{ passesWebsockets: true, passesHost: true, tellsLeaving: true, tellsCuts: false },
    passesAddress: true,
  },
} as const

describe.each(PROXIES)('behind %s as it is', (name) => {
  const withProxy = test.skipIf(!hasProxy(name))
  const facts = FACTS[name]

  withProxy('messages come at once, in every format that it passes', async () => {
    await using server = await serve(['--anonymous'])
    await using proxy = await ReverseProxy.open(name, server)
    for (const format of PROXIED_FORMATS) {
      using stream = await ProxiedStream.open(proxy, format)
      if (format === 'websocket' && !facts.passesWebsockets) {
        await stream.over()
        expect(stream.text).toBe('')
        continue
      }
      await server.open(1)
      await server.publish({ to: 'alice', body: 'first' })
      await stream.got('first', 5_000)
      stream[Symbol.dispose]()
      // HAProxy notices with the next bytes.
      await server.publish({ to: 'alice', body: 'x'.repeat(4_000) })
      await server.publish({ to: 'alice', body: 'x'.repeat(4_000) })
      await server.open(0)
    }
  })

  withProxy('heartbeats find out who has left, if it does not tell', async () => {
    await using server = await serve(['--anonymous', '--heartbeat', '3s'])
    await using proxy = await ReverseProxy.open(name, server)
    using stream = await ProxiedStream.open(proxy, 'sse')
    await server.open(1)
    stream[Symbol.dispose]()
    await Bun.sleep(1_000)
    expect((await server.stats()).streams.open).toBe(facts.tellsLeaving ? 0 : 1)
    await server.open(0)
  })

  withProxy('a server for its own machine alone refuses the names that it passes on', async () => {
    await using server = await serve()
    await using proxy = await ReverseProxy.open(name, server)
    const headers = { host: 'push.example' }
    using stream = await ProxiedStream.open(proxy, 'json', { headers })
    expect(await stream.status()).toBe(facts.passesHost ? 421 : 200)
  })

  withProxy('a server that dies looks as if it had ended, or not', async () => {
    await using server = await serve(['--anonymous'])
    await using proxy = await ReverseProxy.open(name, server)
    using stream = await ProxiedStream.open(proxy, 'json')
    await stream.got('"id"')
    await server.end('SIGKILL')
    await stream.over()
    expect(stream.hasFinalChunk).toBe(!facts.tellsCuts)
  })

  withProxy('all clients have one address, or their own', async () => {
    await using server = await serve([
      ...['--anonymous', '--max-streams-per-address', '1', '--trusted-proxy', '127.0.0.1'],
    ])
    await using proxy = await ReverseProxy.open(name, server)
    using first = await ProxiedStream.open(proxy, 'json', { from: '127.0.0.2' })
    expect(await first.status()).toBe(200)
    using second = await ProxiedStream.open(proxy, 'json', { from: '127.0.0.3' })
    expect(await second.status()).toBe(facts.passesAddress ? 200 : 429)
  })

  withProxy('what a client says of its address counts if the proxy passes it on', async () => {
    await using server = await serve([
      ...['--anonymous', '--max-streams-per-address', '1', '--trusted-proxy', '127.0.0.1'],
    ])
    await using proxy = await ReverseProxy.open(name, server)
    await using cleanup = new AsyncDisposableStack()
    const statusFor = async (address: string) => {
      const headers = ['Host: localhost', `X-Forwarded-For: ${address}`]
      const asked = RawClient.request(proxy.port, 'GET /stream/alice HTTP/1.1', headers)
      return (await cleanup.use(await asked).headed()).status
    }
    expect(await statusFor('192.0.2.1')).toBe(200)
    expect(await statusFor('192.0.2.1')).toBe(429)
    expect(await statusFor('192.0.2.2')).toBe(facts.passesAddress ? 429 : 200)
  })
})
