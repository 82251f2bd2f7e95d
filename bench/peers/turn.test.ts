// What became of messages in a turn, the next rate that is tried, and the configuration of nginx.

import { describe, expect, test } from 'bun:test'
import { nchanConfig } from './packaged-servers.ts'
import { countsOf, nextRate, sumOfCounts, sumOfErrors } from './turn.ts'

function arrived(received: number, duplicated = 0, reordered = 0) {
  return { received, duplicated, reordered, untracked: 0 }
}

describe('what became of messages', () => {
  const GEN = { sent: 100, rejected: 0, unanswered: 0 }

  test('all came', () => {
    const counts = countsOf(GEN, arrived(100))
    expect(counts).toMatchObject({ sent: 100, received: 100, lost: 0, duplicated: 0 })
  })

  test('what came twice does not stand for what is lost', () => {
    const counts = countsOf(GEN, arrived(100, 3, 2))
    expect(counts).toMatchObject({ received: 100, lost: 3, duplicated: 3, reordered: 2 })
  })

  test('what was refused is not lost, and what was not answered may have come', () => {
    const refused = countsOf({ ...GEN, rejected: 10 }, arrived(90))
    expect(refused).toMatchObject({ sent: 90, lost: 0, rejected: 10 })
    const unanswered = countsOf({ ...GEN, unanswered: 5 }, arrived(105))
    expect(unanswered).toMatchObject({ lost: 0, received: 105, unanswered: 5 })
  })

  test('flows add up', () => {
    const one = countsOf(GEN, arrived(98))
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
