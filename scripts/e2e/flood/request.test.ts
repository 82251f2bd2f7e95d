// Goal: flood asks as it was told to, by HTTP with fields of its own and by WebSocket, and answers
// what a WebSocket's server wants answered. Method: the executable against servers that keep what
// they get.

import { describe, expect, test } from 'bun:test'
import { stampedText } from '../../../src/core/stamp.ts'
import { waitFor } from '../../support/child-process.ts'
import { run, start } from '../../support/comet.ts'
import { chunk } from '../../support/raw-client.ts'
import { floodReport } from '../../support/reports.ts'

describe('--header', () => {
  /** The lines of the request that flood sends with these options. */
  async function requested(...options: string[]): Promise<string[]> {
    const requests: string[] = []
    using server = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: {
        data: (socket, bytes) => {
          requests.push(bytes.toString('latin1'))
          socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('x')}`)
        },
      },
    })
    const url = `http://127.0.0.1:${server.port}/at/{id}?of={id}`
    const flooding = ['flood', url, '--connections', '1', '--first-id', '7', '--hold', '1ms']
    expect((await run([...flooding, ...options])).exitCode).toBe(0)
    expect(requests).toHaveLength(1)
    const text = requests[0] ?? ''
    expect(text).toEndWith('\r\n\r\n')
    return text.trimEnd().replaceAll(String(server.port), 'PORT').split('\r\n')
  }

  test('may be repeated; each field is sent, in order, after those that flood needs', async () => {
    const fields = ['--header', 'TE: chunked', '--header', 'Cookie:a=b; c="d: e"', '--header']
    expect(await requested(...fields, 'TE: trailers')).toEqual([
      'GET /at/7?of=7 HTTP/1.1',
      'Host: 127.0.0.1:PORT',
      'User-Agent: comet-flood',
      'TE: chunked',
      'Cookie: a=b; c="d: e"',
      'TE: trailers',
    ])
  })

  test('takes the place of a field that flood sends by itself', async () => {
    const fields = ['--header', 'host: example.org', '--header', 'USER-AGENT: mine']
    expect(await requested(...fields)).toEqual([
      'GET /at/7?of=7 HTTP/1.1',
      'host: example.org',
      'USER-AGENT: mine',
    ])
  })

  test.each(['nonsense', ': value', 'a b: c', 'X: a\r\nY: b', 'X: a\nY: b'])(
    '%j is an error',
    async (header) => {
      const { exitCode, stdout, stderr } = await run(['flood', '--header', header])
      expect([exitCode, stdout]).toEqual([2, ''])
      expect(stderr).toContain('a name, a colon and a value')
    },
  )

  test('--framing that is none is an error', async () => {
    const { exitCode, stderr } = await run(['flood', '--framing', 'frames'])
    expect(exitCode).toBe(2)
    expect(stderr).toContain('one of auto, chunk, line, sse')
  })
})

describe('of a WebSocket', () => {
  /** Bun's own, whose sockets are known by the user in their path. */
  class WebSocketServer implements Disposable {
    readonly sockets = new Map<number, Bun.ServerWebSocket<number>>()
    /** The payload of each pong. */
    readonly pongs: string[] = []
    readonly cookies: (string | null)[] = []
    readonly #server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: (request, server) => {
        this.cookies.push(request.headers.get('cookie'))
        const user = Number(new URL(request.url).pathname.split('/')[2])
        if (user !== 13 && server.upgrade(request, { data: user })) return
        return new Response('not here', { status: 403 })
      },
      websocket: {
        data: 0,
        // Bun must not ping by itself: each pong here has its ping in the test.
        sendPings: false,
        open: (socket) => {
          this.sockets.set(socket.data, socket)
        },
        message: () => undefined,
        pong: (_socket, payload) => {
          this.pongs.push(payload.toString())
        },
      },
    })

    get url(): string {
      return `ws://127.0.0.1:${this.#server.port}/sub/{id}`
    }

    send(user: number, text: string): void {
      this.sockets.get(user)?.send(text)
    }

    [Symbol.dispose](): void {
      this.#server.stop(true)
    }
  }

  const stamped = (sequence: number) => {
    return stampedText(sequence, { generator: 5, sequence, dueMicros: Date.now() * 1000 })
  }

  test('frames are messages, a ping is answered, and what came twice is named', async () => {
    using server = new WebSocketServer()
    const options = ['--connections', '4', '--header', 'Cookie: a=b', '--json']
    await using flooding = start(['flood', server.url, ...options])
    await waitFor('the streams', () => server.sockets.size === 4)
    expect(server.cookies).toEqual(['a=b', 'a=b', 'a=b', 'a=b'])
    for (const [user, socket] of server.sockets) socket.ping(`are you there, ${user}?`)
    await waitFor('the pongs', () => server.pongs.length === 4)
    expect(server.pongs.toSorted()[3]).toBe('are you there, 4?')
    server.send(1, stamped(1))
    server.send(2, 'hello')
    // Long enough for a frame whose length takes two bytes more, and one whose takes eight.
    server.send(3, `${'.'.repeat(500)}${stamped(2)}`)
    server.send(4, `${'.'.repeat(100_000)}${stamped(3)}`)
    for (const sequence of [5, 5, 4]) server.send(4, stamped(sequence))
    // An empty ping has an answer, too.
    server.sockets.get(1)?.ping()
    await waitFor('the last pong', () => server.pongs.length === 5)
    flooding.kill('SIGINT')
    const flooded = await flooding.finished
    expect(flooded.exitCode).toBe(1)
    const { connections, received, examples, errors } = floodReport(flooded)
    expect(connections).toEqual({ wanted: 4, opened: 4, failed: 0, closed: 0 })
    expect(received).toMatchObject({ chunks: 7, messages: 6, duplicated: 1, reordered: 1 })
    expect(examples).toEqual([
      { wrong: 'duplicated', id: 4, generator: 5, sequence: 5 },
      { wrong: 'reordered', id: 4, generator: 5, sequence: 4 },
    ])
    expect(errors).toEqual({})
  })

  test('one that closes has ended, and an answer that is none has failed', async () => {
    using server = new WebSocketServer()
    const options = ['--connections', '2', '--first-id', '12', '--json']
    await using flooding = start(['flood', server.url, ...options])
    await waitFor('the stream', () => server.sockets.size === 1)
    server.sockets.get(12)?.close(1000, 'enough')
    // Both are over now, so that the run is.
    const flooded = await flooding.finished
    expect(flooded.exitCode).toBe(1)
    const { connections, errors } = floodReport(flooded)
    expect(connections).toEqual({ wanted: 2, opened: 1, failed: 1, closed: 1 })
    expect(errors).toEqual({ ended: 1, status_403: 1 })
  })

  test('--framing is invalid', async () => {
    const { exitCode, stderr } = await run(['flood', 'ws://127.0.0.1:1/{id}', '--framing', 'sse'])
    expect(exitCode).toBe(2)
    expect(stderr).toContain('leave out --framing sse')
  })
})
