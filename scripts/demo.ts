// The whole of comet in one run: a server with a graph of friends, a flood of streams, generators,
// and the proof that every delivery the server promised arrived once and in order.
//
//   bun run demo                            10,000 streams, 16,666 messages a second, 15 s
//   bun run demo --connections 2000 --rate 5000 --seconds 5

import { parseArgs } from 'node:util'
import { withTimeout } from '../src/core/deadline.ts'
import { formatCount, formatMs } from '../src/core/units.ts'
import { type ChildProcess, type Finished, succeed, waitFor } from './support/child-process.ts'
import { COMET, type CometServer, serve, start } from './support/comet.ts'
import { makeFolder } from './support/folder.ts'

/** Milliseconds for everything but the messages: to build, to open and to come to an end. */
const AROUND_MS_MAX = 300_000

interface FloodJson {
  readonly connections: { wanted: number; opened: number; failed: number; closed: number }
  readonly connect: { perSecond: number }
  readonly received: { messages: number; duplicated: number; reordered: number; untracked: number }
  readonly latency: { p50Ms: number | null; p99Ms: number | null; maxMs: number | null }
  readonly errors: Record<string, number>
}

interface GenJson {
  readonly sent: number
  readonly rejected: number
  readonly delivered: number
  readonly perSecond: number
  readonly seconds: number
  readonly unanswered: number
}

interface Wish {
  readonly connections: number
  /** Messages a second to one user each. */
  readonly rate: number
  /** Messages a second about subjects, each to all who follow them. */
  readonly subjects: number
  readonly seconds: number
}

interface Outcome {
  readonly streams: number
  readonly subscriptions: number
  readonly flood: FloodJson
  readonly direct: GenJson
  readonly about: GenJson
  readonly bytesPerStream: number
  readonly serverExitCode: number
}

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '10000' },
    rate: { type: 'string', default: '16666' },
    subjects: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '15' },
    'no-build': { type: 'boolean', default: false },
  },
  strict: true,
})

function say(text: string): void {
  console.error(`demo: ${text}`)
}

async function demo(wish: Wish, folder: string): Promise<Outcome> {
  const timeoutMs = AROUND_MS_MAX + wish.connections + wish.seconds * 1_000
  const friends = `${folder}/friends.txt`
  const db = `${folder}/comet.db`
  say(
    `comet friends makes up who follows whom among ${formatCount(wish.connections)} users, and loads it`,
  )
  const users = ['--users', String(wish.connections)]
  await succeed([COMET, 'friends', 'generate', ...users, '--output', friends], { timeoutMs })
  await succeed([COMET, 'friends', 'load', friends, '--db', db], { timeoutMs })

  await using server = await serve(['--db', db], { timeoutMs })
  say(`comet serve listens on ${server.publicUrl}, its control port on ${server.controlUrl}`)
  const before = await server.stats()
  const streams = Math.min(wish.connections, before.streams.limit)
  if (streams < wish.connections) {
    say(
      `the open-files limit has room for ${formatCount(streams)} streams, so it is ${formatCount(streams)}`,
    )
  }

  say(`comet flood opens ${formatCount(streams)} streams`)
  const url = `${server.publicUrl}/test/{id}`
  await using flood = start(['flood', url, '--connections', String(streams), '--json'], {
    timeoutMs,
  })
  await waitFor('all streams to open', () => isOpen(server, flood, streams), 60_000)
  const { residentBytes } = (await server.stats()).process

  say(`comet gen sends ${formatCount(wish.rate)} messages a second to one user each,`)
  say(`and another ${formatCount(wish.subjects)} a second about users, to all who follow them`)
  const ids = ['--users', String(streams), '--duration', `${wish.seconds}s`, '--json']
  const gen = (address: string, rate: number) => {
    const wanted = ['--address', address, '--rate', String(rate), ...ids]
    return start(['gen', server.controlUrl, ...wanted], { timeoutMs })
  }
  await using toOne = gen('to', wish.rate)
  await using aboutOne = gen('subject', wish.subjects)
  const direct = json<GenJson>('comet gen', await toOne.finished)
  const about = json<GenJson>('comet gen', await aboutOne.finished)
  await waitFor('the outboxes to empty', async () => {
    return (await server.stats()).outbox.queuedBytes === 0
  })
  flood.kill('SIGINT')
  const flooded = json<FloodJson>('comet flood', await flood.finished)
  server.kill('SIGTERM')
  const { exitCode } = await server.finished
  return {
    streams,
    subscriptions: before.subscriptions.held,
    flood: flooded,
    direct,
    about,
    bytesPerStream: (residentBytes - before.process.residentBytes) / streams,
    serverExitCode: exitCode,
  }
}

