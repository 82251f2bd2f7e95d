// What is made of a run: figures and their targets, the JSON, the page and the picture.

import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { makeFolder } from '../../scripts/support/folder.ts'
import type { Measured } from './figures.ts'
import { flawOf } from './flow.ts'
import { niceMost, niceStep, openingSvg } from './picture.ts'
import { newRecord } from './record.ts'
import { flowOf, measuredMillion } from './report.fixture.ts'
import { figureValue, MillionReport, millionReport } from './report.ts'
import { renderResults, sizeName, writeResults } from './results.ts'
import { sampleColumns } from './sampler.ts'
import { referenceRows, reportTable } from './table.ts'

const CONDITIONS = {
  date: new Date(0),
  command: 'bun run bench:million',
  machine: {
    processor: 'AMD EPYC',
    cores: 2,
    memoryBytes: 24e9,
    kernel: 'linux 6.18 x64',
    openFilesLimit: 20_000,
  },
  settings: { 'net.core.somaxconn': '4096' },
  versions: { comet: 'comet 0.1.0', bun: '1.4.5', cc: null },
  check: [],
}

function missed(measured: Measured): string[] {
  const { figures } = millionReport(CONDITIONS, measured)
  return figures.filter(({ met }) => met === false).map(({ figure }) => figure)
}

describe('the report', () => {
  test('of a good run is valid, met, and small', () => {
    const report = millionReport(CONDITIONS, measuredMillion())
    expect(Value.Check(MillionReport, JSON.parse(JSON.stringify(report)))).toBe(true)
    expect(report.ok).toBe(true)
    expect(JSON.stringify(report).length).toBeLessThan(300_000)
    expect(figureValue(report, 'subjectDeliveriesPerSecond')).toBe(64_000)
    expect(figureValue(report, 'serverPerStream')).toBe(918)
  })

  test('names the targets that were missed', () => {
    const measured = measuredMillion()
    const steady = flowOf('to', 16_666, { received: 9_999_599 })
    const record = { ...measured.record, steady, openAfterSteady: 999_999, serverExitCode: 70 }
    expect(missed({ ...measured, record })).toEqual(['streamsLost', 'serverExitCode'])
  })

  test('of a run that broke off at once has no figures, and is not ok', () => {
    const record = { ...newRecord(), failure: 'no server' }
    const report = millionReport(CONDITIONS, { connections: 1_000_000, record, samples: [] })
    expect(report.ok).toBe(false)
    expect(Value.Check(MillionReport, report)).toBe(true)
    expect(figureValue(report, 'streamsOpen')).toBeNull()
    expect(reportTable(report, [])).toContain('It broke off: no server')
    expect(openingSvg(report)).toStartWith('<svg')
  })

  test('counts what came beyond the promise as a fault, too', () => {
    const measured = measuredMillion()
    const { flood } = measured.record
    if (flood === null) throw new Error('the fixture has a flood')
    const received = { ...flood.received, messages: flood.received.messages + 1 }
    const record = { ...measured.record, flood: { ...flood, received } }
    expect(missed({ ...measured, record })).toEqual(['unpromised'])
    const unanswered = flowOf('subject', 9_000, { held: false })
    const gen = { ...unanswered.gen, delivered: 0, unanswered: 1_000 }
    const subjectSearch = [...record.subjectSearch, { ...unanswered, gen }]
    expect(missed({ ...measured, record: { ...record, subjectSearch } })).toEqual([])
  })

  test('has rows beside the reference', () => {
    const rows = referenceRows(millionReport(CONDITIONS, measuredMillion()))
    expect(rows.find(([what]) => what?.startsWith('loading'))?.[3]).toBe('9.8 s for 14,999,880')
    expect(rows.every(([, , , comet]) => comet !== '–')).toBe(true)
  })
})

