// Goal: comet is registered for as long as it runs, also when the port mapper is gone for a while, and no
// longer. Method: a small port mapper that is stopped and started, refuses, hangs or breaks off; the waits
// between two tries are ended by the test.

import { describe, expect, test } from 'bun:test'
import { erlangLimits } from '../core/limits.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import { turns } from './channel.fixture.ts'
import { FakeMapper } from './epmd.fixture.ts'
import { RememberingLog } from './node.fixture.ts'
import { Registration } from './registration.ts'
import { CaughtTimers } from './timers.fixture.ts'

const { retryMs, retryMsMax, retryForgetMs } = erlangLimits

const WAITS = [1, 2, 4, 8, 16, 32, 64].map((times) => Math.min(retryMs * times, retryMsMax))

/** A registration at a port mapper, with all that it says and waits for. */
class Registering implements Disposable {
  readonly timers = new CaughtTimers((delayMs) => WAITS.includes(delayMs))
  readonly mapper = new FakeMapper()
  readonly clock = new FakeClock()
  readonly log = new RememberingLog()
  readonly registration: Registration

  constructor() {
    const { clock, log, mapper } = this
    const mapperPort = mapper.port
    this.registration = new Registration({ alive: 'comet', port: 4711, mapperPort, clock, log })
  }

  /** Begins, and has come through. */
  async start(): Promise<void> {
    this.registration.start()
    await until('it is registered', () => this.registration.isRegistered)
  }

  /** The port mapper ends. */
  async lose(): Promise<void> {
    this.mapper.stop()
    await until('it is known', () => !this.registration.isRegistered)
  }

  [Symbol.dispose](): void {
    this.registration.stop()
    this.mapper.stop()
    this.timers[Symbol.dispose]()
  }
}

const ENDED = 'the port mapper (epmd) has ended'
const NOBODY = 'the port mapper (epmd) of its host cannot be asked: nobody listens there'
const TAKEN = 'a node of that name is registered already'

function told(why: string): string {
  return `Erlang nodes do not find comet: ${why}; it is tried again.`
}

describe('a registration', () => {
  test('is there when the port mapper says so', async () => {
    using own = new Registering()
    expect(own.registration.isRegistered).toBe(false)
    await own.start()
    expect([...own.mapper.nodes].map(([alive, { port }]) => [alive, port])).toEqual([
      ['comet', 4711],
    ])
    expect(own.log.lines).toEqual([['erlang_registered', 'Erlang nodes find comet at port 4711.']])
  })

  test('ends when comet stops', async () => {
    using own = new Registering()
    await own.start()
    own.registration.stop()
    await until('it is known', () => own.mapper.nodes.size === 0 && own.mapper.sockets.size === 0)
    expect([own.timers.waiting, own.log.lines.length]).toEqual([0, 1])
  })

  test('is renewed when the port mapper has been started anew', async () => {
    using own = new Registering()
    await own.start()
    for (let life = 0; life < 2; life++) {
      await own.lose()
      own.mapper.start()
      own.timers.fire()
      await until('it is registered', () => own.registration.isRegistered)
      expect(own.mapper.nodes.size).toBe(1)
    }
    expect(own.log.of('erlang_unregistered')).toEqual([told(ENDED), told(ENDED)])
    expect(own.log.of('erlang_registered').length).toBe(3)
  })

  test('is tried less and less often, each new reason told once', async () => {
    using own = new Registering()
    await own.start()
    await own.lose()
    for (const tries of WAITS.keys()) {
      await until('it was tried', () => own.timers.delays.length === tries + 1)
      own.timers.fire()
    }
    await until('it was tried', () => own.timers.delays.length === WAITS.length + 1)
    expect(own.timers.delays).toEqual([...WAITS, retryMsMax])
    expect(own.log.of('erlang_unregistered')).toEqual([told(ENDED), told(NOBODY)])
  })

  test('that had lived long is tried soon again', async () => {
    using own = new Registering()
    await own.start()
    for (const [livedMs, times] of [
      [0, 1],
      [retryForgetMs - 1, 2],
      [retryForgetMs, 1],
      [0, 2],
    ] as const) {
      own.clock.advance(livedMs)
      await own.lose()
      expect(own.timers.delays.at(-1)).toBe(times * retryMs)
      own.mapper.start()
      own.timers.fire()
      await until('it is registered', () => own.registration.isRegistered)
    }
  })

  test('of a name that is taken is tried until it is free', async () => {
    using own = new Registering()
    own.mapper.nodes.set('comet', { port: 1, type: 77, protocol: 0, highest: 6, lowest: 5 })
    own.registration.start()
    await until('it was tried', () => own.timers.waiting === 1)
    expect([own.registration.isRegistered, own.log.of('erlang_unregistered')]).toEqual([
      ...[false, [told(TAKEN)]],
    ])
    own.mapper.nodes.clear()
    own.timers.fire()
    await until('it is registered', () => own.registration.isRegistered)
  })
})

describe('a port mapper', () => {
  test('that hangs up right behind its answer is noticed', async () => {
    using own = new Registering()
    own.mapper.onRequest = (socket) => {
      socket.end(Uint8Array.of(118, 0, 0, 0, 0, 7))
    }
    own.registration.start()
    await until('it is noticed', () => own.timers.waiting === 1)
    expect(own.registration.isRegistered).toBe(false)
  })

  test('that says more than it is asked does no harm', async () => {
    using own = new Registering()
    await own.start()
    for (const socket of own.mapper.sockets) socket.write('more')
    await turns()
    expect([own.registration.isRegistered, own.timers.waiting]).toEqual([true, 0])
  })
})

describe('stopping', () => {
  test('while it waits for the next try ends that', async () => {
    using own = new Registering()
    own.mapper.stop()
    own.registration.start()
    await until('it was tried', () => own.timers.waiting === 1)
    own.registration.stop()
    expect(own.timers.waiting).toBe(0)
  })

  test('while the port mapper is asked leaves no registration', async () => {
    using own = new Registering()
    const answers: (() => void)[] = []
    own.mapper.onRequest = (socket) =>
      answers.push(() => socket.write(Uint8Array.of(118, 0, 0, 0, 0, 7)))
    own.registration.start()
    await until('it is asked', () => answers.length === 1)
    own.registration.stop()
    for (const answer of answers) answer()
    await until('it is closed', () => own.mapper.sockets.size === 0)
    expect([own.registration.isRegistered, own.timers.waiting, own.log.lines]).toEqual([
      ...[false, 0, []],
    ])
  })
})