async function isOpen(server: CometServer, flood: ChildProcess, streams: number): Promise<boolean> {
  if (flood.exitCode !== null) throw new Error(`comet flood ended: ${flood.stderr}`)
  return (await server.stats()).streams.open >= streams
}

/** What a command printed; its exit code is in what it printed. */
function json<T>(name: string, { stdout, stderr, exitCode }: Finished): T {
  if (stderr.trim() !== '') say(stderr.trim())
  if (stdout.trim() === '') throw new Error(`${name} printed nothing and ended with ${exitCode}`)
  return JSON.parse(stdout) as T
}

/** The summary, and whether all of it is as it should be. */
function summary(outcome: Outcome): { text: string; flawless: boolean } {
  const { streams, flood, direct, about, serverExitCode } = outcome
  const { opened, failed, closed } = flood.connections
  const { messages, duplicated, reordered, untracked } = flood.received
  const promised = direct.delivered + about.delivered
  const missing = promised - (messages - duplicated)
  const lost = failed + closed
  const { latency } = flood
  const rows: [string, string][] = [
    ['subscriptions', formatCount(outcome.subscriptions)],
    [
      'streams opened',
      `${formatCount(opened)} of ${formatCount(streams)}, ${formatCount(flood.connect.perSecond)}/s`,
    ],
    ['streams lost', formatCount(lost)],
    ['messages to one user', sentBy(direct)],
    ['messages about one', sentBy(about)],
    [
      'deliveries promised',
      `${formatCount(promised)}, of them ${formatCount(about.delivered)} to followers`,
    ],
    ['deliveries received', formatCount(messages)],
    ['missing', formatCount(missing)],
    ['duplicated', formatCount(duplicated)],
    ['out of order', formatCount(reordered)],
    [
      'latency',
      `p50 ${formatMs(latency.p50Ms)}, p99 ${formatMs(latency.p99Ms)}, max ${formatMs(latency.maxMs)}`,
    ],
    ['memory per stream', `${formatCount(outcome.bytesPerStream)} bytes of server process`],
  ]
  const faults = lost + Math.abs(missing) + duplicated + reordered + untracked
  const unsent = direct.rejected + direct.unanswered + about.rejected + about.unanswered
  const flawless =
    faults + unsent === 0 && opened === streams && promised > 0 && serverExitCode === 0
  const verdict = flawless
    ? 'Every promised delivery arrived exactly once and in order.'
    : 'NOT flawless: see the figures above.'
  const text = rows.map(([name, value]) => `  ${name.padEnd(21)} ${value}`).join('\n')
  return { text: `\n${text}\n\n${verdict}\n`, flawless }
}

function sentBy({ sent, seconds, perSecond }: GenJson): string {
  return `${formatCount(sent)} in ${seconds.toFixed(1)} s, ${formatCount(perSecond)}/s`
}

async function main(): Promise<number> {
  const wish = {
    connections: Number(values.connections),
    rate: Number(values.rate),
    subjects: Number(values.subjects),
    seconds: Number(values.seconds),
  }
  if (!values['no-build'] || !(await Bun.file(COMET).exists())) {
    const building = Bun.$`${process.execPath} ${import.meta.dir}/build.ts`.nothrow()
    const built = await withTimeout('the build', building, AROUND_MS_MAX)
    if (built.exitCode !== 0) return built.exitCode
  }
  await using folder = await makeFolder()
  try {
    const { text, flawless } = summary(await demo(wish, folder.path))
    console.log(text)
    return flawless ? 0 : 1
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    return 1
  }
}

process.exit(await main())
