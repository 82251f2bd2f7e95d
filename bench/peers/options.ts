// What a comparison is asked to do: the options of the command, read and checked. Pure: it starts
// nothing.

import { parseArgs } from 'node:util'
import { parseCount, parseDurationMs } from '../../src/core/units.ts'
import { orWhyNot } from '../harness/options.ts'
import { PEER_NAMES, type PeerName } from './names.ts'

/** What each server has to do. */
export interface Work {
  readonly connections: number
  /** Sent as fast as they go. */
  readonly messages: number
  /** Of the messages whose latency is measured. */
  readonly ratePerSecond: number
  readonly steadyMs: number
  /** Requests under way at once where a request carries one message. */
  readonly publishers: number
}

export interface Options {
  readonly peers: readonly PeerName[]
  readonly rounds: number
  readonly work: Work
  /** Is it the comparison that is published, and not a part of it or a smaller one? */
  readonly isWhole: boolean
  readonly build: boolean
  readonly task: 'run' | 'check' | 'render'
}

export const USAGE = `bun run bench:peers [options]
  --only comet,nchan      some of ${PEER_NAMES.join(', ')}
  --rounds 5              turns of each server
  --connections 15k       streams that each holds
  --messages 300k         messages sent as fast as they go
  --rate 10k              messages a second while latency is measured
  --steady 10s            how long that takes
  --publishers 64         requests under way at once, where each carries one message
  --no-build              use dist/comet as it is
  --check                 only say what the machine lacks
  --render                only write the table into bench/README.md again`

const DEFAULTS = {
  rounds: '5',
  connections: '15k',
  messages: '300k',
  rate: '10k',
  steady: '10s',
  publishers: '64',
} as const

/** What comet gen and comet flood can do, and what a comparison that ends needs. */
const MOST = {
  rounds: 100,
  connections: 1_000_000,
  messages: 10_000_000,
  rate: 1_000_000,
  publishers: 256,
}

/** The options, or a sentence that says what is wrong with them. */
export function readOptions(args: readonly string[]): Options | string {
  return orWhyNot(() => parsed(args))
}

function parsed(args: readonly string[]): Options | string {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      rounds: { type: 'string', default: DEFAULTS.rounds },
      connections: { type: 'string', default: DEFAULTS.connections },
      messages: { type: 'string', default: DEFAULTS.messages },
      rate: { type: 'string', default: DEFAULTS.rate },
      steady: { type: 'string', default: DEFAULTS.steady },
      publishers: { type: 'string', default: DEFAULTS.publishers },
      'no-build': { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      render: { type: 'boolean', default: false },
    },
  })
  const peers = peersIn(values.only)
  if (typeof peers === 'string') return peers
  const counts = countsIn(values)
  if (typeof counts === 'string') return counts
  const steadyMs = parseDurationMs(values.steady)
  if (steadyMs === undefined || steadyMs < 1_000 || steadyMs > 600_000) {
    return '--steady is a duration like 10s, from 1s to 10min'
  }
  const { rounds, connections, messages, rate: ratePerSecond, publishers } = counts
  const work = { connections, messages, ratePerSecond, steadyMs, publishers }
  return {
    peers,
    rounds,
    work,
    isWhole: peers.length === PEER_NAMES.length && isUsual(rounds, work),
    build: !values['no-build'],
    task: values.check ? 'check' : values.render ? 'render' : 'run',
  }
}

function peersIn(only: string | undefined): PeerName[] | string {
  if (only === undefined) return [...PEER_NAMES]
  const wanted = only.split(',')
  const stranger = wanted.find((name) => !PEER_NAMES.some((known) => known === name))
  if (stranger !== undefined) {
    return `there is no peer ${JSON.stringify(stranger)}, only ${PEER_NAMES.join(', ')}`
  }
  return PEER_NAMES.filter((name) => wanted.includes(name))
}

type Counts = Record<keyof typeof MOST, number>

function countsIn(values: Readonly<Record<keyof typeof MOST, string>>): Counts | string {
  const counts: Counts = { ...MOST }
  for (const name of Object.keys(MOST) as (keyof typeof MOST)[]) {
    const count = parseCount(values[name])
    if (count === undefined || count < 1 || count > MOST[name]) {
      return `--${name} is a number like ${DEFAULTS[name]}, from 1 to ${MOST[name]}`
    }
    counts[name] = count
  }
  return counts
}

/** More rounds than usual are still the comparison, and so is another number of publishers. */
function isUsual(rounds: number, work: Work): boolean {
  return (
    rounds >= Number(DEFAULTS.rounds) &&
    work.connections === parseCount(DEFAULTS.connections) &&
    work.messages === parseCount(DEFAULTS.messages) &&
    work.ratePerSecond === parseCount(DEFAULTS.rate) &&
    work.steadyMs === parseDurationMs(DEFAULTS.steady)
  )
}
