// Goal: what the charts draw agrees with the figures, and has nothing in it that comes from how
// samples are taken. Method: small made runs.

import { describe, expect, test } from 'bun:test'
import { drawnColumns, memoryCurves, memoryUnit } from './curves.ts'
import { measuredMillion } from './report.fixture.ts'
import { type MillionReport, millionReport } from './report.ts'

const CONDITIONS = {
  ...{ date: new Date(0), command: 'bun run bench:million', settings: {}, check: [] },
  machine: {
    ...{ processor: 'AMD EPYC', cores: 2, memoryBytes: 24e9, kernel: 'linux 6.18 x64' },
    openFilesLimit: 20_000,
  },
  versions: { comet: 'comet 0.1.0', bun: '1.4.5', cc: null },
}

/** A run whose samples and phase of opening are these. */
function reportOf(samples: MillionReport['samples'], toSeconds: number): MillionReport {
  const phases = [{ name: 'open', fromSeconds: 1, toSeconds }]
  return { ...millionReport(CONDITIONS, measuredMillion()), phases, samples, connections: 10_000 }
}

const SAMPLES = {
  seconds: [1.6, 2.6, 3.6, 4.6],
  opened: [0, 9_665, 10_000, 10_000],
  openedPerSecond: [null, 9_429, 335, 0],
  takenBytes: [0, 2 ** 20, 2 ** 21, 2 ** 21],
  machineCores: [1.5, 6.1, 2, 0.1],
  floodCores: [0.5, 3, 1, 0],
}

describe('a second that was looked at for longer', () => {
  test('has no cores, of which it would have more than the machine', () => {
    const column = drawnColumns(reportOf(SAMPLES, 60))
    expect(column('machineCores')).toEqual([1.5, null, 2, 0.1])
    expect(column('floodCores')).toEqual([0.5, null, 1, 0])
    expect(column('takenBytes')).toEqual(SAMPLES.takenBytes)
  })
})

describe('an opening', () => {
  test('of a second or two begins and ends when the server says, at its mean rate', () => {
    const report = reportOf(SAMPLES, 2.3)
    const rate = report.figures.find(({ figure }) => figure === 'openedPerSecond')?.value ?? null
    const column = drawnColumns(report)
    const seconds = column('seconds').map((at) => Number(at?.toFixed(2)))
    expect(seconds).toEqual([0.99, 1, 1.6, 2.3, 2.31, 2.6, 3.6, 4.6])
    expect(column('opened')).toEqual([0, 0, null, 10_000, 10_000, null, null, 10_000])
    expect(column('openedPerSecond')).toEqual([0, rate, null, rate, 0, null, null, 0])
    expect(column('takenBytes')).toEqual([null, null, 0, null, null, 2 ** 20, 2 ** 21, 2 ** 21])
  })

  test('that is longer is what the client counted', () => {
    expect(drawnColumns(reportOf(SAMPLES, 60))('opened')).toEqual(SAMPLES.opened)
  })
})

describe('memory', () => {
  const curve = (bytes: number) => {
    const column = drawnColumns(reportOf({ ...SAMPLES, takenBytes: [0, 0, 0, bytes] }, 60))
    const unit = memoryUnit(column)
    return [unit.text, memoryCurves(column, unit)[0]?.values.at(-1)]
  }

  test('is in the unit of the figures, or a smaller one for a small run', () => {
    expect([curve(3 * 2 ** 30), curve(2 ** 29)]).toEqual([
      ['GiB', 3],
      ['MiB', 512],
    ])
  })
})
