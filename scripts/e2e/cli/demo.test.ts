// Goal: the demo proves what it says, and says so when it cannot; on a terminal there is something
// to look at in the end. Method: run it, small.

import { describe, expect, test } from 'bun:test'
import { startOnTerminal } from '../../../src/cli/pty.fixture.ts'
import type { Stats } from '../../../src/control/stats.ts'
import { runProgram, waitFor } from '../../support/child-process.ts'
import { type Outcome, summaryOf } from '../../support/demo-summary.ts'

const DEMO = [process.execPath, `${import.meta.dir}/../../demo.ts`, '--no-build']

function demo(args: readonly string[], openFiles?: number) {
  const command = [...DEMO, ...args]
  const limit = ['sh', '-c', `ulimit -n ${openFiles}; exec "$0" "$@"`]
  return runProgram([...(openFiles === undefined ? [] : limit), ...command], { name: 'the demo' })
}

test('every promised delivery arrives once and in order', async () => {
  const { exitCode, stdout } = await demo([
    ...['--connections', '300', '--rate', '2000', '--subjects', '100', '--seconds', '1'],
  ])
  expect(stdout).toContain('Every promised delivery arrived exactly once and in order.')
  expect(stdout).toMatch(/streams opened\s+300 of 300/)
  expect(stdout).toMatch(/subscriptions\s+4,380\n/)
  expect(stdout).toMatch(/messages to one user\s+2,000 in/)
  expect(stdout).toMatch(/messages about one\s+100 in/)
  expect(stdout).toMatch(/missing\s+0\n/)
  expect(exitCode).toBe(0)
})

test('where open files are few it says so and runs with what fits', async () => {
  const args = ['--connections', '10000', '--rate', '1000', '--subjects', '50', '--seconds', '1']
  const { exitCode, stdout, stderr } = await demo(args, 256)
  expect(stderr).toMatch(/the open-files limit has room for \d+ streams/)
  expect(stdout).toContain('Every promised delivery arrived exactly once and in order.')
  expect(exitCode).toBe(0)
})

test('on a terminal the dashboard stays, with figures that move, until an interrupt', async () => {
  const args = ['--connections', '100', '--rate', '500', '--subjects', '50', '--seconds', '1']
  await using terminal = startOnTerminal([...DEMO, ...args], { columns: 120, rows: 60 })
  await using cleanup = new AsyncDisposableStack()
  // If the test fails: killed, it would leave its server.
  cleanup.defer(async () => {
    terminal.process.kill('SIGTERM')
    await terminal.process.exited
  })
  const [, url = ''] = await waitFor(
    'the address of the dashboard',
    () => /the dashboard +(http:\S+)/.exec(Bun.stripANSI(terminal.raw())) ?? false,
    60_000,
  )
  await waitFor('the last line', () => terminal.raw().includes('Ctrl-C ends it.'))
  expect(terminal.raw()).toContain('Every promised delivery arrived exactly once and in order.')
  expect(await (await fetch(url)).text()).toContain('<h1>comet</h1>')
  const read = async () => {
    const response = await fetch(`${url}stats`)
    return (await response.json()) as Pick<Stats, 'streams' | 'messages'>
  }
  const before = await read()
  expect(before.streams.open).toBe(100)
  await waitFor('a message', async () => {
    return (await read()).messages.accepted > before.messages.accepted
  })
  terminal.process.terminal?.write('\x03')
  expect(await terminal.process.exited).toBe(0)
  await expect(fetch(url)).rejects.toThrow()
})

describe('the last words', () => {
  const sent = {
    ...{ sent: 1_000, rejected: 0, delivered: 1_000, unpromised: 0, unknown: 0, perSecond: 1_000 },
    ...{ seconds: 1, wantedPerSecond: 1_000, unanswered: 0, retried: 0, repeated: 0, errors: {} },
    generators: { first: 1, count: 1 },
  }
  const outcome: Outcome = {
    ...{ streams: 10, subscriptions: 0, direct: sent, about: sent, bytesPerStream: 300 },
    flood: {
      connections: { wanted: 10, opened: 10, failed: 0, closed: 0 },
      connect: { perSecond: 10 },
      received: { messages: 2_000, duplicated: 0, reordered: 0, untracked: 0 },
      latency: { p50Ms: 1, p99Ms: 2, maxMs: 3 },
    },
  }
  const last = (of: Partial<Outcome>) => {
    const { text, flawless } = summaryOf({ ...outcome, ...of })
    return { flawless, words: text.split('\n\n').at(-1)?.trim() }
  }

  test('are that all has arrived', () => {
    const words = 'Every promised delivery arrived exactly once and in order.'
    expect(last({})).toEqual({ flawless: true, words })
  })

  test('are that the machine is too slow, where the rate was not kept', () => {
    const slow = { ...sent, perSecond: 800 }
    const { flawless, words } = last({ about: slow })
    expect(flawless).toBe(true)
    expect(words).toContain('but the rate was not kept: 800 of 1,000 messages a second.')
    expect(words).not.toContain('in order.')
    expect(last({ direct: slow, about: slow }).words).toContain('second, and 800 of 1,000')
  })

  test.each([
    [{ received: { messages: 1_999, duplicated: 0, reordered: 0, untracked: 0 } }],
    [{ received: { messages: 2_000, duplicated: 0, reordered: 1, untracked: 0 } }],
    [{ connections: { wanted: 10, opened: 9, failed: 1, closed: 0 } }],
  ])('are that something is missing, where it is: %j', (flood) => {
    expect(last({ flood: { ...outcome.flood, ...flood } })).toEqual({
      flawless: false,
      words: 'NOT flawless: see the figures above.',
    })
  })
})
