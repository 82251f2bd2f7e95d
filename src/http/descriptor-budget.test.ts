// Goal: no stream beyond the limits, and a port that closes for a while when files run short.
// Method: the number of open files is a variable; store and port are the real ones.

import { describe, expect, test } from 'bun:test'
import type { Capacity } from '../core/capacity.ts'
import { descriptorLimits } from '../core/limits.ts'
import { Log } from '../core/log.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import { openStream, storeFor } from '../hub/stream.fixture.ts'
import { openFiles } from '../os/descriptors.ts'
import { DescriptorBudget } from './descriptor-budget.ts'
import { listening } from './listener.fixture.ts'
import type { Listener } from './listener.ts'

const CAPACITY: Capacity = {
  streamsMax: 2,
  refuseAtFiles: 100,
  pauseAtFiles: 120,
  resumeAtFiles: 110,
  pauseControlAtFiles: 140,
  resumeControlAtFiles: 130,
  reservedFiles: 0,
  why: 'a test says so',
}

/** A guard that believes in as many open files as `files` says. */
function guarded(capacity: Partial<Capacity> = {}) {
  const streams = storeFor()
  const events: { event: string }[] = []
  const write = (line: string) => events.push(JSON.parse(line)) > 0
  const clock = new FakeClock()
  const log = new Log({ format: 'json', clock, write })
  const open = { files: 10 }
  let counted = 0
  const budget = new DescriptorBudget({
    capacity: { ...CAPACITY, ...capacity },
    streams: () => streams.open,
    openFiles: () => {
      counted++
      return open.files
    },
    log,
    clock,
  })
  const counts = { events: () => events.map(({ event }) => event), counted: () => counted }
  return { budget, streams, open, ...counts }
}

/** A real port that answers `yes`. */
function port(): { listener: Listener; url: string } & AsyncDisposable {
  const listener = listening()
  const url = `http://127.0.0.1:${listener.port}`
  const dispose = async () => {
    await listener.stop(0)
  }
  return { listener, url, [Symbol.asyncDispose]: dispose }
}

/** What a client on a connection of its own is told. */
async function ask(url: string): Promise<string> {
  try {
    return await (await fetch(url, { keepalive: false })).text()
  } catch (error) {
    // Bun has two names for it.
    return /refused/i.test(String((error as { code?: unknown }).code)) ? 'refused' : String(error)
  }
}

describe('a stream', () => {
  test('is let in while there is room', () => {
    const { budget } = guarded()
    expect([budget.refusal(), budget.full]).toEqual([null, false])
  })

  test('is not at the limit of streams, until one ends', () => {
    const { budget, streams } = guarded()
    const first = openStream(streams, 1)
    openStream(streams, 1)
    expect([budget.refusal(), budget.full]).toEqual(['full', true])
    first.leave()
    expect([budget.refusal(), budget.full]).toEqual([null, false])
  })

  test.each([
    [99, null],
    [100, 'full'],
    [101, 'full'],
  ])('with %p files open meets %p', (files, shut) => {
    const { budget, open } = guarded()
    open.files = files
    expect(budget.refusal()).toBe(shut as 'full' | null)
  })

  test('is one of several for which files are counted once, while there are plenty', () => {
    const { budget, open, counted } = guarded({ streamsMax: 100_000, refuseAtFiles: 10_000 })
    for (let at = 0; at < 1_000; at++) expect(budget.refusal()).toBeNull()
    expect(counted()).toBeLessThan(50)
    // What is left when files run short is seen in time: after those that were not counted for.
    open.files = 10_000
    const admitted = Array.from({ length: 200 }, () => budget.refusal() === null)
    expect(admitted.filter(Boolean).length).toBeLessThanOrEqual(descriptorLimits.uncountedMax)
    expect(admitted.at(-1)).toBe(false)
  })

  test('is refused as soon as the watch has seen that files are short', async () => {
    const { budget, open } = guarded({ refuseAtFiles: 10_000, pauseAtFiles: 11_000 })
    await using at = port()
    expect(budget.refusal()).toBeNull()
    open.files = 10_000
    budget.check(at.listener)
    expect(budget.refusal()).toBe('full')
  })

  test('is refused while the server drains, whatever the room', () => {
    const { budget, events } = guarded()
    budget.draining = true
    expect([budget.refusal(), events()]).toEqual(['draining', []])
  })
})

