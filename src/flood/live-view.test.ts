// Goal: the live view shows the progress of a flood, in lines that fit. Method: whole views as
// text, in a wide and in a narrow terminal, and tables of single figures.

import { describe, expect, test } from 'bun:test'
import type { LiveLines } from '../cli/io.ts'
import type { FloodSample } from './flood-report.ts'
import { LiveHistory, type LiveView, liveLines, paintLines, showLive } from './live-view.ts'

const VIEW: LiveView = {
  address: 'http://127.0.0.1:8000/test/{id}',
  wanted: 10_000,
  seconds: 62.4,
  open: 9_813,
  connections: { opened: 9_815, failed: 3, closed: 2 },
  received: {
    chunks: 1_244_382,
    bytes: 99_000_000,
    messages: 1_234_567,
    duplicated: 0,
    reordered: 0,
    untracked: 0,
  },
  latency: { p50Ms: 1.2, p99Ms: 4.51, p999Ms: 9.8, maxMs: 20.1 },
  openedPerSecond: 512,
  messagesPerSecond: 16_650,
  bytesPerSecond: 1_900_000,
  errors: { refused: 1, reset: 4 },
  recentRates: [0, 2_000, 4_000, 8_000, 12_000, 16_650],
  recentP99Ms: [null, 1, 12, 2, 3, 4.51],
}

function sampleOf(
  seconds: number,
  messages: number,
  p99Ms: number | null,
  errors = {},
): FloodSample {
  return {
    seconds,
    time: '2026-11-24T11:00:02.500Z',
    open: 10 * seconds,
    behaviour: { reopened: 0, churned: 0, slow: 0, slowEnded: 0, vanished: 0 },
    errors,
    connections: { opened: 10 * seconds, failed: 0, closed: 0 },
    received: { ...VIEW.received, messages, bytes: 10 * messages },
    latency: { p50Ms: p99Ms, p99Ms, p999Ms: p99Ms, maxMs: p99Ms },
    histogram: null,
  }
}

describe('the lines', () => {
  test('say what the last second brought, and show the minute before it', () => {
    expect(liveLines(VIEW, 100)).toEqual([
      'flood       1:02  http://127.0.0.1:8000/test/{id}',
      'streams     9,813 open of 10,000, 512 opened/s, 3 failed, 2 closed',
      'received    16,650 messages/s, 1.8 MiB/s, 1,234,567 in all',
      'latency     p50 1.20 ms, p99 4.51 ms, p99.9 9.80 ms, max 20.1 ms',
      'errors      reset 4, refused 1',
      `messages/s  ${'▁▁▂▄▆█'.padEnd(60)}  max 16,650`,
      `p99         ${' ▁█▂▃▄'.padEnd(60)}  max 12.0 ms`,
    ])
  })

  test('are cut where the terminal ends', () => {
    expect(liveLines(VIEW, 40)).toEqual([
      'flood       1:02  http://127.0.0.1:8000…',
      'streams     9,813 open of 10,000, 512 o…',
      'received    16,650 messages/s, 1.8 MiB/…',
      'latency     p50 1.20 ms, p99 4.51 ms, p…',
      'errors      reset 4, refused 1',
      `messages/s  ${'▁▁▂▄▆█'.padEnd(10)}  max 16,650`,
      `p99         ${' ▁█▂▃▄'.padEnd(10)}  max 12.0 ms`,
    ])
  })

  test.each([1, 2, 12, 13, 30, 31, 80, 200])('are never wider than %d columns', (columns) => {
    const long = { ...VIEW, address: `http://测试/${'x'.repeat(300)}/{id}` }
    for (const line of liveLines(long, columns)) {
      expect(Bun.stringWidth(line)).toBeLessThanOrEqual(columns)
    }
  })

  test('let nothing through that moves the cursor', () => {
    const lines = liveLines({ ...VIEW, address: 'a\x1b[2J\r\nb', errors: { 'x\x1b[31m': 1 } }, 100)
    expect(lines[0]).toBe('flood       1:02  a?[2J??b')
    expect(lines[4]).toBe('errors      x?[31m 1')
  })

  test('name what came twice, out of order or unchecked', () => {
    const received = { ...VIEW.received, duplicated: 1, reordered: 2, untracked: 3_000 }
    expect(liveLines({ ...VIEW, received }, 120)[2]).toEndWith(
      '1,234,567 in all, 1 twice, 2 out of order, 3,000 unchecked',
    )
  })

  test.each<[LiveView['errors'], string]>([
    [{}, 'none'],
    [{ a: 1, b: 5, c: 3, d: 2, e: 4, f: 1 }, 'b 5, e 4, c 3, d 2 and 2 other kinds'],
  ])('name the most frequent errors: %j', (errors, text) => {
    expect(liveLines({ ...VIEW, errors }, 100)[4]).toBe(`errors      ${text}`)
  })

  test('have curves without a largest value while there is nothing', () => {
    const [, , , , , rates, p99] = liveLines(
      { ...VIEW, recentRates: [0, 0], recentP99Ms: [null, null] },
      100,
    )
    expect([rates, p99]).toEqual(['messages/s  ▁▁', 'p99         '])
  })

  test('have color only where it is asked for', () => {
    const plain = liveLines(VIEW, 100)
    expect(plain.join('')).not.toContain('\x1b')
    const painted = paintLines(plain)
    expect(painted[4]).toBe('\x1b[2merrors      \x1b[22m\x1b[31mreset 4, refused 1\x1b[39m')
    expect(painted.map((line) => Bun.stripANSI(line))).toEqual(plain)
  })
})

describe('the history', () => {
  test('has rates of the time since the sample before', () => {
    const history = new LiveHistory('http://x/{id}', 100)
    history.add(sampleOf(1, 0, null))
    history.add(sampleOf(3, 5_000, 7))
    expect(history.view).toMatchObject({
      seconds: 3,
      openedPerSecond: 10,
      messagesPerSecond: 2_500,
      bytesPerSecond: 25_000,
      recentRates: [0, 2_500],
      recentP99Ms: [null, 7],
    })
    // Two samples at the same moment have no rate between them.
    history.add(sampleOf(3, 6_000, 7, { reset: 1 }))
    expect(history.view).toMatchObject({ messagesPerSecond: 0, errors: { reset: 1 } })
  })

  test('is a minute long', () => {
    const history = new LiveHistory('http://x/{id}', 100)
    for (let second = 1; second <= 100; second++) history.add(sampleOf(second, 0, second))
    expect(history.view.recentRates).toHaveLength(60)
    expect(history.view.recentP99Ms[0]).toBe(41)
  })
})

describe('shown', () => {
  function shown(lines: LiveLines | null) {
    const io = { stderrHasColor: false, openLive: () => lines }
    return showLive(io, 'http://x/{id}', 10)
  }

  test('it is drawn at once and again with each sample', () => {
    const drawn: string[] = []
    let isClosed = false
    const live = shown({
      draw: (render) => drawn.push(render(60).join('\n')),
      close: () => {
        isClosed = true
      },
    })
    live?.add(sampleOf(1, 300, 5, { reset: 2 }))
    expect(drawn).toHaveLength(2)
    expect(drawn[0]).toContain('0 open of 10')
    expect(drawn[1]).toContain('300 messages/s')
    expect(drawn[1]).toContain('reset 2')
    live?.close()
    expect(isClosed).toBe(true)
  })

  test('it is not there where nothing can be drawn', () => {
    expect(shown(null)).toBeNull()
  })
})
