// Goal: the page holds all that the report says, as text that nothing can break out of, and loads
// nothing. Method: whole pages of made reports, read as text and through a parser of HTML.

import { describe, expect, test } from 'bun:test'
import type { ChartData } from '../report/chart.ts'
import type { FloodReport } from './flood-report.ts'
import type { PageSample } from './html-file.ts'
import { distributionOf, type FloodPage, floodPage } from './html-page.ts'
import { newHistogram, percentileMs } from './totals.ts'

const REPORT: FloodReport = {
  behaviour: { reopened: 0, churned: 0, slow: 0, slowEnded: 0, vanished: 0 },
  lateness: { connections: 0, maxMs: 0 },
  examples: [],
  comparison: null,
  server: null,
  cursors: null,
  resume: null,
  storm: null,
  client: { processes: 1, coresMax: 0.5, loopLateMaxMs: 2, busySeconds: 0 },
  connections: { wanted: 1_000, opened: 998, failed: 2, closed: 1 },
  connect: { perSecond: 4_321, p50Ms: 1.25, p99Ms: 12.5, maxMs: 2_500 },
  received: {
    chunks: 31_337,
    bytes: 990_001,
    messages: 30_339,
    duplicated: 7,
    reordered: 8,
    untracked: 9,
  },
  latency: { p50Ms: 0.51, p99Ms: 5.25, p999Ms: 51.5, maxMs: 123 },
  errors: { refused: 1, reset: 1_200 },
}

function sampleOf(seconds: number): PageSample {
  const times = { p50Ms: 1, p99Ms: 2, p999Ms: 3, maxMs: 4 }
  return {
    ...{ seconds, open: 997, opened: 998, failed: 2, closed: 1 },
    ...{ messages: 1_000 * seconds, bytes: 30_000 * seconds, ...times },
  }
}

const PAGE: FloodPage = {
  report: REPORT,
  samples: [sampleOf(1), sampleOf(2), sampleOf(2.1)],
  distribution: { rests: [1, 2, 10], latenciesMs: [0.1, 0.5, 2] },
  began: new Date(Date.UTC(2026, 10, 30, 10, 19, 33)),
  command: 'comet flood --html page.html',
  versions: { comet: 'comet 0.1.0', Bun: '1.4.5' },
}

/** The rows of all tables, a cell's text each. */
function rowsOf(html: string): string[][] {
  return [...html.matchAll(/<tr>(.*?)<\/tr>/g)].map(([, row = '']) =>
    [...row.matchAll(/<t[dh][^>]*>(.*?)<\/t[dh]>/g)].map(([, text = '']) => text),
  )
}

function chartsOf(html: string): ChartData {
  const [, json = ''] =
    /<script type="application\/json" id="data">(.*?)<\/script>/.exec(html) ?? []
  return JSON.parse(json)
}

