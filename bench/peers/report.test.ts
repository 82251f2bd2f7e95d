// Goal: the JSON and the tables say what was measured, and hide neither a turn that failed nor a
// figure in which comet is beaten. Method: turns of known numbers.

import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { CONDITIONS, turn } from './report.fixture.ts'
import {
  isFlawless,
  PeersReport,
  peersReport,
  ratiosTo,
  saturatedBy,
  type TurnOutcome,
} from './report.ts'
import type { PeerName } from './servers.ts'
import { figureCell, lossLines, peersTables, withTables } from './table.ts'

const PEERS: readonly PeerName[] = ['comet', 'comet-batch', 'evhttp', 'floor']

const OUTCOMES: readonly TurnOutcome[] = [
  turn('comet', 0, 30, { deliveredPerSecond: 20_000, grownPerStream: 3_000 }),
  turn('comet', 1, 30, { deliveredPerSecond: 30_000, grownPerStream: 3_200 }),
  turn('comet-batch', 0, 10),
  turn('comet-batch', 1, 10),
  turn('evhttp', 0, 30, { deliveredPerSecond: 10_000, grownPerStream: 2_700, p99Ms: null }),
  { peer: 'evhttp', round: 1, why: 'evhttp did not\n  listen' },
  turn('floor', 0, 10, { deliveredPerSecond: 40_000, grownPerStream: 60 }),
  turn('floor', 1, 10, { deliveredPerSecond: 50_000, grownPerStream: 64 }),
]

const REPORT = peersReport(CONDITIONS, PEERS, OUTCOMES)

function figure(peer: PeerName, name: string) {
  return REPORT.peers.find((of) => of.name === peer)?.figures.find((of) => of.figure === name)
}

describe('the report', () => {
  test('is as its schema says', () => {
    expect([...Value.Errors(PeersReport, REPORT)]).toEqual([])
    expect(REPORT.peers.map(({ name }) => name)).toEqual([...PEERS])
  })

  test('has every round, the median, and the ratio to the floor of the same round', () => {
    expect(figure('comet', 'deliveredPerSecond')).toMatchObject({
      value: { median: 25_000, min: 20_000, max: 30_000 },
      ratio: { median: 0.55, min: 0.5, max: 0.6 },
      runs: [20_000, 30_000],
    })
    expect(figure('floor', 'deliveredPerSecond')?.ratio).toBeNull()
    expect(figure('comet', 'serverCores')?.ratio).toBeNull()
  })

  test('shows a turn that failed as failed', () => {
    const evhttp = REPORT.peers.find(({ name }) => name === 'evhttp')
    expect(evhttp?.failures).toEqual([{ round: 2, why: 'evhttp did not\n  listen' }])
    expect(figure('evhttp', 'deliveredPerSecond')?.runs).toEqual([10_000, null])
    expect(figure('evhttp', 'p99Ms')).toMatchObject({ value: null, ratio: null })
    expect(isFlawless(REPORT)).toBeFalse()
  })

  test('without the floor has no ratios, and without turns no figures', () => {
    const alone = peersReport(CONDITIONS, ['comet', 'nchan'], OUTCOMES.slice(0, 2))
    expect([...Value.Errors(PeersReport, alone)]).toEqual([])
    expect(alone.peers[0]?.figures.every(({ ratio }) => ratio === null)).toBeTrue()
    expect(alone.peers[1]?.figures.every(({ value }) => value === null)).toBeTrue()
    expect(alone.peers[1]?.saturatedBy).toBe('not measured')
  })

  test('is flawless when everything arrived once and in order', () => {
    const [first] = OUTCOMES
    if (first === undefined || !('turn' in first)) throw new Error('the fixture has no turn')
    const only = (outcome: TurnOutcome) =>
      isFlawless(peersReport({ ...CONDITIONS, rounds: 1 }, ['comet'], [outcome]))
    expect(only(first)).toBeTrue()
    const lost = { ...first.turn, counts: { ...first.turn.counts, lost: 1 } }
    expect(only({ ...first, turn: lost })).toBeFalse()
    const failing = { ...first, turn: { ...first.turn, errors: { reset: 2 } } }
    expect(peersTables(peersReport(CONDITIONS, ['comet'], [failing]))).toContain(
      '- comet, requests: 2 reset',
    )
    const closed = { ...first.turn, streams: { failed: 0, closed: 1 } }
    expect(only({ ...first, turn: closed })).toBeFalse()
  })
})

