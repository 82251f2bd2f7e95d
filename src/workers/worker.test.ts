// Goal: a place always has a worker that works, or the next one soon, and its owner knows which.
// Method: real processes, that end, hang or refuse as a test tells them; the ticks by hand.

import { describe, expect, test } from 'bun:test'
import { workerLimits } from '../core/limits.ts'
import { RecentLog } from '../core/recent-log.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import { CHILD_LINE, CHILD_USERS, type ChildKind, childCommand, startOf } from './child.fixture.ts'
import type { Link } from './link.ts'
import { TO_PARENT, TO_WORKER } from './protocol.ts'
import { type WorkerOwner, WorkerProcess } from './worker.ts'

const { silentTicksMax, restartForgetMs, restartMs, figuresRequestsMax } = workerLimits

/** A slot with its owner, which remembers what it was told. */
class Place implements WorkerOwner, AsyncDisposable {
  readonly clock = new FakeClock()
  readonly recentLog = new RecentLog(this.clock)
  readonly worker: WorkerProcess
  readonly pids: number[] = []
  readonly downs: [why: string, restartMs: number | null][] = []
  readonly kinds: number[] = []

  constructor(kind: ChildKind, command: readonly string[] = childCommand(kind)) {
    const { clock } = this
    this.worker = new WorkerProcess({
      number: 4,
      start: () => startOf(4),
      command,
      owner: this,
      recentLog: this.recentLog,
      clock,
    })
  }

  /** Starts it, and waits until it works. */
  static async working(): Promise<Place> {
    const place = new Place('works')
    place.worker.start()
    await place.isUp(1)
    return place
  }

  isUp(times: number): Promise<void> {
    return until(`it is up ${times} times`, () => this.pids.length === times)
  }

  isDown(times: number): Promise<void> {
    return until(`it is down ${times} times`, () => this.downs.length === times)
  }

  onUp(worker: WorkerProcess, link: Link): void {
    expect([worker === this.worker, worker.state, worker.link === link]).toEqual([
      true,
      'running',
      true,
    ])
    this.pids.push(worker.pid ?? 0)
  }

  onRecord(_: WorkerProcess, { kind }: { readonly kind: number }): void {
    this.kinds.push(kind)
  }

  onDown(worker: WorkerProcess, why: string, restartMs: number | null): void {
    expect([worker.pid, worker.link]).toEqual([null, null])
    this.downs.push([why, restartMs])
  }

  /** Is the process still there? The system may take a moment to bury it. */
  lives(pid = this.pids.at(-1) ?? 0): boolean {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }

  signal(signal: 'SIGKILL' | 'SIGSTOP'): void {
    process.kill(this.worker.pid ?? 0, signal)
  }

  ticks(count: number): void {
    for (let at = 0; at < count; at++) this.worker.tick()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.worker.kill()
    await until('all are gone', () => !this.pids.some((pid) => this.lives(pid)))
  }
}

describe('a worker', () => {
  test('is up once its port is open, with its first figures', async () => {
    await using place = new Place('works')
    expect([place.worker.state, place.worker.pid]).toEqual(['waiting', null])
    place.worker.start()
    expect([place.worker.state, place.worker.link, place.worker.latest]).toEqual([
      'starting',
      null,
      null,
    ])
    const { pid } = place.worker
    await place.isUp(1)
    expect([place.pids, place.worker.restarts, place.worker.number]).toEqual([[pid ?? 0], 0, 4])
    expect(place.worker.latest).toMatchObject({ open: CHILD_USERS.length, limit: 10, pid })
  })

  test('reports each line of its log once, which is kept with its number', async () => {
    await using place = await Place.working()
    await place.worker.ask()
    const { lines } = place.recentLog.after(0, 9)
    const fields = { worker: 4, ...CHILD_LINE.fields }
    expect(lines).toMatchObject([{ ...CHILD_LINE, fields }])
  })

  test('tells its figures when asked', async () => {
    await using place = await Place.working()
    const before = place.worker.latest
    await place.worker.ask()
    expect(place.worker.latest).not.toBe(before)
    expect(place.worker.latest).toMatchObject({ open: CHILD_USERS.length, users: 3, openFiles: 5 })
  })

  test('tells them also by itself, as a sign of life', async () => {
    await using place = await Place.working()
    const before = place.worker.latest
    await until('it gives a sign', () => place.worker.latest !== before)
    expect(place.worker.latest).toMatchObject({ open: CHILD_USERS.length })
  })

  test('passes on its other records, and replies over its link', async () => {
    await using place = await Place.working()
    expect(place.kinds).toEqual([TO_PARENT.opened])
    const presence = await place.worker.link?.request(TO_WORKER.presence, 1)
    expect(presence).toEqual({ connections: 2, sinceMs: expect.any(Number) })
  })
})

