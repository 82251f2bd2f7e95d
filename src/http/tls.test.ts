// Goal: a port that speaks TLS answers as one in the clear does: in order, whole, and with its
// limits. Method: a real port with a certificate of its own, and clients of Node's TLS.

import { beforeAll, expect, test } from 'bun:test'
import { connect, type TLSSocket } from 'node:tls'
import { answersIn } from '../../scripts/support/answers.ts'
import { makeCertificate } from '../../scripts/support/certificate.ts'
import { folderOfTests } from '../../scripts/support/folder.ts'
import { get, RawClient } from '../../scripts/support/raw-client.ts'
import { until } from '../core/time.fixture.ts'
import type { Exchange } from './exchange.ts'
import { echo, listening, type TestPortOptions } from './listener.fixture.ts'

const MIB = 1024 * 1024

const folder = folderOfTests()
let certificate: { cert: string; key: string }

beforeAll(async () => {
  const { cert, key } = await makeCertificate(folder, 'port')
  certificate = { cert: await Bun.file(cert).text(), key: await Bun.file(key).text() }
})

/** A port for which every bug fails the test. */
function secured(options: TestPortOptions) {
  return listening({ certificate, ...options })
}

/** A client, what it has received, and how its connection ended. */
async function connected(port: number, text = '') {
  const socket: TLSSocket = connect({
    ...{ port, host: '127.0.0.1', rejectUnauthorized: false, allowHalfOpen: true },
  })
  const parts: Buffer[] = []
  const client = {
    socket,
    text: () => Buffer.concat(parts).toString('latin1'),
    bytes: 0,
    ending: 'open',
    [Symbol.dispose]: () => socket.destroy(),
  }
  socket.on('data', (bytes: Buffer) => {
    parts.push(bytes)
    client.bytes += bytes.length
  })
  socket.on('end', () => {
    client.ending = 'end'
    socket.end()
  })
  socket.on('error', () => {
    client.ending = 'error'
  })
  await new Promise((resolve) => socket.on('secureConnect', resolve))
  if (text !== '') socket.write(text, 'latin1')
  return client
}

test('pipelined requests and bodies are answered in order, though the client closes its half', async () => {
  await using port = secured({ handle: echo })
  const post = 'POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello'
  using client = await connected(port.port, get('/1') + post + get('/2'))
  client.socket.end()
  await until('its end', () => client.ending === 'end')
  const bodies = answersIn(client.text()).answers.map(({ body }) => body)
  expect(bodies).toEqual(['GET /1 ', 'POST /a hello', 'GET /2 '])
})

test('a large last answer reaches a client that reads slowly, whole', async () => {
  const large = 'x'.repeat(12 * MIB)
  const handle = (exchange: Exchange) => {
    exchange.reply({ status: 200, headers: { connection: 'close' }, body: large })
  }
  await using port = secured({ handle })
  using client = await connected(port.port, get('/'))
  for (let pauses = 0; pauses < 5; pauses++) {
    await until('more has come', () => client.bytes > pauses * 2 * MIB)
    client.socket.pause()
    await Bun.sleep(10)
    client.socket.resume()
  }
  await until('its end', () => client.ending !== 'open')
  expect(answersIn(client.text()).answers[0]?.body.length).toBe(large.length)
  expect(client.ending).toBe('end')
})

test('a client that sends a long body reads the answer to its head', async () => {
  const handle = (exchange: Exchange) => exchange.reply({ status: 413, body: 'too long' })
  await using port = secured({ handle })
  const bytes = 8 * MIB
  const head = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`
  using client = await connected(port.port, head)
  client.socket.write(Buffer.alloc(bytes))
  await until('its end', () => client.ending !== 'open')
  expect(answersIn(client.text()).answers).toMatchObject([{ status: 413, body: 'too long' }])
})

test('a body that no handler reads makes its client wait, and is read whole later', async () => {
  const { promise, resolve } = Promise.withResolvers<Exchange>()
  await using port = secured({ handle: resolve })
  const bytes = 32 * MIB
  const head = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`
  using client = await connected(port.port, head)
  let isSent = false
  client.socket.write(Buffer.alloc(bytes), () => {
    isSent = true
  })
  const exchange = await promise
  await Bun.sleep(100)
  expect(isSent).toBe(false)
  let read = 0
  for (let part = await exchange.readBody(); part !== null; part = await exchange.readBody()) {
    read += part.length
  }
  expect(read).toBe(bytes)
  exchange.reply({ status: 204 })
  await until('an answer', () => client.text().startsWith('HTTP/1.1 204'))
})

test('clients that speak no TLS, say nothing or leave are closed, and no others', async () => {
  const bugs: unknown[] = []
  await using port = secured({ handle: echo, headMs: () => 100, onBug: (bug) => bugs.push(bug) })
  using clear = await RawClient.open(port.port, get('/'))
  using silent = await RawClient.open(port.port)
  using hello = await RawClient.open(port.port, '\x16\x03\x01\x02\x00\x01\x00\x01')
  const left = await RawClient.open(port.port, '\x16\x03\x01')
  left.terminate()
  const half = await RawClient.open(port.port)
  half.closeSendingHalf()
  const clients = [clear, silent, hello, half]
  await until('all are closed', () => clients.every(({ end }) => end !== null))
  using client = await connected(port.port, get('/still'))
  await until('an answer', () => client.text().endsWith('GET /still '))
  client.socket.end()
  await until('its end', () => client.ending === 'end')
  expect(await port.stop(1_000)).toBe(false)
  expect(bugs).toEqual([])
})