describe('the tables', () => {
  test('have a row for each server, and columns that line up', () => {
    const lines = peersTables(REPORT).split('\n')
    expect(lines.filter((line) => line.startsWith('| comet, batches'))).toHaveLength(4)
    const first = lines.filter((line) => line.startsWith('|')).slice(0, 6)
    expect(new Set(first.map((line) => line.length)).size).toBe(1)
  })

  test('have the median, the runs around it and the ratio in a cell', () => {
    expect(figureCell(figure('comet', 'deliveredPerSecond'))).toBe('25,000 (20,000–30,000) ×0.55')
    expect(figureCell(figure('comet', 'grownPerStream'))).toBe('3,100 (3,000–3,200) ×50')
    expect(figureCell(figure('floor', 'p50Ms'))).toBe('10.00')
    expect(figureCell(figure('evhttp', 'p99Ms'))).toBe('–')
    expect(figureCell(undefined)).toBe('–')
  })

  test('say what failed, what batches are not, and where it can be repeated', () => {
    const text = peersTables(REPORT)
    expect(text).toContain('- evhttp failed in round 2: evhttp did not listen')
    expect(text).toContain('none of them takes batches')
    expect(text).toContain('Repeat with: `bun run bench:peers`')
    expect(text).toContain('libevent 2.1.12')
    expect(text).not.toContain('nchan null')
  })

  test('say where comet is beaten, the best first, and not by its own batches', () => {
    const lines = lossLines(REPORT.peers)
    expect(lines).toContain(
      '- process memory a stream, growth: comet 3,100 bytes; bare epoll in C 62, evhttp 2,700',
    )
    expect(lines).toContain('- delivered a second: comet 25,000; bare epoll in C 45,000')
    expect(lines.join('\n')).not.toContain('batches')
    // 30 against 30.
    expect(lines.find((line) => line.startsWith('- p50'))).not.toContain('evhttp')
    expect(lossLines(REPORT.peers.filter(({ name }) => name === 'comet'))).toEqual([
      '- Nowhere in what was measured.',
    ])
  })
})

describe('the README', () => {
  const TEXT =
    'Before\n<!-- peers: written by bun run bench:peers -->\nold\n<!-- /peers -->\nAfter\n'

  test('has the tables between its marks, and again in their place', () => {
    const once = withTables(TEXT, 'new') ?? ''
    expect(once).toBe(TEXT.replace('\nold\n', '\n\nnew\n\n'))
    expect(withTables(once, 'newer')).toBe(TEXT.replace('\nold\n', '\n\nnewer\n\n'))
  })

  test('without marks is left alone', () => {
    expect(withTables('Before and after', 'new')).toBeNull()
  })

  test('of this folder has the marks', async () => {
    const text = await Bun.file(`${import.meta.dir}/../README.md`).text()
    expect(withTables(text, 'new')).not.toBeNull()
  })
})

describe('a ratio to the floor', () => {
  test('is of the same round, not of the medians', () => {
    expect(ratiosTo([10, 20, 40], [20, 20, 20])).toEqual([2, 1, 0.5])
  })

  test('is null where either side is missing, or the floor is nothing', () => {
    expect(ratiosTo([10, null, 0, -5], [null, 20, 5, 5])).toEqual([null, null, null, null])
    expect(ratiosTo([], [1, 2])).toEqual([null, null])
  })
})

describe('what had no more to give', () => {
  const IDLE = { server: 0.4, gen: 0.3, flood: 0.2, machine: 0.9 }

  test.each([
    [{ ...IDLE, server: 0.99 }, 'the server'],
    [{ ...IDLE, gen: 1.02, flood: 0.95 }, 'the generator, the client'],
    [{ server: 0.8, gen: 0.7, flood: 0.4, machine: 1.95 }, 'the machine'],
    [{ ...IDLE, server: 0.95, machine: 1.98 }, 'the server, the machine'],
    [IDLE, 'waiting for each other'],
  ])('%j: %s', (cores, words) => {
    expect(saturatedBy(cores, 2)).toBe(words)
  })
})
