// Goal: whatever is at an address, the first words with it say what it is, and never take longer
// than they may. Method: small servers that are almost Redis, or nothing of the kind.

import { afterEach, describe, expect, test } from 'bun:test'
import { makeCertificate } from '../../scripts/support/certificate.ts'
import { freePort } from '../../scripts/support/comet.ts'
import { folderOfTests } from '../../scripts/support/folder.ts'
import type { RedisAddress } from '../core/redis-address.ts'
import { greet } from './redis-greeting.ts'

/** For what is answered. */
const PATIENT_MS = 10_000
/** For what is never answered. */
const SHORT_MS = 200

const folder = folderOfTests()

let servers: Disposable[] = []

afterEach(() => {
  for (const server of servers) server[Symbol.dispose]()
  servers = []
})

interface ServerOptions {
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Does it close a connection when it has said this? */
  readonly closes?: boolean
}

/** A server that sends this once it has received something; returns its port. */
function serverSaying(text: string | Uint8Array, options: ServerOptions = {}): number {
  const { tls, closes = false } = options
  const server = Bun.listen({
    // So that 127.0.0.2, which no certificate names, is the same one.
    ...{ hostname: '0.0.0.0', port: 0 },
    ...(tls === undefined ? {} : { tls: { cert: Bun.file(tls.cert), key: Bun.file(tls.key) } }),
    socket: {
      data(socket) {
        socket.write(text)
        if (closes) socket.end()
      },
    },
  })
  servers.push({ [Symbol.dispose]: () => server.stop(true) })
  return server.port
}

function addressOf(port: number, other: Partial<RedisAddress> = {}): RedisAddress {
  const login = { user: null, password: null, authorities: null }
  return { host: '127.0.0.1', port, database: 0, isTls: false, ...login, ...other }
}

