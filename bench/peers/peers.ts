// Compares comet with other servers of the same job, in turns on the same machine: the same client,
// the same streams, the same messages. Prints the tables, writes the JSON and, of a whole
// comparison, the tables in bench/README.md.
//
//   bun run bench:peers                                all of it
//   bun run bench:peers --only comet,nchan --rounds 1  a part, into results/peers-partial.json
//   bun run bench:peers --check                        only what the machine lacks
//   bun run bench:peers --render                       only the tables in bench/README.md, again

import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { formatCount, formatMs } from '../../src/core/units.ts'
import { prepareComet } from '../harness/comet.ts'
import {
  count,
  duration,
  EXIT,
  elapsedLog,
  flag,
  noBuild,
  type OptionValues,
  RESULTS,
  readOptions,
  runCommand,
  text,
} from '../harness/command.ts'
import { type Conditions, conditionsOf } from '../harness/machine.ts'
import { isInOwnNetwork } from '../harness/network.ts'
import { jsonText, readReport } from '../harness/report.ts'
import {
  isFlawless,
  PeersReport,
  peersReport,
  type TurnFigures,
  type TurnOutcome,
} from './report.ts'
import {
  type Found,
  lookForPeers,
  missingFor,
  missingText,
  readPackageVersions,
} from './requirements.ts'
import { PEER_NAMES, type PeerName, prepareServers, type Work } from './servers.ts'
import { peersTables, withTables } from './table.ts'
import { takeTurn } from './turn.ts'

const README = resolve(import.meta.dir, '../README.md')

/** No connection is left in TIME_WAIT, whose memory would come and go under the next server. */
const NETWORK = { settings: { 'ipv4/tcp_max_tw_buckets': '0' } }

export const OPTIONS = {
  only: text('comet,nchan', `some of ${PEER_NAMES.join(', ')}`),
  rounds: count('5', 'turns of each server', { min: 1, max: 100 }),
  connections: count('15k', 'streams that each holds', { min: 1, max: 1_000_000 }),
  messages: count('300k', 'messages sent as fast as possible', { min: 1, max: 10_000_000 }),
  rate: count('10k', 'messages a second while latency is measured', { min: 1, max: 1_000_000 }),
  steady: duration('10s', 'how long that takes', { min: 1_000, max: 600_000 }),
  publishers: count('64', 'requests under way at once, where each carries one message', {
    min: 1,
    max: 256,
  }),
  'no-build': noBuild,
  check: flag('only say what the machine lacks'),
  render: flag('only write the tables into bench/README.md again'),
}

type Values = OptionValues<typeof OPTIONS>

interface Comparison {
  readonly peers: readonly PeerName[]
  readonly rounds: number
  readonly work: Work
  /** Is it the comparison that is published, and not a part of it or a smaller one? */
  readonly isWhole: boolean
}

const log = elapsedLog()

/** The comparison that the options ask for, or a sentence about what is invalid. */
export function comparisonOf(values: Values): Comparison | string {
  const { only, rounds, connections, messages, publishers } = values
  const names = only?.split(',') ?? [...PEER_NAMES]
  const unknown = names.find((name) => !PEER_NAMES.some((known) => known === name))
  if (unknown !== undefined) {
    return `there is no peer ${JSON.stringify(unknown)}, only ${PEER_NAMES.join(', ')}`
  }
  const peers = PEER_NAMES.filter((name) => names.includes(name))
  const rates = { ratePerSecond: values.rate, steadyMs: values.steady }
  const isWhole = peers.length === PEER_NAMES.length && isStandard(values)
  return { peers, rounds, work: { connections, messages, ...rates, publishers }, isWhole }
}

/** More rounds or another number of publishers are still the comparison that is published. */
function isStandard(values: Values): boolean {
  const standard = readOptions(OPTIONS, [])
  if (!standard.ok) throw new Error(standard.why)
  const names = ['connections', 'messages', 'rate', 'steady'] as const
  return (
    values.rounds >= standard.values.rounds &&
    names.every((name) => values[name] === standard.values[name])
  )
}

async function main(values: Values, args: readonly string[]): Promise<number | string> {
  const comparison = comparisonOf(values)
  if (typeof comparison === 'string') return comparison
  if (values.render && !values.check) return await render()
  const { peers, work } = comparison
  const found = await lookForPeers()
  const missing = missingFor(found, peers, work.connections)
  if (missing.length > 0) return missingText(missing, peers)
  if (values.check) {
    console.error(`bench:peers: ${missingText(missing, peers)}`)
    return EXIT.ok
  }
  const noComet = await prepareComet(!values['no-build'])
  if (noComet !== null) return noComet
  return await compare(comparison, found, await conditionsOf('bun run bench:peers', args))
}

async function compare(
  comparison: Comparison,
  found: Found,
  conditions: Conditions,
): Promise<number> {
  const { peers, rounds, work, isWhole } = comparison
  const versions = { ...conditions.versions, ...(await readPackageVersions()) }
  const outcomes = await takeTurns(comparison, found)
  const seconds = Math.round((Date.now() - conditions.date.getTime()) / 1000)
  const facts = { versions, ownNetwork: isInOwnNetwork(), rounds, work, seconds }
  const report = peersReport({ ...conditions, ...facts }, peers, outcomes)
  console.log(peersTables(report))
  await write(report, isWhole)
  return isFlawless(report) ? EXIT.ok : EXIT.failed
}

/** A turn that breaks off is an outcome, so that it does not take the others with it. */
async function takeTurns(
  { peers, rounds, work }: Comparison,
  found: Found,
): Promise<TurnOutcome[]> {
  await using servers = await prepareServers(peers, found, work)
  const outcomes: TurnOutcome[] = []
  for (let round = 0; round < rounds; round++) {
    for (const peer of rotated(peers, round)) {
      const turn = `round ${round + 1} of ${rounds}, ${peer}`
      try {
        const taken = await takeTurn(servers.start[peer], work)
        outcomes.push({ peer, round, turn: taken })
        log(`${turn}: ${inShort(taken.figures)}`)
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        outcomes.push({ peer, round, why })
        log(`${turn} failed: ${why}`)
      }
    }
  }
  return outcomes
}

/** Each round begins with another server, so that none has the same place in all of them. */
export function rotated<T>(all: readonly T[], round: number): T[] {
  const first = all.length === 0 ? 0 : round % all.length
  return [...all.slice(first), ...all.slice(0, first)]
}

function inShort({ deliveredPerSecond, p99Ms }: TurnFigures): string {
  const delivered = deliveredPerSecond === null ? 'none' : formatCount(deliveredPerSecond)
  return `${delivered} delivered a second, p99 ${formatMs(p99Ms)}`
}

async function write(report: PeersReport, isWhole: boolean): Promise<void> {
  await mkdir(RESULTS, { recursive: true })
  const file = `${RESULTS}/peers${isWhole ? '' : '-partial'}.json`
  await Bun.write(file, jsonText(report))
  log(`wrote ${file}`)
  if (isWhole) await render()
}

async function render(): Promise<number> {
  const report = await readReport(`${RESULTS}/peers.json`, PeersReport)
  const readme = await Bun.file(README).text()
  const written = report === undefined ? null : withTables(readme, peersTables(report))
  if (written === null) {
    console.error('bench:peers: there is no result to write, or no place for it in the README')
    return EXIT.failed
  }
  await Bun.write(README, written)
  log(`wrote ${README}`)
  return EXIT.ok
}

if (import.meta.main) await runCommand('bench:peers', OPTIONS, main, NETWORK)
