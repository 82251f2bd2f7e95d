// Sets comet beside other servers of the same job, in turns on the same machine: the same client,
// the same streams, the same messages. Prints the tables, writes the JSON and, of a whole
// comparison, the tables in bench/README.md.
//
//   bun run bench:peers                                all of it
//   bun run bench:peers --only comet,nchan --rounds 1  a part, into results/peers-partial.json
//   bun run bench:peers --check                        only what the machine lacks
//   bun run bench:peers --render                       only the tables in bench/README.md, again

import { mkdir } from 'node:fs/promises'
import { formatCount, formatMs } from '../../src/core/units.ts'
import { COMET } from '../harness/comet.ts'
import { readMachine } from '../harness/machine.ts'
import { inOwnNetwork, isInOwnNetwork } from '../harness/network.ts'
import { buildComet } from '../harness/prepare.ts'
import type { TurnFigures } from './figures.ts'
import { lookForPeers, readPeerVersions } from './installed.ts'
import { rotated } from './names.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { withTables } from './readme.ts'
import {
  isFlawless,
  type PeersReport,
  peersReport,
  readReport,
  type TurnOutcome,
} from './report.ts'
import { type Found, lacking, lackingText } from './requirements.ts'
import { prepareServers } from './servers.ts'
import { peersTables } from './table.ts'
import { takeTurn } from './turn.ts'

const EXIT = { ok: 0, failed: 1, impossible: 2 } as const

const RESULTS = `${import.meta.dir}/../results`
const README = `${import.meta.dir}/../README.md`

/** No connection is left in TIME_WAIT, whose memory would come and go under the next server. */
const NETWORK = { settings: { 'ipv4/tcp_max_tw_buckets': '0' } }

const startedMs = performance.now()

function say(text: string): void {
  const seconds = Math.round((performance.now() - startedMs) / 1000)
  console.error(`${String(seconds).padStart(5)} s  ${text}`)
}

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args)
  if (typeof options === 'string') {
    console.error(`bench:peers: ${options}\n\n${USAGE}`)
    return EXIT.impossible
  }
  if (options.task === 'render') return await render()
  const found = await lookForPeers()
  const lacks = lacking(found, options.peers, options.work.connections)
  if (lacks.length > 0 || options.task === 'check') {
    console.error(`bench:peers: ${lackingText(lacks, options.peers)}`)
    return lacks.length > 0 ? EXIT.impossible : EXIT.ok
  }
  if (options.build) await buildComet()
  if (!(await Bun.file(COMET).exists())) {
    console.error(`bench:peers: there is no ${COMET}; leave out --no-build`)
    return EXIT.impossible
  }
  return await compare(options, found, ['bun run bench:peers', ...args].join(' '))
}

async function compare(options: Options, found: Found, command: string): Promise<number> {
  const { peers, rounds, work } = options
  const conditions = {
    date: new Date(),
    command,
    machine: readMachine(),
    ownNetwork: isInOwnNetwork(),
    versions: await readPeerVersions(),
    rounds,
    work,
  }
  const outcomes = await takeTurns(options, found)
  const seconds = Math.round((performance.now() - startedMs) / 1000)
  const report = peersReport({ ...conditions, seconds }, peers, outcomes)
  console.log(peersTables(report))
  await write(report, options.isWhole)
  return isFlawless(report) ? EXIT.ok : EXIT.failed
}

/** A turn that breaks off is an outcome, so that it does not take the others with it. */
async function takeTurns(options: Options, found: Found): Promise<TurnOutcome[]> {
  const { peers, rounds, work } = options
  await using servers = await prepareServers(peers, found, work)
  const outcomes: TurnOutcome[] = []
  for (let round = 0; round < rounds; round++) {
    for (const peer of rotated(peers, round)) {
      try {
        const turn = await takeTurn(servers.start[peer], work)
        outcomes.push({ peer, round, turn })
        say(`round ${round + 1} of ${rounds}, ${peer}: ${inShort(turn.figures)}`)
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        outcomes.push({ peer, round, why })
        say(`round ${round + 1} of ${rounds}, ${peer} failed: ${why}`)
      }
    }
  }
  return outcomes
}

function inShort({ deliveredPerSecond, p99Ms }: TurnFigures): string {
  const delivered = deliveredPerSecond === null ? 'none' : formatCount(deliveredPerSecond)
  return `${delivered} delivered a second, p99 ${formatMs(p99Ms)}`
}

async function write(report: PeersReport, isWhole: boolean): Promise<void> {
  await mkdir(RESULTS, { recursive: true })
  const file = `${RESULTS}/peers${isWhole ? '' : '-partial'}.json`
  await Bun.write(file, `${JSON.stringify(report, null, 2)}\n`)
  say(`wrote ${file}`)
  if (isWhole) await render()
}

async function render(): Promise<number> {
  const report = await readReport(`${RESULTS}/peers.json`)
  const text = await Bun.file(README).text()
  const fresh = report === undefined ? null : withTables(text, peersTables(report))
  if (fresh === null) {
    console.error('bench:peers: there is no result to write, or no place for it in the README')
    return EXIT.failed
  }
  await Bun.write(README, fresh)
  say(`wrote ${README}`)
  return EXIT.ok
}

const args = process.argv.slice(2)
process.exit((await inOwnNetwork(args, NETWORK)) ?? (await main(args)))