function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`
}

const INFO = '# Server\r\nredis_version:7.4.1\r\nredis_mode:standalone\r\n'

describe('a Redis', () => {
  test('is greeted, in whatever pieces its answers come', async () => {
    const server = Bun.listen({
      ...{ hostname: '127.0.0.1', port: 0 },
      socket: {
        async data(socket) {
          for (const character of `+PONG\r\n${bulk(INFO)}`) {
            socket.write(character)
            socket.flush()
            await Bun.sleep(0)
          }
        },
      },
    })
    servers.push({ [Symbol.dispose]: () => server.stop(true) })
    const greeting = await greet(addressOf(server.port), PATIENT_MS)
    if (!greeting.ok) throw new Error(greeting.why.why)
    expect(greeting.value.asksForPassword).toBe(false)
    expect(greeting.value.server?.get('redis_version')).toBe('7.4.1')
  })

  test('gets a password byte for byte', async () => {
    const { promise: said, resolve } = Promise.withResolvers<string>()
    const server = Bun.listen({
      ...{ hostname: '127.0.0.1', port: 0 },
      socket: {
        data(socket, bytes) {
          resolve(bytes.toString())
          socket.write(`-NOAUTH Authentication required.\r\n+OK\r\n${bulk(INFO)}`)
        },
      },
    })
    servers.push({ [Symbol.dispose]: () => server.stop(true) })
    const login = { user: 'comet', password: 'a b"ü' }
    const greeting = await greet(addressOf(server.port, login), PATIENT_MS)
    expect(greeting).toMatchObject({ ok: true, value: { asksForPassword: true } })
    expect(await said).toContain('*3\r\n$4\r\nAUTH\r\n$5\r\ncomet\r\n$6\r\na b"ü\r\n')
  })

  test('may keep from a user what it is', async () => {
    const port = serverSaying('-NOPERM this user has no permissions\r\n-NOPERM nor here\r\n')
    const greeting = await greet(addressOf(port), PATIENT_MS)
    expect(greeting).toEqual({ ok: true, value: { asksForPassword: false, server: null } })
  })

  test.each([
    ['DENIED Redis is in protected mode', 'protocol', 'refused, DENIED'],
    ['ERR max number of clients reached', 'protocol', 'refused, ERR'],
    ['NOAUTH Authentication required.', 'login', 'it asks for a password'],
  ])('that says %p is not entered', async (text, step, why) => {
    const port = serverSaying(`-${text}\r\n`, { closes: true })
    expect(await greet(addressOf(port), PATIENT_MS)).toMatchObject({
      ok: false,
      why: { step, why },
    })
  })

  test('may not put control characters on a terminal, nor fill it', async () => {
    const port = serverSaying(`-ERR \u001b[2J${'x'.repeat(1_000)}\r\n`)
    const greeting = await greet(addressOf(port), PATIENT_MS)
    if (greeting.ok) throw new Error('it has refused')
    expect(greeting.why.cure).toMatch(/^see what it says: "ERR \?\[2Jx{100,200}"$/)
  })

  test('is no Sentinel', async () => {
    const port = serverSaying(`+PONG\r\n${bulk(INFO.replace('standalone', 'sentinel'))}`)
    expect(await greet(addressOf(port), PATIENT_MS)).toMatchObject({
      why: { step: 'protocol', why: 'a Sentinel' },
    })
  })
})

describe('what is no Redis', () => {
  test.each([
    ['another greeting', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['another protocol that begins like it', '+OK hello\r\n'],
    ['an answer without a version', `+PONG\r\n${bulk('hello')}`],
    ['an answer that is too long', `+PONG\r\n$999999999\r\n`],
    ['an answer whose length is none', `+PONG\r\n$-1\r\n`],
    ['bytes', Uint8Array.of(0, 255, 0, 255)],
  ])('by %s is told apart', async (_, text) => {
    const greeting = await greet(addressOf(serverSaying(text)), PATIENT_MS)
    expect(greeting).toMatchObject({ why: { step: 'protocol', why: 'something else' } })
  })

  test('since it closes the connection, is told apart', async () => {
    const port = serverSaying('', { closes: true })
    expect(await greet(addressOf(port), PATIENT_MS)).toMatchObject({
      why: { step: 'protocol', why: 'it closed it', cure: 'if it has TLS, give rediss://' },
    })
  })

  test.each([
    ['nothing', '', false, 'protocol', 'no answer in 200 ms'],
    ['half an answer', '+PO', false, 'protocol', 'something else'],
    ['nothing to TLS', '', true, 'TLS', 'no answer in 200 ms'],
  ])('that says %s keeps nobody waiting', async (_, text, isTls, step, why) => {
    const address = addressOf(serverSaying(text), { isTls })
    expect(await greet(address, SHORT_MS)).toMatchObject({ why: { step, why } })
  })

  test('because nothing listens, is said', async () => {
    expect(await greet(addressOf(freePort()), PATIENT_MS)).toMatchObject({
      why: { step: 'connection', why: 'nothing listens there' },
    })
  })
})

describe('TLS', () => {
  test.each([
    ['speaks another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['is a web server', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['closes the connection', ''],
  ])('is not there where a server %s', async (_, text) => {
    const address = addressOf(serverSaying(text, { closes: true }), { isTls: true })
    expect(await greet(address, PATIENT_MS)).toMatchObject({
      why: { step: 'TLS', why: 'no TLS there', cure: 'give the port of TLS, or redis:// for none' },
    })
  })

  test('is refused by the wrong authority, for another name, and by a damaged one', async () => {
    const tls = await makeCertificate(folder, 'own')
    const port = serverSaying(`+PONG\r\n${bulk(INFO)}`, { tls })
    const authorities = await Bun.file(tls.cert).text()
    const own = addressOf(port, { isTls: true, authorities })
    expect(await greet(own, PATIENT_MS)).toMatchObject({ ok: true })
    const damaged = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'
    for (const [other, why] of [
      [{ authorities: null }, 'signed by nobody who is trusted here'],
      [{ host: '127.0.0.2' }, 'the certificate is for another name'],
      [{ authorities: damaged }, 'not possible'],
    ] as const) {
      const greeting = await greet({ ...own, ...other }, PATIENT_MS)
      expect(greeting).toMatchObject({ why: { step: 'TLS', why } })
    }
  })
})