describe('a worker that ends', () => {
  test('by itself, is started again later each time', async () => {
    await using place = new Place('exits')
    place.worker.start()
    await place.isDown(3)
    expect(place.downs.map(([, delayMs]) => delayMs)).toEqual([
      restartMs,
      2 * restartMs,
      4 * restartMs,
    ])
    expect([place.worker.state, place.worker.restarts, place.pids]).toEqual(['waiting', 2, []])
    expect(place.worker.latest).toBeNull()
  })

  test('by itself, is told of with its exit code', async () => {
    await using place = new Place('exits')
    place.worker.start()
    await place.isDown(1)
    expect(place.downs[0]?.[0]).toBe('it ended with 3')
  })

  test('by a signal, is told of with the signal', async () => {
    await using place = await Place.working()
    place.signal('SIGKILL')
    await place.isDown(1)
    expect(place.downs).toEqual([['it was ended by signal SIGKILL', restartMs]])
  })

  test('works again after a moment, and counts as new when it has lived long', async () => {
    await using place = await Place.working()
    for (const life of [1, 2]) {
      place.signal('SIGKILL')
      await place.isUp(life + 1)
    }
    // The last figures stay, until there are new ones or the owner takes them.
    expect([place.worker.restarts, place.worker.latest?.pid]).toEqual([2, place.pids[2] ?? 0])
    expect(new Set(place.pids).size).toBe(3)
    place.clock.advance(restartForgetMs + 1)
    place.signal('SIGKILL')
    await place.isDown(3)
    const delays = place.downs.map(([, delayMs]) => delayMs)
    expect(delays).toEqual([restartMs, 2 * restartMs, restartMs])
  })

  test('ends the wait of every request', async () => {
    await using place = await Place.working()
    place.signal('SIGSTOP')
    const asked = Promise.all([place.worker.ask(), place.worker.ask()])
    place.signal('SIGKILL')
    const startedMs = performance.now()
    await asked
    expect(performance.now() - startedMs).toBeLessThan(workerLimits.figuresMsMax)
  })

  test('is ended when it only closes its link, and told of so', async () => {
    await using place = new Place('closes')
    place.worker.start()
    const { pid } = place.worker
    await place.isDown(1)
    expect(place.downs).toEqual([['it closed its link', restartMs]])
    await until('it is gone', () => !place.lives(pid ?? 0))
  })

  test('for it cannot open its port, says why', async () => {
    await using place = new Place('refuses')
    place.worker.start()
    await place.isDown(1)
    expect([place.downs, place.pids]).toEqual([[['the port is in use', restartMs]], []])
  })

  test('before it began, since there is no such program, is tried again all the same', async () => {
    await using place = new Place('works', ['/nowhere/comet'])
    place.worker.start()
    await place.isDown(2)
    expect(place.downs.map(([, delayMs]) => delayMs)).toEqual([restartMs, 2 * restartMs])
    expect(place.downs[0]?.[0]).toStartWith('it could not be started (')
    expect([place.worker.state, place.worker.pid]).toEqual(['waiting', null])
  })
})

describe('a worker that hangs', () => {
  test('is ended after too many ticks, and another takes its place', async () => {
    await using place = await Place.working()
    place.signal('SIGSTOP')
    const [first] = place.pids
    place.ticks(silentTicksMax)
    expect(place.downs).toEqual([])
    place.ticks(1)
    expect(place.downs).toEqual([['it did not respond for 10 s and was killed', restartMs]])
    await until('it is gone', () => !place.lives(first))
    await place.isUp(2)
    place.ticks(silentTicksMax)
    expect(place.downs.length).toBe(1)
  })

  test('does not, as long as it says something', async () => {
    await using place = await Place.working()
    for (let round = 0; round < 3; round++) {
      place.ticks(silentTicksMax)
      expect([place.worker.isSilent, place.worker.silentMs]).toEqual([true, 10_000])
      await place.worker.ask()
      expect([place.worker.isSilent, place.worker.silentMs]).toEqual([false, 0])
    }
    expect([place.downs, place.worker.state]).toEqual([[], 'running'])
  })

  test('is asked only so often at the same time, and its last figures are good', async () => {
    await using place = await Place.working()
    const { latest } = place.worker
    place.signal('SIGSTOP')
    const startedMs = performance.now()
    const waiting = Array.from({ length: figuresRequestsMax }, () => place.worker.ask())
    await place.worker.ask()
    expect(performance.now() - startedMs).toBeLessThan(workerLimits.figuresMsMax)
    await Promise.all(waiting)
    expect(place.worker.latest).toEqual(latest)
  })
})

describe('a worker that is not to go on', () => {
  test('leaves its worker as it is, and starts no other', async () => {
    await using place = await Place.working()
    place.worker.retire()
    expect([place.worker.state, place.downs]).toEqual(['running', []])
    place.signal('SIGKILL')
    await place.isDown(1)
    expect([place.worker.state, place.downs[0]?.[1]]).toEqual(['ended', null])
  })

  test('waits no more for the next worker', async () => {
    await using place = new Place('exits')
    place.worker.start()
    await place.isDown(1)
    place.worker.retire()
    expect(place.worker.state).toBe('ended')
    // As long as another takes to be started again.
    await using other = new Place('exits')
    other.worker.start()
    await other.isDown(2)
    expect([place.downs.length, place.worker.restarts]).toEqual([1, 0])
  })

  test('ends its worker at once when killed, whatever the worker does', async () => {
    await using place = await Place.working()
    place.signal('SIGSTOP')
    place.worker.kill()
    place.worker.kill()
    expect(place.downs).toEqual([['the server ended it', null]])
    expect([place.worker.state, place.worker.link]).toEqual(['ended', null])
    await until('it is gone', () => !place.lives())
    expect(place.downs.length).toBe(1)
  })

  test('may be killed before its worker has said anything', async () => {
    const place = new Place('works')
    place.worker.start()
    const { pid } = place.worker
    place.worker.kill()
    expect([place.worker.state, place.downs]).toEqual(['ended', [['the server ended it', null]]])
    await until('it is gone', () => !place.lives(pid ?? 0))
    expect(place.pids).toEqual([])
  })
})
