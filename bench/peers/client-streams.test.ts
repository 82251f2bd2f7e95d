// A stream that cannot be read counts once, and its place is another's. Method: brokers of MQTT on
// loopback that answer each connection with the same bytes.

import { expect, test } from 'bun:test'
import { waitFor } from '../../scripts/support/child-process.ts'
import { PeerStreams } from './client-streams.ts'

const REFUSED = '\x20\x02\x00\x05'
const CONNECTED = '\x20\x02\x00\x00'
const SUBSCRIBED = '\x90\x03\x00\x01\x00'

interface Broker extends Disposable {
  readonly url: URL
  /** Connections that clients have closed. */
  closed: number
}

function brokerThatSays(answer: string, next = ''): Broker {
  const listener = Bun.listen<{ answers: string[] }>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open: (socket) => {
        socket.data = { answers: [answer, next] }
      },
      data: (socket) => {
        socket.write(Buffer.from(socket.data.answers.shift() ?? '', 'latin1'))
      },
      close: () => {
        broker.closed++
      },
    },
  })
  const broker: Broker = {
    url: new URL(`mqtt://127.0.0.1:${listener.port}`),
    closed: 0,
    [Symbol.dispose]: () => listener.stop(true),
  }
  return broker
}

function streamsAt({ url }: Broker): PeerStreams {
  return new PeerStreams({ protocol: 'mqtt', url, connections: 3, firstId: 1, pendingMax: 1 })
}

test('streams that are refused have failed once each, and their connections are closed', async () => {
  using broker = brokerThatSays(REFUSED)
  const streams = streamsAt(broker)
  await waitFor('closed connections', () => broker.closed === 3, 5_000)
  expect(streams.stats.counters).toMatchObject({ opened: 0, failed: 3, settled: 3, closed: 0 })
  expect(streams.stats.errors).toEqual({ refused: 3 })
  streams.close()
})

test('a stream that breaks the protocol once it is open is closed, and counts once', async () => {
  using broker = brokerThatSays(CONNECTED, `${SUBSCRIBED}\xe0\x00`)
  const streams = streamsAt(broker)
  await waitFor('closed connections', () => broker.closed === 3, 5_000)
  expect(streams.stats.counters).toMatchObject({ opened: 3, failed: 0, settled: 3, closed: 3 })
  expect(streams.stats.errors).toEqual({ bad_packet: 3 })
  streams.close()
})

test('streams that the server ends count once', async () => {
  using broker = brokerThatSays(CONNECTED, SUBSCRIBED)
  const streams = streamsAt(broker)
  await waitFor('open streams', () => streams.stats.counters.opened === 3, 5_000)
  broker[Symbol.dispose]()
  await waitFor('closed streams', () => streams.stats.counters.closed === 3, 5_000)
  expect(streams.stats.counters).toMatchObject({ opened: 3, failed: 0, settled: 3 })
  streams.close()
})