describe('a flow', () => {
  const flow = flowOf('to', 1_000)

  test('without a flaw has none', () => {
    expect(flawOf(flow)).toBeNull()
  })

  test.each([
    [{ received: flow.received - 3 }, '3 missing deliveries'],
    [{ received: flow.received + 2 }, '2 unpromised deliveries'],
    [
      { gen: { ...flow.gen, unknown: 2 }, received: flow.received + 2 },
      '2 deliveries with unknown outcome',
    ],
    [{ received: flow.received + 1, duplicated: 1 }, '1 came twice'],
    [{ reordered: 4 }, '4 came out of order'],
    [{ givenUp: 7 }, 'the server gave up 7 deliveries'],
    [{ gen: { ...flow.gen, sent: flow.gen.sent + 5 } }, '5 messages without a receiver'],
    [{ closed: 1 }, '1 lost stream'],
    [{ gen: { ...flow.gen, perSecond: 979 } }, 'the rate was not kept: 979 messages/s'],
    [{ latency: { ...flow.latency, p99Ms: 1_500 } }, 'messages queue up: p99 1500 ms'],
  ])('%j is a flaw', (changes, why) => {
    expect(flawOf({ ...flow, ...changes })).toBe(why)
  })
})

describe('samples', () => {
  const { samples, record } = measuredMillion()

  test('are folded to the slowest, the last total and the mean', () => {
    const columns = sampleColumns(samples, record.phases)
    // 94 seconds of opening are all kept; of 906 after it three become one each time.
    expect(columns.seconds).toHaveLength(94 + 302)
    const part = samples.slice(94, 97)
    expect(columns.opened[94]).toBe(part.at(-1)?.opened ?? 0)
    expect(columns.seconds[94]).toBe(96)
    expect(columns.maxMs.at(-1)).toBe(
      Number(Math.max(...samples.slice(-3).map(({ maxMs }) => maxMs ?? 0)).toFixed(2)),
    )
  })

  test('of a run that broke off at once are none', () => {
    expect(sampleColumns([], [])).toEqual({} as never)
  })
})

test('sizes have short names', () => {
  expect([1_000_000, 2_000_000, 100_000, 10_000, 1_500, 12_345].map(sizeName)).toEqual([
    ...['1m', '2m', '100k', '10k', '1500', '12345'],
  ])
})

test('axes end and step at numbers that are easily read', () => {
  expect([13.7, 15, 0.9, 101].map(niceMost)).toEqual([16, 16, 1, 120])
  expect([niceStep(105, 8), niceStep(8, 8), niceStep(30, 8)]).toEqual([20, 1, 5])
})

test('results are written, found beside each other, and drawn again', async () => {
  await using folder = await makeFolder()
  const report = millionReport(CONDITIONS, measuredMillion())
  await writeResults(folder.path, report)
  const small = { ...report, connections: 10_000 }
  const written = await writeResults(folder.path, small)
  expect(written).toEqual(['json', 'html', 'svg'].map((end) => `${folder.path}/million-10k.${end}`))
  const html = await Bun.file(`${folder.path}/million-10k.html`).text()
  expect(html).toContain('1,000,000 streams</th>')
  // Self-contained: nothing in it is loaded from elsewhere.
  expect(html).not.toMatch(/(src|href)\s*=\s*["']/)
  await writeResults(folder.path, { ...report, failure: 'it broke', ok: false })
  expect(await Bun.file(`${folder.path}/million-1m-failed.json`).exists()).toBe(true)
  expect(await renderResults(folder.path)).toHaveLength(4)
})

test('a result of before is drawn again with the titles of today, and its own figures', async () => {
  await using folder = await makeFolder()
  const report = millionReport(CONDITIONS, measuredMillion())
  const page = () => Bun.file(`${folder.path}/million-1m.html`).text()
  await writeResults(folder.path, report)
  const now = await page()
  const figures = report.figures.map((of) => ({ ...of, title: `once ${of.title}` }))
  await writeResults(folder.path, { ...report, figures })
  expect(await page()).toContain('once streams open at once')
  await renderResults(folder.path)
  expect(await page()).toBe(now)
})
