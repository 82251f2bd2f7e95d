// Options are read as people write them, and what is invalid is named with what is allowed.

import { describe, expect, test } from 'bun:test'
import { OPTIONS as MILLION } from '../million/million.ts'
import { OPTIONS as PEERS } from '../peers/peers.ts'
import { OPTIONS as SOAK } from '../soak/soak.ts'
import { type OptionTable, readOptions, usageOf } from './command.ts'

describe('the values', () => {
  test('are the defaults without options', () => {
    const million = readOptions(MILLION, [])
    expect(million).toEqual({
      ok: true,
      values: {
        ...{ connections: 1_000_000, hold: 600_000, silence: 300_000, attempt: 15_000 },
        ...{ 'to-search': false, keep: null, results: null },
        ...{ 'no-build': false, check: false, anyway: false, render: false },
      },
    })
    expect(readOptions(SOAK, [])).toMatchObject({
      values: { connections: 10_000, rate: 5_000, duration: 3_600_000, 'no-build': false },
    })
  })

  test('are numbers as people write them', () => {
    const args = ['--connections', '100k', '--hold', '2m', '--silence', '1500ms', '--no-build']
    expect(readOptions(MILLION, [...args, '--keep', 'here'])).toMatchObject({
      values: {
        ...{ connections: 100_000, hold: 120_000, silence: 1_500, keep: 'here' },
        'no-build': true,
      },
    })
  })
})

describe('an invalid option is named in a sentence', () => {
  test.each([
    ['million', '--connections', 'many'],
    ['million', '--connections', '10'],
    ['million', '--hold', '10'],
    ['million', '--hold', '0s'],
    ['million', '--stay', '10s'],
    ['soak', '--connections', '10'],
    ['soak', '--rate', '1'],
    ['soak', '--duration', '1s'],
    ['peers', '--rounds', '0'],
    ['peers', '--rounds', 'five'],
    ['peers', '--connections', '10m'],
    ['peers', '--publishers', '1000'],
    ['peers', '--steady', '100ms'],
    ['peers', '--turns', '3'],
  ] as const)('bench:%s %s %s', (command, name, value) => {
    const table: OptionTable = { million: MILLION, soak: SOAK, peers: PEERS }[command]
    const read = readOptions(table, [name, value])
    expect(read.ok ? '' : read.why).toContain(name)
  })

  test('with its range', () => {
    expect(readOptions(SOAK, ['--duration', '1s'])).toEqual({
      ok: false,
      why: '--duration is a duration like 1h, from 1min to 7d',
    })
    expect(readOptions(SOAK, ['--rate', '1'])).toEqual({
      ok: false,
      why: '--rate is a number like 5k, from 100 to 1m',
    })
  })
})

test('the usage text has a line an option, with its default', () => {
  expect(usageOf('bench:soak', SOAK).split('\n')).toEqual([
    'bun run bench:soak [options]',
    '  --connections 10k   streams to hold',
    '  --rate 5k           messages a second, to one user each and about users together',
    '  --duration 1h       how long they flow',
    '  --churn 50          streams that close and open again a second',
    '  --slow 10           clients at a time that stop reading, until they are cut',
    '  --vanish 100        clients at a time that vanish without FIN or RST',
    '  --no-build          use dist/comet as it is',
  ])
})
