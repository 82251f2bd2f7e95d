// Goal: every connection is taken or becomes a socket of Bun, once, with all bytes that it has
// sent, also while the system is short of open files. Method: real connections to a listener.

import { describe, expect, test } from 'bun:test'
import { RawClient } from '../../scripts/support/raw-client.ts'
import { systemClock } from '../core/clock.ts'
import { acceptLimits, pollLimits } from '../core/limits.ts'
import { until } from '../core/time.fixture.ts'
import { descriptorCalls } from '../os/epoll.ts'
import { ERRNO } from '../os/libc.ts'
import { SocketAddress, tcpCalls } from '../os/tcp.ts'
import { Acceptor, type AcceptorOwner } from './acceptor.ts'
import { type Listener, listen } from './listener.ts'

/** A port whose owner takes what begins with `TAKE`, and answers requests with their path. */
class Host implements AsyncDisposable {
  readonly taken: [descriptor: number, text: string][] = []
  readonly bugs: unknown[] = []
  accepted = 0
  /** Turns of the loop in which some were accepted. */
  turns = 0
  #isTurn = false
  readonly listener: Listener
  readonly #events = descriptorCalls(1)

  constructor(isOfCrowd = false) {
    const result = listen({
      addresses: [{ hostname: '127.0.0.1', port: 0 }],
      isShared: false,
      isOfCrowd,
      handle: (exchange) => exchange.reply({ status: 200, body: exchange.path }),
      take: (descriptor, bytes, length) => this.#take(descriptor, bytes, length),
      rejection: ({ status }) => ({ status }),
      onAccepted: () => this.#onAccepted(),
      headMs: () => 10_000,
      idleMs: 10_000,
      clock: systemClock,
      onBug: (bug) => this.bugs.push(bug),
    })
    if (!result.ok) throw new Error(result.why)
    this.listener = result.value
  }

  #onAccepted(): void {
    this.accepted++
    if (this.#isTurn) return
    this.#isTurn = true
    this.turns++
    queueMicrotask(() => {
      this.#isTurn = false
    })
  }

  #take(descriptor: number, bytes: Uint8Array, length: number): boolean {
    const text = Buffer.from(bytes.subarray(0, length)).toString()
    if (text.startsWith('BUG')) throw new Error('of the owner')
    if (!text.startsWith('TAKE')) return false
    this.taken.push([descriptor, text])
    return true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [descriptor] of this.taken) this.#events?.close(descriptor)
    await this.listener.stop(0)
  }
}

const GET = 'GET /a HTTP/1.1\r\nHost: a\r\n\r\n'

