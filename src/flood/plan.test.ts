// Goal: the shares of a flood add up to it; a URL is read or refused with a reason; churn and
// reconnects keep their pace. Method: properties over any numbers, and tables.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { floodLimits } from '../core/tool-limits.ts'
import {
  type Circumstances,
  churnedCount,
  type FloodOptions,
  parseTemplate,
  plainBehaviour,
  reconnectDelayMs,
  type Share,
  sharesOf,
} from './plan.ts'

const RESERVE = floodLimits.reserveDescriptors
/** The fewest open files that a process may have. */
const FILES_MIN = RESERVE + floodLimits.connectionsPerProcessMin

const BEHAVIOUR = plainBehaviour({
  protocol: 'http',
  host: 'h:1',
  address: '127.0.0.1',
  port: 1,
  pathTemplate: '/test/{id}',
})

const OPTIONS: FloodOptions = {
  behaviour: BEHAVIOUR,
  connections: 10,
  firstId: 1,
  ratePerSecond: null,
  pendingMax: 256,
  sources: null,
  durationMs: null,
  storm: null,
  holdMs: null,
  inOwnProcess: false,
}

function under(openFilesLimit: number, portOffset = 0): Circumstances {
  return { openFilesLimit, portOffset, onDescriptors: true }
}

/** The shares of a run that is possible. */
function dealt(options: Partial<FloodOptions>, openFilesLimit: number, portOffset = 0): Share[] {
  const shares = sharesOf({ ...OPTIONS, ...options }, under(openFilesLimit, portOffset))
  if (!shares.ok) throw new Error(shares.why)
  return shares.value
}

describe('sharesOf', () => {
  test('is one share as long as the open files last', () => {
    expect(dealt({ connections: 100 }, 100 + RESERVE, 7)).toEqual([
      {
        behaviour: BEHAVIOUR,
        connections: 100,
        firstId: 1,
        ratePerSecond: null,
        pendingMax: 256,
        storm: null,
        sources: ['127.0.1.1'],
        onDescriptors: true,
        portOffset: 7,
      },
    ])
    expect(dealt({ connections: 101 }, 100 + RESERVE, 7)).toHaveLength(2)
  })

  test('divides connections, users and rate, and each process keeps to its open files', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2_000_000 }),
        // Fewer open files would take more processes than a run may have.
        fc.integer({ min: 2_100, max: 1_048_576 }),
        fc.integer({ min: 1, max: 1_000_000 }),
        (connections, limit, firstId) => {
          const shares = dealt({ connections, firstId, ratePerSecond: 500 }, limit)
          const sizes = shares.map((share) => share.connections)
          expect(sizes.reduce((sum, size) => sum + size)).toBe(connections)
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
          expect(Math.max(...sizes)).toBeLessThanOrEqual(limit - RESERVE)
          const rates = shares.map(({ ratePerSecond }) => ratePerSecond ?? 0)
          expect(rates.reduce((sum, rate) => sum + rate)).toBeCloseTo(500, 6)
          let next = firstId
          for (const share of shares) {
            expect(share.firstId).toBe(next)
            next += share.connections
          }
        },
      ),
    )
  })

  test('gives no two processes the same local end, before the ports run out', () => {
    const options = { connections: 5_001, sources: ['127.0.1.1', '127.0.1.2'] }
    const shares = dealt(options, 1_000 + RESERVE, 11)
    for (const [at, share] of shares.entries()) {
      const ports = Math.ceil(share.connections / 2)
      const next = shares[at + 1]
      if (next !== undefined) expect(share.portOffset + ports).toBeLessThanOrEqual(next.portOffset)
    }
    expect(shares[0]?.portOffset).toBe(11)
  })

  test('lets each process await a connection, however many there are', () => {
    const connections = 200 * floodLimits.connectionsPerProcessMin
    const shares = dealt({ connections }, FILES_MIN)
    expect(shares).toHaveLength(200)
    expect(new Set(shares.map((share) => share.pendingMax))).toEqual(new Set([1]))
  })

  test('leaves local ends to the kernel where the server is elsewhere', () => {
    const target = { ...BEHAVIOUR.target, address: '10.0.0.1' }
    expect(dealt({ behaviour: { ...BEHAVIOUR, target } }, 1000)[0]?.sources).toEqual([])
  })

  test.each([0, RESERVE, FILES_MIN - 1])('is not possible with %p open files', (limit) => {
    expect(sharesOf(OPTIONS, under(limit))).toEqual({
      ok: false,
      why: `a process may have ${limit} files open; raise that with ulimit -n`,
    })
  })

  test('takes no more processes than a run may have', () => {
    const connections = floodLimits.processesMax * floodLimits.connectionsPerProcessMin
    const shares = dealt({ connections }, FILES_MIN)
    expect(shares).toHaveLength(floodLimits.processesMax)
    expect(sharesOf({ ...OPTIONS, connections: connections + 1 }, under(FILES_MIN))).toEqual({
      ok: false,
      why:
        `it would take ${floodLimits.processesMax + 1} processes: ` +
        `a process may have ${FILES_MIN} files open; raise that with ulimit -n`,
    })
  })
})

