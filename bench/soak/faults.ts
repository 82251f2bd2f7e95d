// Clients that make work for the server beside the steady streams of a soak: those that close and
// come back, those that stop reading until they are cut, and those that vanish without FIN or RST.

import { type ChildProcess, waitFor } from '../../scripts/support/child-process.ts'
import { type Flood, generate, readJson, type Server, startFlood } from '../harness/comet.ts'
import type { Log } from '../harness/command.ts'

/** Messages a second to each client that does not read, and their bytes: 800,000 bytes a second,
 * since of 200,000 the kernel still held all after 19 s, almost 4 MB, before the outbox filled. */
const SLOW_MESSAGES_PER_SECOND = 50
const SLOW_MESSAGE_BYTES = 16_000
/** Milliseconds in which they must be cut: 48 MB each. */
const SLOW_MS_MAX = 60_000
/** Milliseconds for the streams of one cycle to open. */
const OPEN_MS_MAX = 60_000
/** Milliseconds between two looks at a flood's samples, of which there is one a second. */
const LOOK_EVERY_MS = 100
/** Requests about users under way at once. */
const ASKED_AT_ONCE = 16

/**
 * A cycle in multiples of `--keepalive`: a client that vanishes is gone after one and a half of it,
 * and of a short one after six seconds more.
 */
const CYCLE_KEEPALIVES = 2.5
/** Of a soak: enough cycles for a level, and a keepalive as users have it where there is time. */
const CYCLES_WANTED = 10
const KEEPALIVE_MS = { min: 4_000, max: 120_000 }

/** How long vanished clients take to be found, and how often new ones come. */
export function cycleTimes(durationMs: number): { keepaliveMs: number; cycleMs: number } {
  const { min, max } = KEEPALIVE_MS
  const wantedMs = durationMs / CYCLES_WANTED / CYCLE_KEEPALIVES
  const keepaliveMs = Math.min(max, Math.max(min, Math.floor(wantedMs / 1_000) * 1_000))
  return { keepaliveMs, cycleMs: keepaliveMs * CYCLE_KEEPALIVES + 6_000 }
}

/** Clients of one kind: users that follow one another. */
export interface Users {
  readonly first: number
  readonly count: number
}

/** What became of clients that stopped reading, or vanished, in all cycles. */
export interface FaultyClients {
  streams: number
  /** Those that the server still had at the end of their cycle. */
  left: number
}

export interface FaultsReport {
  /** Cycles that were complete. */
  cycles: number
  readonly slow: FaultyClients
  readonly vanished: FaultyClients
}

interface FaultsOptions {
  readonly server: Server
  readonly url: string
  readonly slow: Users
  readonly vanishing: Users
  readonly cycleMs: number
  /** A folder for the list of users that do not read. */
  readonly folder: string
  readonly log: Log
}

/** Writes the users to a file, for `comet gen --subjects file:`; returns its path. */
export async function listUsers({ first, count }: Users, path: string): Promise<string> {
  const users = Array.from({ length: count }, (_, at) => `${first + at}\n`)
  await Bun.write(path, users.join(''))
  return path
}

/** A flood whose streams close and come back, so many of them a second. */
export function startChurn(
  url: string,
  { first, count }: Users,
  { churnPerSecond }: { readonly churnPerSecond: number },
): Flood {
  const share = `${((churnPerSecond / count) * 100).toFixed(4)}%/s`
  const args = ['--churn', share, '--reconnect', '1s']
  return startFlood(url, count, { firstUser: first, args })
}

/**
 * Opens slow and vanishing clients again and again, as long as a whole cycle fits. At the end of
 * each the server must have none of them left, which is asked before their sockets are closed.
 */
export async function runFaults(options: FaultsOptions, endMs: number): Promise<FaultsReport> {
  const report: FaultsReport = {
    cycles: 0,
    slow: { streams: 0, left: 0 },
    vanished: { streams: 0, left: 0 },
  }
  const { slow, vanishing, cycleMs } = options
  if (slow.count + vanishing.count === 0) return report
  const list = await listUsers(slow, `${options.folder}/slow.txt`)
  while (performance.now() + cycleMs <= endMs) {
    await runCycle(options, list, report)
    report.cycles++
  }
  return report
}

async function runCycle(options: FaultsOptions, list: string, report: FaultsReport) {
  const { server, url, slow, vanishing, cycleMs, log } = options
  const startedMs = performance.now()
  await using parts = new AsyncDisposableStack()
  for (const [{ first, count }, fault] of [
    [slow, '--slow'],
    [vanishing, '--silent-drop'],
  ] as const) {
    if (count === 0) continue
    const flood = parts.use(startFlood(url, count, { firstUser: first, args: [fault, '100%'] }))
    await allOpened(flood, count, server.program)
  }
  const leftMs = () => Math.max(1_000, startedMs + cycleMs - performance.now())
  if (slow.count > 0) {
    await generate(slowGenerator(server, slow, list), Math.min(SLOW_MS_MAX, leftMs()))
  }
  await Bun.sleep(leftMs())
  const left = [await connectionsOf(server, slow), await connectionsOf(server, vanishing)] as const
  report.slow.streams += slow.count
  report.vanished.streams += vanishing.count
  report.slow.left += left[0]
  report.vanished.left += left[1]
  if (left[0] + left[1] > 0) {
    log(`the server still has ${left[0]} slow and ${left[1]} vanished streams`)
  }
}

async function allOpened(flood: Flood, count: number, server: ChildProcess): Promise<void> {
  const look = () => {
    const { opened = 0, failed = 0 } = flood.samples.at(-1)?.connections ?? {}
    if (failed > 0) throw flood.program.error(`could not open ${failed} streams`)
    return opened === count
  }
  const options = { everyMs: LOOK_EVERY_MS, needs: [flood.program, server] }
  await waitFor(`${count} open streams`, look, OPEN_MS_MAX, options)
}

function slowGenerator({ controlUrl }: Server, { count }: Users, list: string): string[] {
  return [
    controlUrl,
    ...['--address', 'to', '--subjects', `file:${list}`],
    ...['--rate', String(count * SLOW_MESSAGES_PER_SECOND)],
    ...['--size', String(SLOW_MESSAGE_BYTES)],
  ]
}

/** Streams that the server has of these users. */
async function connectionsOf({ controlUrl }: Server, { first, count }: Users): Promise<number> {
  let [asked, connections] = [0, 0]
  const ask = async () => {
    while (asked < count) {
      const user = await readJson(controlUrl, `/users/${first + asked++}`)
      connections += (user as { connections: number }).connections
    }
  }
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, ask))
  return connections
}
