// Goal: nothing is lost or kept without a bound between the connection and who takes the messages,
// and a stream that is closed leaves nothing behind. Method: a real server, over sockets.

import { describe, expect, test } from 'bun:test'
import { until } from '../core/time.fixture.ts'
import type { CometMessage } from './api.ts'
import { connect } from './comet.ts'
import { QUICK, Received } from './received.fixture.ts'
import { StreamServer } from './server.fixture.ts'

const bodies = (count: number) => Array.from({ length: count }, (_, at) => `m${at}`)

function publish(server: StreamServer, count: number): void {
  for (const body of bodies(count)) server.publish({ to: 'alice', body })
}

describe('an iterator', () => {
  test.each(['websocket', 'sse', 'poll'] as const)(
    'that is slow has the %s connection dropped, and gets all in the end',
    async (format) => {
      using server = new StreamServer()
      const stream = connect(`${server.url}/stream/alice`, { ...QUICK, format, queueMax: 10 })
      await until('it is open', () => stream.state === 'open')
      publish(server, 25)
      await until('it is paused', () => stream.state === 'paused')
      await until('there is no connection', () => server.held === 0)
      publish(server, 15)
      const got: string[] = []
      for await (const { body = '', id } of stream) {
        got.push(body)
        expect(stream.cursor).toBe(id)
        if (got.length === 40) break
      }
      expect(got).toEqual([...bodies(25), ...bodies(15)])
      expect(stream.state).toBe('closed')
    },
  )

  test('has the messages that came before it was there', async () => {
    using server = new StreamServer()
    const stream = connect(`${server.url}/stream/alice`, QUICK)
    await until('it is open', () => stream.state === 'open')
    const start = stream.cursor
    publish(server, 3)
    await until('the last has come', () => server.held === 1)
    await Bun.sleep(20)
    // Nothing has been handed out yet.
    expect(stream.cursor).toBe(start)
    const got: string[] = []
    for await (const { body = '' } of stream) if (got.push(body) === 3) break
    expect(got).toEqual(bodies(3))
    await until('the connection is closed', () => server.held === 0)
  })

  test('ends when the stream is closed or aborted, also while it waits', async () => {
    using server = new StreamServer()
    const controller = new AbortController()
    const { signal } = controller
    using closed = new Received(`${server.url}/stream/alice`)
    using aborted = new Received(`${server.url}/stream/alice`, { signal })
    await Promise.all([closed.opened(), aborted.opened()])
    closed.stream.close()
    controller.abort()
    await until('both have ended', () => closed.ended === 'end' && aborted.ended === 'end')
    await until('the connections are closed', () => server.held === 0)
    expect([closed.count('close'), aborted.count('close')]).toEqual([1, 1])
    using never = new Received(`${server.url}/stream/alice`, { signal })
    expect(never.stream.state).toBe('closed')
    expect(server.asked).toHaveLength(2)
  })
})

describe('listeners', () => {
  test('get what came before them, and each event by its name', async () => {
    using server = new StreamServer()
    const stream = connect(`${server.url}/stream/alice`, QUICK)
    await until('it is open', () => stream.state === 'open')
    server.publish({ to: 'alice', event: 'typing', body: 'm1' })
    server.publish({ to: 'alice', event: 'error', body: 'm2' })
    server.publish({ to: 'alice', body: 'm3' })
    await Bun.sleep(20)
    const got: string[] = []
    const take = ({ type, detail }: CustomEvent<CometMessage>) => got.push(`${type} ${detail.body}`)
    stream.addEventListener('message', take)
    stream.addEventListener('typing', take)
    stream.addEventListener('error', ({ detail }) => got.push(`error ${detail}`))
    await until('all have come', () => got.length === 4)
    server.publish({ to: 'alice', event: 'typing', body: 'm4' })
    await until('the next has come', () => got.length === 6)
    stream.close()
    expect(got).toEqual([
      ...['message m1', 'typing m1', 'message m2', 'message m3'],
      ...['message m4', 'typing m4'],
    ])
  })

  test('without an iterator nothing is queued', async () => {
    using server = new StreamServer()
    const stream = connect(`${server.url}/stream/alice`, { ...QUICK, queueMax: 10 })
    let count = 0
    stream.addEventListener('message', () => count++)
    await until('it is open', () => stream.state === 'open')
    publish(server, 100)
    await until('all have come', () => count === 100)
    expect(stream.state).toBe('open')
    stream.close()
  })
})