describe.if(process.platform === 'linux')('a connection that is accepted past Bun', () => {
  test('may be taken, with its first bytes', async () => {
    await using host = new Host()
    using _ = await RawClient.open(host.listener.port, 'TAKE me')
    await until('it is taken', () => host.taken.length === 1)
    expect([host.taken[0]?.[1], host.accepted]).toEqual(['TAKE me', 1])
  })

  test('becomes a socket of Bun if it is not, and is answered', async () => {
    await using host = new Host()
    using client = await RawClient.open(host.listener.port, GET)
    expect((await client.headed()).status).toBe(200)
    await until('the body has come', () => client.rest === '/a')
    client.send(GET)
    await until(
      'the next request is answered',
      () => client.rest.endsWith('/a') && client.rest.length > 2,
    )
    expect([host.taken, host.accepted]).toEqual([[], 1])
  })

  test('is answered though its client has closed its half already', async () => {
    await using host = new Host()
    using client = await RawClient.open(host.listener.port, GET)
    client.closeSendingHalf()
    await until('it is answered and ended', () => client.rest === '/a' && client.ending !== 'open')
  })

  test('is accepted a moment later if it sends nothing, and answered when it does', async () => {
    await using host = new Host()
    using client = await RawClient.open(host.listener.port, '')
    await until('it is accepted', () => host.accepted === 1)
    client.send(GET)
    expect((await client.headed()).status).toBe(200)
  })

  test('that ends without a byte is closed', async () => {
    await using host = new Host()
    using client = await RawClient.open(host.listener.port, '')
    client.closeSendingHalf()
    await until('it is closed', () => client.ending !== 'open')
    expect(host.taken).toEqual([])
  })

  test.each([
    ['is one of very many at once, each of which is answered', false],
    ['is one of very many at once, in batches', true],
  ])('%s', async (_, isOfCrowd) => {
    await using host = new Host(isOfCrowd)
    using clients = new DisposableStack()
    const opened = Array.from({ length: 500 }, async (_, at) => {
      const client = clients.use(
        await RawClient.open(host.listener.port, at % 2 === 0 ? GET : 'TAKE'),
      )
      if (at % 2 === 0) expect((await client.headed()).status).toBe(200)
    })
    await Promise.all(opened)
    await until('all are taken', () => host.taken.length === 250)
    expect([host.accepted, new Set(host.taken.map(([descriptor]) => descriptor)).size]).toEqual([
      500, 250,
    ])
  })

  test('is taken with those that came since, where there is a crowd of processes', async () => {
    await using host = new Host(true)
    using clients = new DisposableStack()
    const open = async () => clients.use(await RawClient.open(host.listener.port, 'TAKE'))
    await open()
    await until('the first is taken', () => host.taken.length === 1)
    const startedMs = systemClock.elapsedMs()
    for (let count = 1; count <= 20; count++) {
      await open()
      await Bun.sleep(2)
    }
    await until('all are taken', () => host.taken.length === 21)
    const elapsedMs = systemClock.elapsedMs() - startedMs
    expect(host.turns).toBeLessThanOrEqual(2 + Math.ceil(elapsedMs / pollLimits.batchEveryMs))
  })

  test('does not keep others out when its owner has a bug', async () => {
    await using host = new Host()
    using _ = await RawClient.open(host.listener.port, 'BUG')
    await until('it is reported', () => host.bugs.length === 1)
    using client = await RawClient.open(host.listener.port, GET)
    expect((await client.headed()).status).toBe(200)
  })

  test('is refused while the port is paused, and accepted at the same port afterwards', async () => {
    await using host = new Host()
    const { port } = host.listener
    host.listener.pause()
    expect(
      await RawClient.open(port, GET).then(
        () => 'open',
        () => 'refused',
      ),
    ).toBe('refused')
    expect([host.listener.resume().ok, host.listener.port]).toEqual([true, port])
    using client = await RawClient.open(port, GET)
    expect((await client.headed()).status).toBe(200)
  })
})

describe.if(process.platform === 'linux')('a process that is short of open files', () => {
  /** The calls of this system, and a socket that listens. */
  function listening() {
    const [calls, events] = [tcpCalls(acceptLimits.receiveBytes), descriptorCalls(1)]
    const address = SocketAddress.of('127.0.0.1')
    if (calls === null || events === null || address === null) throw new Error('no C library')
    const listening = { backlog: 8, deferSeconds: 1, unsentBytesMax: 65_536 }
    const options = { address, isIpv6Only: false, isShared: false, ...listening }
    return { calls, events, descriptor: calls.listen(options) }
  }

  const onBug = (bug: unknown) => expect.unreachable(String(bug))

  test('accepts what waits once it has some again', async () => {
    const { calls, events, descriptor } = listening()
    const taken: number[] = []
    let failures = 0
    const owner: AcceptorOwner = {
      onAccepted: () => undefined,
      take: (connection) => taken.push(connection) > 0,
      adopt: (connection) => taken.push(connection),
    }
    const accept = () => (failures++ < 100 ? -ERRNO.EMFILE : calls.accept(descriptor))
    const short = { ...calls, accept }
    const acceptor = Acceptor.open({ calls: short, events, descriptor, owner, onBug })
    using _ = await RawClient.open(acceptor?.port ?? 0, 'x')
    await until('it is accepted', () => taken.length === 1)
    acceptor?.stop()
    for (const connection of taken) events.close(connection)
  })

  test.each(['openEpoll', 'watch'] as const)(
    'leaves a port to Bun if it fails at %s, and keeps no file of it',
    (call) => {
      const { calls, events, descriptor } = listening()
      const closed: number[] = []
      const short = {
        ...events,
        [call]: () => -ERRNO.EMFILE,
        close: (file: number) => {
          closed.push(file)
          return events.close(file)
        },
      }
      const owner = { onAccepted: () => undefined, take: () => false, adopt: onBug }
      expect(Acceptor.open({ calls, events: short, descriptor, owner, onBug })).toBeNull()
      expect(closed).toContain(descriptor)
      expect([closed.length, calls.portOf(descriptor) < 0]).toEqual([
        call === 'watch' ? 2 : 1,
        true,
      ])
    },
  )
})