describe('the page', () => {
  const html = floodPage(PAGE)

  test('has every figure of the report, by its name in the JSON', () => {
    const rows = rowsOf(html).map((row) => row.slice(-2).join(' '))
    for (const row of [
      ...['wanted 1,000', 'opened 998', 'failed 2', 'closed 1', 'per second 4,321', 'p50 1.25 ms'],
      ...['p99 12.5 ms', 'max 2.50 s', 'chunks 31,337', 'bytes 990,001', 'messages 30,339'],
      ...['duplicated 7', 'reordered 8', 'untracked 9', 'p50 0.51 ms', 'p99 5.25 ms'],
      ...['p99.9 51.5 ms', 'max 123 ms'],
    ]) {
      expect(rows).toContain(row)
    }
  })

  test('has errors by kind, the most frequent first', () => {
    const rows = rowsOf(html).map((row) => row.join(' '))
    const at = rows.indexOf('kind connections')
    expect(rows.slice(at + 1, at + 3)).toEqual(['reset 1,200', 'refused 1'])
    expect(floodPage({ ...PAGE, report: { ...REPORT, errors: {} } })).toContain('<p>Nothing.</p>')
  })

  test('says how to repeat it, and on what it ran', () => {
    expect(html).toContain('<pre>comet flood --html page.html</pre>')
    expect(rowsOf(html)).toContainEqual(['Bun', '1.4.5'])
  })

  test('has the date', () => {
    expect(html).toContain('2026-11-30, 10:19 UTC')
  })

  test('says whether all went well', () => {
    expect(html).toContain('class="bad"')
    const connections = { wanted: 5, opened: 5, failed: 0, closed: 0 }
    const received = { ...REPORT.received, duplicated: 0, reordered: 0, untracked: 0 }
    const good = floodPage({ ...PAGE, report: { ...REPORT, connections, received } })
    expect(good).not.toContain('class="bad"')
    expect(good).toContain('class="good"')
  })

  test('says what became of streams that were closed on purpose, stopped reading or vanished', () => {
    const connections = { wanted: 5, opened: 5, failed: 0, closed: 0 }
    const received = { ...REPORT.received, duplicated: 0, reordered: 0, untracked: 0 }
    const textOf = (some: Partial<FloodReport['behaviour']>) =>
      floodPage({
        ...PAGE,
        report: {
          ...{ ...REPORT, connections, received },
          behaviour: { ...REPORT.behaviour, ...some },
        },
      })
    expect(textOf({})).toContain('every stream opened and stayed open')
    const churned = textOf({ churned: 583, reopened: 580 })
    expect(churned).not.toContain('stayed open')
    expect(churned).toContain('583 were closed by the client to be reopened, 580 of them were')
    const burdened = textOf({ slow: 4, slowEnded: 3, vanished: 2 })
    expect(burdened).not.toContain('stayed open')
    expect(burdened).toContain('4 stopped reading, 3 of which the server ended; 2 vanished')
  })

  test('has a place and data for each chart', () => {
    const { charts } = chartsOf(html)
    expect(charts.map(({ id }) => id)).toEqual(['connections', 'rates', 'latency', 'distribution'])
    for (const { id, places, curves } of charts) {
      expect(html).toContain(`id="${id}"`)
      for (const { values } of curves) expect(values).toHaveLength(places.length)
    }
    for (const { axisName, rightFormat, rightName } of charts) {
      expect(axisName).not.toBe('')
      expect(rightName === undefined).toBe(rightFormat === undefined)
    }
    const [connections, rates, , distribution] = charts
    // 998 streams at 4,321 a second were open before the first sample.
    expect(connections?.places).toEqual([0, 998 / 4_321, 1, 2, 2.1])
    expect(connections?.curves.map(({ values }) => values.slice(0, 3))).toEqual([
      [0, 997, 997],
      [0, 2, 2],
      [0, 1, 1],
    ])
    // The last sample is too close to the one before for a rate.
    expect(rates?.curves.map(({ values }) => values)).toEqual([
      [1_000, 1_000, null],
      [30_000, 30_000, null],
    ])
    expect([distribution?.places, distribution?.curves[0]?.values]).toEqual([
      [1, 2, 10],
      [0.1, 0.5, 2],
    ])
  })

  test('never gives a logarithmic axis a zero', () => {
    const samples = [
      { ...sampleOf(1), p50Ms: 0 },
      { ...sampleOf(2), p50Ms: null },
    ]
    const [, , latency] = chartsOf(floodPage({ ...PAGE, samples })).charts
    expect(latency?.curves[0]?.values).toEqual([0.001, null])
  })

  test('of a run that saw nothing is whole, too', () => {
    const nothing: FloodPage = {
      ...PAGE,
      samples: [],
      distribution: { rests: [], latenciesMs: [] },
    }
    expect(chartsOf(floodPage(nothing)).charts).toHaveLength(4)
  })

  test('loads nothing, and lets no other script run than its own', () => {
    expect(html).not.toMatch(/(src|href)\s*=\s*["']/)
    expect(html).not.toMatch(/@import|url\(/)
    expect(html).toMatch(/default-src 'none'; script-src 'sha256-[\w+/=]+'; style-src 'sha256-/)
  })

  test('is not broken by text from elsewhere', () => {
    const evil = '</pre></script><script>alert(1)</script><img src="x" onerror=\'x\'>&amp;'
    const elements = elementsOf(
      floodPage({
        ...PAGE,
        report: { ...REPORT, errors: { [evil]: 1 } },
        command: `comet flood ${evil}`,
        versions: { [evil]: evil },
      }),
    )
    const plain = elementsOf(html)
    expect(plain.length).toBeGreaterThan(100)
    // It has other rows, and nothing else that is new.
    const isCell = (tag: string) => tag === 'tr' || tag === 'td'
    expect(elements.filter((tag) => !isCell(tag))).toEqual(plain.filter((tag) => !isCell(tag)))
  })
})

/** The elements as a parser of HTML sees them. */
function elementsOf(html: string): string[] {
  const found: string[] = []
  const rewriter = new HTMLRewriter().on('*', {
    element: ({ tagName }) => {
      found.push(tagName)
    },
  })
  rewriter.transform(html)
  return found
}

test('the latency distribution of no messages has no points', () => {
  expect(distributionOf(newHistogram())).toEqual({ rests: [], latenciesMs: [] })
})

test('the latency distribution of one message is one point', () => {
  const latency = newHistogram()
  latency.recordValue(1_500)
  expect(distributionOf(latency)).toEqual({ rests: [1], latenciesMs: [1.5] })
})

test('the latency distribution goes from the fastest message to the slowest, and never down', () => {
  const latency = newHistogram()
  for (let micros = 1; micros <= 100_000; micros++) latency.recordValue(micros)
  const { rests, latenciesMs } = distributionOf(latency)
  expect([rests[0], rests.at(-1)]).toEqual([1, 100_000])
  expect([latenciesMs[0], latenciesMs.at(-1)]).toEqual([0.001, percentileMs(latency, 100) ?? 0])
  expect(latenciesMs).toEqual(latenciesMs.toSorted((a, b) => a - b))
  // Half of all messages are faster than the point at two.
  expect(latenciesMs[rests.indexOf(2)]).toBeCloseTo(50, 0)
  // Five points each time the rest halves, and the last one.
  expect(rests).toHaveLength(Math.ceil(5 * Math.log2(100_000)) + 1)
})

test('the latency distribution of a billion messages is still short', () => {
  const latency = newHistogram()
  latency.recordValueWithCount(1_000, 1e9)
  latency.recordValue(9_000_000)
  const { rests, latenciesMs } = distributionOf(latency)
  expect(rests.length).toBeLessThan(160)
  expect(latenciesMs.at(-1)).toBe(9_000)
})