describe('parseTemplate', () => {
  test.each([
    ['http://127.0.0.1:8000/test/{id}', '127.0.0.1', 8000, '127.0.0.1:8000', '/test/{id}'],
    ['http://host.example/test/{id}', 'host.example', 80, 'host.example:80', '/test/{id}'],
    ['http://[::1]:8000/test/{id}', '::1', 8000, '[::1]:8000', '/test/{id}'],
    ['http://localhost:1', 'localhost', 1, 'localhost:1', '/'],
    [
      'HTTP://localhost:65535/a?b={id}&c={id}',
      'localhost',
      65_535,
      'localhost:65535',
      '/a?b={id}&c={id}',
    ],
  ])('reads %s', (template, hostname, port, host, pathTemplate) => {
    const value = { protocol: 'http' as const, hostname, port, host, pathTemplate }
    expect(parseTemplate(template)).toEqual({ ok: true, value })
  })

  test.each([
    ['https://localhost/', 'http', 443, 'localhost'],
    ['wss://host.example:8443/', 'ws', 8443, 'host.example'],
    ['https://127.0.0.1/', 'http', 443, null],
    ['https://[::1]/', 'http', 443, null],
  ])('reads that %s has a certificate, for its name or address', (template, ...read) => {
    const [protocol, port, serverName] = read
    const tls = { serverName, insecure: false, ca: null }
    expect(parseTemplate(template)).toMatchObject({ value: { protocol, port, tls } })
  })

  test('reads that streams are WebSockets', () => {
    const read = parseTemplate('ws://localhost:8000/test/{id}')
    expect(read).toMatchObject({ value: { protocol: 'ws', host: 'localhost:8000' } })
  })

  test.each([
    ['httpss://localhost/', 'it must look like'],
    ['localhost:8000/test/{id}', 'it must look like'],
    ['ftp://localhost/', 'it must look like'],
    ['http://', 'it must look like'],
    ['http://:8000/', 'it must look like'],
    ['http://localhost:/', 'it must look like'],
    ['http://localhost:80x/', 'it must look like'],
    ['http://localhost/a b', 'it must look like'],
    ['http://localhost/a#b', 'it must look like'],
    ['http://localhost/a\r\nX: y', 'it must look like'],
    ['http://::1:8000/', 'it must look like'],
    ['http://localhost:0/', '0 is not a port'],
    ['http://localhost:65536/', '65536 is not a port'],
  ])('refuses %p', (template, why) => {
    expect(parseTemplate(template)).toMatchObject({ why: expect.stringContaining(why) })
  })
})

test('churn closes its share of the streams each second', () => {
  expect([0, 99, 100, 1_000, 60_000].map((ms) => churnedCount(0.01, 1_000, ms))).toEqual([
    0, 0, 1, 10, 600,
  ])
})

describe('the wait before another try', () => {
  test.each([
    [1_000, 0, 0, 500],
    [1_000, 0, 0.5, 1_000],
    [1_000, 0, 0.999, 1_499],
    [1_000, 2, 0.5, 4_000],
    [1_000, 99, 0.5, floodLimits.reconnectMsMax],
  ])('of %p ms after %p failures is, by chance %p, %p ms', (baseMs, failures, random, waitMs) => {
    expect(reconnectDelayMs(baseMs, failures, random)).toBeCloseTo(waitMs, 6)
  })
})