describe('the public port', () => {
  test('closes when files run short and opens again, on the same address', async () => {
    const { budget, open, events } = guarded()
    await using at = port()
    const look = (files: number) => {
      open.files = files
      budget.check(at.listener)
      return at.listener.paused
    }
    expect([119, 120, 125, 119, 111].map(look)).toEqual([false, true, true, true, true])
    expect(await ask(at.url)).toBe('refused')
    expect([110, 119, 110].map(look)).toEqual([false, false, false])
    expect(await ask(at.url)).toBe('yes')
    expect(events()).toEqual(['paused', 'resumed'])
  })

  test('closes at the connection that is one too many, before the next look', async () => {
    const { budget, open } = guarded()
    await using at = port()
    const pausedAt: number[] = []
    for (open.files = 10; open.files < 130; open.files++) {
      budget.accepted(at.listener)
      if (at.listener.paused) pausedAt.push(open.files)
    }
    expect(pausedAt[0]).toBe(120)
  })

  test('stays closed while it cannot be opened, and is tried again', async () => {
    const { budget, open, events } = guarded()
    await using at = port()
    open.files = 120
    budget.check(at.listener)
    open.files = 10
    {
      const { port: number } = at.listener
      await using thief = Bun.serve({
        hostname: '127.0.0.1',
        port: number,
        fetch: () => new Response('no'),
      })
      budget.check(at.listener)
      budget.check(at.listener)
      expect([at.listener.paused, thief.port]).toEqual([true, number])
    }
    budget.check(at.listener)
    expect([at.listener.paused, await ask(at.url)]).toEqual([false, 'yes'])
    expect(events()).toEqual(['paused', 'resume_failed', 'resumed'])
  })

  test('stays as it is while the server drains', async () => {
    const { budget, open } = guarded()
    await using at = port()
    budget.draining = true
    open.files = 120
    budget.check(at.listener)
    expect(at.listener.paused).toBe(false)
  })

  test('holds files back that do not count as used, and lets them go when it closes', async () => {
    const { budget, open } = guarded({ reservedFiles: 5 })
    await using at = port()
    await using control = port()
    const before = openFiles()
    const unwatch = budget.watch({ public: at.listener, control: control.listener })
    expect(openFiles() - before).toBe(5)
    open.files = 104
    expect(budget.full).toBe(false)
    open.files = 105
    expect(budget.full).toBe(true)
    open.files = 125
    budget.check(at.listener)
    expect([at.listener.paused, openFiles() < before]).toEqual([true, true])
    unwatch()
  })

  test('holds nothing in reserve once the watch has ended', async () => {
    const { budget } = guarded({ reservedFiles: 5 })
    await using at = port()
    await using control = port()
    const before = openFiles()
    budget.watch({ public: at.listener, control: control.listener })()
    expect(openFiles()).toBe(before)
  })
})

describe('the control port', () => {
  test('closes later than the public one and opens earlier', async () => {
    const { budget, open, events } = guarded()
    await using at = port()
    await using control = port()
    const look = (files: number) => {
      open.files = files
      budget.check(at.listener)
      budget.checkControl(control.listener)
      return [at.listener.paused, control.listener.paused]
    }
    expect([119, 120, 139].map(look)).toEqual([
      [false, false],
      [true, false],
      [true, false],
    ])
    expect(await ask(control.url)).toBe('yes')
    expect([140, 131].map(look)).toEqual([
      [true, true],
      [true, true],
    ])
    expect(await ask(control.url)).toBe('refused')
    expect([130, 139, 111, 110].map(look)).toEqual([
      [true, false],
      [true, false],
      [true, false],
      [false, false],
    ])
    expect([await ask(at.url), await ask(control.url)]).toEqual(['yes', 'yes'])
    expect(events()).toEqual(['paused', 'paused', 'resumed', 'resumed'])
  })

  test('holds no files back when it opens while the public one is closed', async () => {
    const { budget, open } = guarded({ reservedFiles: 5 })
    await using at = port()
    await using control = port()
    const unwatch = budget.watch({ public: at.listener, control: control.listener })
    open.files = 145
    budget.check(at.listener)
    budget.checkControl(control.listener)
    const closed = [at, control].map(({ listener }) => listener.paused)
    const before = openFiles()
    open.files = 130
    budget.checkControl(control.listener)
    // One file is the port itself.
    expect([closed, openFiles() - before]).toEqual([[true, true], 1])
    open.files = 110
    budget.check(at.listener)
    expect(openFiles() - before).toBe(2 + 5)
    unwatch()
  })
})

describe('both ports', () => {
  test('are watched until the watch is ended', async () => {
    const { budget, open } = guarded()
    await using at = port()
    await using control = port()
    const unwatch = budget.watch({ public: at.listener, control: control.listener })
    open.files = 140
    await until('both are paused', () => at.listener.paused && control.listener.paused)
    open.files = 10
    await until('both are resumed', () => !at.listener.paused && !control.listener.paused)
    unwatch()
    expect([await ask(at.url), await ask(control.url)]).toEqual(['yes', 'yes'])
  })

  test.each(['check', 'checkControl'] as const)(
    'tell with %s whether files are short',
    async (check) => {
      const { budget, open } = guarded()
      await using at = port()
      const look = (files: number) => {
        open.files = files
        budget[check](at.listener)
        return budget.short
      }
      expect(budget.short).toBe(false)
      expect([99, 100, 150, 100, 99].map(look)).toEqual([false, true, true, true, false])
    },
  )
})
