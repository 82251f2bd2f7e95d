// The pure parts of a turn: what became of messages, the next rate, memory of several processes, and
// the configuration of nginx.

import { describe, expect, test } from 'bun:test'
import { memoryIn } from '../harness/memory.ts'
import { countsOf, sumOfCounts, sumOfErrors } from './flow.ts'
import { nchanConfig } from './nchan.ts'
import { nextRate } from './turn.ts'

function received(messages: number, duplicated = 0, reordered = 0) {
  return { received: { chunks: 0, bytes: 0, messages, duplicated, reordered, untracked: 0 } }
}

describe('what became of messages', () => {
  const GEN = { sent: 100, rejected: 0, unanswered: 0 }

  test('all came', () => {
    const counts = countsOf(GEN, received(50), received(150))
    expect(counts).toMatchObject({ sent: 100, received: 100, lost: 0, duplicated: 0 })
  })

  test('what came twice does not stand for what is lost', () => {
    const counts = countsOf(GEN, received(50, 1), received(150, 4, 2))
    expect(counts).toMatchObject({ received: 100, lost: 3, duplicated: 3, reordered: 2 })
  })

  test('what was refused is not lost, and what was not answered may have come', () => {
    const refused = countsOf({ ...GEN, rejected: 10 }, received(0), received(90))
    expect(refused).toMatchObject({ sent: 90, lost: 0, rejected: 10 })
    const unanswered = countsOf({ ...GEN, unanswered: 5 }, received(0), received(105))
    expect(unanswered).toMatchObject({ lost: 0, received: 105, unanswered: 5 })
  })

  test('flows add up', () => {
    const one = countsOf(GEN, received(0), received(98))
    expect(sumOfCounts([one, one])).toMatchObject({ sent: 200, received: 196, lost: 4 })
    expect(sumOfCounts([])).toMatchObject({ sent: 0, lost: 0 })
    expect(sumOfErrors([{ reset: 2 }, {}, { reset: 1, status_503: 4 }])).toEqual({
      reset: 3,
      status_503: 4,
    })
  })
})

test('the next rate is below what was reached, in whole hundreds', () => {
  expect([8_000, 9_990, 1_234, 7].map(nextRate)).toEqual([6_400, 7_900, 900, 100])
})

describe('memory', () => {
  const rollup = (figures: Record<string, number>) =>
    ['00400000-7fff ---p 00000000 00:00 0 [rollup]']
      .concat(Object.entries(figures).map(([name, kB]) => `${name}:  ${kB} kB`))
      .join('\n')
  const MASTER = rollup({
    Rss: 30,
    Pss_Anon: 3,
    Pss_Shmem: 5,
    Shared_Clean: 12,
    Shared_Dirty: 10,
    Private_Clean: 1,
    Private_Dirty: 7,
  })

  test('of one process is what is resident', () => {
    expect(memoryIn([MASTER])).toEqual({ ownBytes: 8 * 1024, residentBytes: 30 * 1024 })
  })

  test('that processes share counts once', () => {
    const worker = rollup({ Pss_Anon: 40, Pss_Shmem: 5, Shared_Dirty: 20, Private_Dirty: 35 })
    const both = memoryIn([MASTER, worker])
    expect(both).toEqual({ ownBytes: 53 * 1024, residentBytes: (8 + 35 + 22) * 1024 })
  })

  test('of a process that has ended is nothing', () => {
    expect(memoryIn([''])).toEqual({ ownBytes: 0, residentBytes: 0 })
  })
})

test('nginx serves in one process, on loopback, and keeps hardly a message and no log', () => {
  const config = nchanConfig({ module: 'm.so', port: 8123, connections: 100, openFiles: 20_000 })
  expect(config).toContain('load_module m.so;')
  expect(config).toContain('worker_processes 1;')
  expect(config).toContain('worker_connections 1220;')
  expect(config).toContain('listen 127.0.0.1:8123 ')
  expect(config).toContain('nchan_subscriber http-chunked;')
  expect(config).toContain('nchan_message_buffer_length 1;')
  expect(config).toContain('access_log off;')
})
