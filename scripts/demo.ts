// The whole of comet in one run: a server with a graph of friends, a flood of streams, generators,
// and the proof that every delivery the server promised arrived once and in order. On a terminal
// the server then stays for a look at its dashboard, until Ctrl-C.
//
//   bun run demo                            10,000 streams, 16,666 messages a second, 15 s
//   bun run demo --connections 2000 --rate 5000 --seconds 5

import { parseArgs } from 'node:util'
import { withTimeout } from '../src/core/deadline.ts'
import { formatCount } from '../src/core/units.ts'
import type { GenReport } from '../src/gen/gen-report.ts'
import { type ChildProcess, type Finished, succeed, waitFor } from './support/child-process.ts'
import { COMET, type CometServer, serve, start } from './support/comet.ts'
import { type FloodJson, type Outcome, summaryOf } from './support/demo-summary.ts'
import { makeFolder } from './support/folder.ts'

/** Milliseconds for everything but the messages: to build, to open and to come to an end. */
const AROUND_MS_MAX = 300_000
/** Milliseconds that the dashboard stays open at most. */
const LOOK_MS_MAX = 24 * 36e5
/** What goes on meanwhile: little, so that the machine stays usable. */
const LOOK = { streams: 1_000, rate: 100 } as const

interface Wish {
  readonly connections: number
  /** Messages a second to one user each. */
  readonly rate: number
  /** Messages a second about subjects, each to all who follow them. */
  readonly subjects: number
  readonly seconds: number
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

/** Returns the exit code. */
async function demo(wish: Wish, folder: string): Promise<number> {
  const friends = `${folder}/friends.txt`
  const db = `${folder}/comet.db`
  const timeoutMs = AROUND_MS_MAX + wish.connections + wish.seconds * 1_000
  const users = formatCount(wish.connections)
  say(`comet friends makes up who follows whom among ${users} users, and loads it`)
  const size = ['--users', String(wish.connections)]
  await succeed([COMET, 'friends', 'generate', ...size, '--output', friends], { timeoutMs })
  await succeed([COMET, 'friends', 'load', friends, '--db', db], { timeoutMs })

  // The dashboard stays open until the user ends the demo.
  const isLookedAt = process.stdout.isTTY === true
  await using server = await serve(['--db', db], {
    timeoutMs: isLookedAt ? LOOK_MS_MAX : timeoutMs,
  })
  say(`comet serve listens on ${server.publicUrl}`)
  say(`its control port and dashboard are ${server.controlUrl}/`)
  const outcome = await measured(server, wish, timeoutMs)
  const { text, flawless } = summaryOf(outcome)
  console.log(text)
  if (isLookedAt) await look(server, outcome.streams)
  const exitCode = await server.end('SIGTERM')
  // An interrupt that is typed goes to the server, too, which then gets its second signal.
  if (exitCode !== 0 && !isLookedAt) throw new Error(`comet serve ended with ${exitCode}`)
  return flawless ? 0 : 1
}

async function measured(server: CometServer, wish: Wish, timeoutMs: number): Promise<Outcome> {
  const before = await server.stats()
  const streams = Math.min(wish.connections, before.streams.limit)
  const fit = formatCount(streams)
  if (streams < wish.connections) {
    say(`the open-files limit has room for ${fit} streams, so it is ${fit}`)
  }
  say(`comet flood opens ${fit} streams`)
  await using flood = start([...floodOf(server, streams), '--json'], { timeoutMs })
  await waitFor('all streams to open', () => isOpen(server, flood, streams), 60_000)
  const { residentBytes } = (await server.stats()).process

  say(`comet gen sends ${formatCount(wish.rate)} messages a second to one user each,`)
  say(`and another ${formatCount(wish.subjects)} a second about users, to all who follow them`)
  const gen = (address: string, rate: number) => {
    const options = ['--duration', `${wish.seconds}s`, '--json']
    return start([...genOf(server, address, rate, streams), ...options], { timeoutMs })
  }
  await using toOne = gen('to', wish.rate)
  await using aboutOne = gen('subject', wish.subjects)
  const direct = json<GenReport>('comet gen', await toOne.finished)
  const about = json<GenReport>('comet gen', await aboutOne.finished)
  await waitFor('the outboxes to empty', async () => {
    return (await server.stats()).outbox.queuedBytes === 0
  })
  flood.kill('SIGINT')
  const flooded = json<FloodJson>('comet flood', await flood.finished)
  return {
    ...{ streams, direct, about, flood: flooded },
    subscriptions: before.subscriptions.held,
    bytesPerStream: (residentBytes - before.process.residentBytes) / streams,
  }
}

function floodOf(server: CometServer, streams: number): string[] {
  return ['flood', `${server.publicUrl}/test/{id}`, '--connections', String(streams)]
}

function genOf(server: CometServer, address: string, rate: number, users: number): string[] {
  const options = ['--address', address, '--rate', String(rate), '--users', String(users)]
  return ['gen', server.controlUrl, ...options]
}

/** Keeps the server until an interrupt, with enough going on that the dashboard moves. */
async function look(server: CometServer, streamsMax: number): Promise<void> {
  const streams = Math.min(streamsMax, LOOK.streams)
  const interrupted = new Promise<void>((resolve) => {
    // Until now one ended everything at once.
    process.removeAllListeners('SIGINT')
    process.once('SIGINT', resolve)
  })
  const unread = { onLine: () => undefined }
  await using flood = start(floodOf(server, streams), unread)
  await waitFor('some streams to open', () => isOpen(server, flood, streams), 60_000)
  const hours = ['--duration', `${LOOK_MS_MAX}ms`]
  await using _ = start([...genOf(server, 'subject', LOOK.rate, streams), ...hours], unread)
  say(`${formatCount(streams)} streams and ${LOOK.rate} messages a second go on, for a look:`)
  say(`the dashboard     ${server.controlUrl}/`)
  say(`a stream to try   ${server.controlUrl}/try`)
  say('Ctrl-C ends it.')
  await interrupted
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
    return await demo(wish, folder.path)
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    return 1
  }
}

process.exit(await main())
