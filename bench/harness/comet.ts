// The executable of this tree, driven from outside: it is built, serves, opens streams, generates
// messages, and makes data sets. What is measured is what users run, so nothing here reaches into
// it.

import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { basename } from 'node:path'
import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { type ChildProcess, succeed, waitFor } from '../../scripts/support/child-process.ts'
import { COMET } from '../../scripts/support/comet.ts'
import { Stats } from '../../src/control/stats.ts'
import { streamLimits } from '../../src/core/limits.ts'
import { floodLimits } from '../../src/core/tool-limits.ts'
import { FloodReport, FloodSample, isFlawless } from '../../src/flood/flood-report.ts'
import { GenReport } from '../../src/gen/gen-report.ts'
import { startProgram } from './process.ts'

/** Milliseconds for the build, or for one command; the graph of a million takes fifteen seconds. */
const COMMAND_MS_MAX = 900_000
/** Milliseconds until a server listens, with the friends of a million and all workers started. */
const START_MS_MAX = 180_000
/** Milliseconds for an answer of the control port while two hundred processes start. */
const ANSWER_MS_MAX = 120_000
/** Milliseconds between two looks: an answer costs the measured process CPU time. */
const LOOK_EVERY_MS = 20
/** Milliseconds for many streams to open or to close. */
const STREAMS_MS_MAX = 180_000
/** Milliseconds for a server or a flood to close all streams and to end, memory given back. */
const STOP_MS_MAX = 120_000
/** Milliseconds between two lines of a flood at most, however busy the machine is. */
const LINE_MS_MAX = 30_000
/** Milliseconds past its duration that a generator may take: its last answers, and to report. */
const GEN_LATE_MS_MAX = 60_000
/**
 * Streams of a flood for each connection that may be pending: about forty to a process of the
 * server, which accepts together what has come since it ran last.
 */
const STREAMS_PER_PENDING = 500
/** As in the system of 2008: each user follows fifteen others. */
const DEGREE = 15

/** Builds the executable, or takes the one that there is; a sentence if there is none. */
export async function prepareComet(build: boolean): Promise<string | null> {
  const script = `${import.meta.dir}/../../scripts/build.ts`
  if (build)
    await succeed([process.execPath, script], { name: 'the build', timeoutMs: COMMAND_MS_MAX })
  return existsSync(COMET) ? null : `there is no ${COMET}; leave out --no-build`
}

export interface Server extends AsyncDisposable {
  readonly program: ChildProcess
  readonly publicUrl: string
  readonly controlUrl: string
  /** From before the process was made to its line that says it listens. */
  readonly startSeconds: number
  stats(): Promise<Stats>
  /** Waits until exactly so many streams are open. */
  streamsOpen(count: number): Promise<void>
  /** Stops it in order; returns its exit code. */
  stop(): Promise<number>
}

export interface ServerOptions {
  readonly db?: string
  /** Further options of `comet serve`. */
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** Starts a server, on ports that the system chooses. */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const { db = ':memory:', args = [], env = {} } = options
  const ports = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0']
  const startedMs = performance.now()
  const command = [COMET, 'serve', ...ports, '--db', db, ...args]
  const program = startProgram('comet serve', command, { env })
  try {
    const { publicUrl, controlUrl } = await program.line('its ports', listening, START_MS_MAX)
    const startSeconds = (performance.now() - startedMs) / 1000
    const stats = async () => Value.Parse(Stats, await readJson(controlUrl, '/stats'))
    return {
      program,
      publicUrl,
      controlUrl,
      startSeconds,
      stats,
      streamsOpen: async (count) => {
        const look = async () => (await stats()).streams.open === count
        const options = { everyMs: LOOK_EVERY_MS, needs: [program] }
        await waitFor(`${count} open streams`, look, STREAMS_MS_MAX, options)
      },
      stop: () => program.end('SIGTERM', STOP_MS_MAX),
      [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
    }
  } catch (error) {
    await program[Symbol.asyncDispose]()
    throw error
  }
}

/** Options of `comet serve` for so many users. */
export function sizeOf(connections: number): string[] {
  const size = ['--connections', String(connections)]
  return connections > streamLimits.userIdMaxDefault ? [...size, ...maxUsers(connections)] : size
}

function maxUsers(users: number): string[] {
  return ['--max-users', String(Math.max(users, streamLimits.userIdMaxDefault))]
}

/** Reads the line of the log that says where the server listens. */
function listening(line: string): { publicUrl: string; controlUrl: string } | undefined {
  if (!line.includes('"event":"listening"')) return undefined
  const fields: Record<string, unknown> = JSON.parse(line)
  return { publicUrl: String(fields['public']), controlUrl: String(fields['control']) }
}

/** Asks the control port for JSON. */
export async function readJson(controlUrl: string, path: string): Promise<unknown> {
  const signal = AbortSignal.timeout(ANSWER_MS_MAX)
  const response = await fetch(controlUrl + path, { signal })
  if (!response.ok) throw new Error(`${path}: ${response.status}, ${await response.text()}`)
  return await response.json()
}

export interface Flood extends AsyncDisposable {
  readonly program: ChildProcess
  /** Its samples so far, one a second; none with `--json`. */
  readonly samples: readonly FloodSample[]
  /** Waits for the next sample. */
  next(): Promise<FloodSample>
  /** Closes all streams; returns the final report. */
  stop(): Promise<FloodReport>
}

export interface FloodOptions {
  /** Further options of `comet flood`. */
  readonly args?: readonly string[]
  /** The user of the first stream; the others follow. */
  readonly firstUser?: number
  readonly output?: '--ndjson' | '--json'
  /** Connections at a time that are not open yet, where the server takes fewer than is usual. */
  readonly pending?: number | undefined
  /** A program with the same options and output, in place of `comet flood`. */
  readonly program?: readonly string[] | undefined
}

const FLOOD = [COMET, 'flood'] as const
const GEN = [COMET, 'gen'] as const

/** `comet flood` of `/path/to/comet flood`. */
function nameOf([program = '', ...args]: readonly string[]): string {
  return [basename(program), ...args].join(' ')
}

/**
 * Begins to open streams for users one after the other, from addresses and ports that it binds.
 *
 * @param url of a stream, with `{id}` in it
 */
export function startFlood(url: string, connections: number, options: FloodOptions = {}): Flood {
  const { args = [], firstUser = 1, output = '--ndjson', program: base = FLOOD } = options
  const usual = Math.max(floodLimits.pendingDefault, connections / STREAMS_PER_PENDING)
  const { pending = usual } = options
  const numbers = { connections, 'first-id': firstUser, pending: Math.ceil(pending) }
  const flags = Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)])
  const samples: FloodSample[] = []
  let report: FloodReport | undefined
  const command = [...base, url, ...flags, ...args, output]
  const onLine = (line: string) => {
    const sample = parsed(FloodSample, line)
    if (sample !== undefined) samples.push(sample)
    else report ??= parsed(FloodReport, line)
  }
  const program = startProgram(nameOf(base), command, { onLine })
  return {
    program,
    samples,
    next: () => {
      const count = samples.length
      const look = () => (samples.length > count ? samples.at(-1) : undefined)
      const options = { everyMs: LOOK_EVERY_MS, needs: [program] }
      return waitFor('a line of the flood', look, LINE_MS_MAX, options)
    },
    stop: async () => {
      await program.end('SIGINT', STOP_MS_MAX)
      if (report === undefined) throw program.error('exited without a report')
      return report
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  }
}

/** Opens streams for the users from 1 on; returns once the server has them all. */
export async function openFlood(server: Server, connections: number): Promise<Flood> {
  const url = `${server.publicUrl}/test/{id}`
  const flood = startFlood(url, connections, { output: '--json' })
  try {
    await server.streamsOpen(connections)
    return flood
  } catch (error) {
    await flood[Symbol.asyncDispose]()
    throw error
  }
}

/** Ends the flood; an error if a stream was lost. */
export async function stopFlawless(flood: Flood): Promise<FloodReport> {
  const report = await flood.stop()
  if (!isFlawless(report)) throw new Error(`comet flood had faults: ${JSON.stringify(report)}`)
  return report
}

/**
 * A line of JSON of this kind; undefined for others, and for one cut short by the end of the
 * program.
 */
function parsed<T extends TSchema>(schema: T, line: string): Static<T> | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    const value: unknown = JSON.parse(line)
    return Value.Check(schema, value) ? value : undefined
  } catch {
    return undefined
  }
}

export interface Generated {
  readonly report: GenReport
  readonly cpuSeconds: number
}

export interface GenerateOptions {
  /** Called with the process, to watch it meanwhile. */
  readonly onStart?: (pid: number) => void
  /** A program with the same options and output, in place of `comet gen`. */
  readonly program?: readonly string[] | undefined
}

/**
 * Runs `comet gen` to its end.
 *
 * @param args all but `--duration` and `--json`
 */
export async function generate(
  args: readonly string[],
  durationMs: number,
  { onStart, program: base = GEN }: GenerateOptions = {},
): Promise<Generated> {
  let report: GenReport | undefined
  const command = [...base, ...args, '--duration', `${durationMs}ms`, '--json']
  const onLine = (line: string) => {
    report ??= parsed(GenReport, line)
  }
  await using program = startProgram(nameOf(base), command, { onLine })
  onStart?.(program.pid)
  await program.ended(durationMs + GEN_LATE_MS_MAX)
  if (report === undefined) throw program.error('exited without a report')
  return { report, cpuSeconds: program.cpuSeconds }
}

/** Writes who follows whom among so many users as text; returns the seconds that it took. */
export async function generateFriends(users: number, file: string): Promise<number> {
  const size = ['--users', String(users), '--degree', String(DEGREE), '--seed', '1']
  const command = [COMET, 'friends', 'generate', ...size, '--output', file]
  return (await succeed(command, { name: 'comet friends generate', timeoutMs: COMMAND_MS_MAX }))
    .seconds
}

export interface Loaded {
  readonly subscriptions: number
  readonly seconds: number
  readonly peakBytes: number
}

/**
 * @param db null for where the options say
 * @param args further options of `comet friends load`
 */
export async function loadFriends(
  users: number,
  file: string,
  db: string | null,
  args: readonly string[] = [],
): Promise<Loaded> {
  const size = maxUsers(users)
  const into = db === null ? [] : ['--db', db]
  const command = [COMET, 'friends', 'load', file, ...into, ...size, ...args, '--json']
  const { stdout, ...used } = await succeed(command, {
    name: 'comet friends load',
    timeoutMs: COMMAND_MS_MAX,
  })
  const { added } = JSON.parse(stdout) as { added: number }
  return { subscriptions: added, ...used }
}

const Prepared = Type.Object({
  users: Type.Integer(),
  subscriptions: Type.Integer(),
  generateSeconds: Type.Number(),
  loadSeconds: Type.Number(),
})
export type Prepared = Static<typeof Prepared>

/** A database with the friends of so many users, made unless the folder has it already. */
export async function prepareFriends(
  users: number,
  folder: string,
): Promise<Prepared & { readonly database: string }> {
  const database = `${folder}/friends-${users}.db`
  // Written last: without it the database may be incomplete.
  const note = `${folder}/friends-${users}.json`
  if (existsSync(database) && existsSync(note)) {
    return { ...Value.Parse(Prepared, await Bun.file(note).json()), database }
  }
  await mkdir(folder, { recursive: true })
  const text = `${folder}/friends-${users}.txt`
  const fresh = `${database}.new`
  for (const path of [fresh, `${fresh}-index`]) await rm(path, { force: true })
  const generateSeconds = await generateFriends(users, text)
  const { subscriptions, seconds: loadSeconds } = await loadFriends(users, text, fresh)
  // A small one has no snapshot.
  const snapshot = `${database}-index`
  await rm(snapshot, { force: true })
  if (existsSync(`${fresh}-index`)) await rename(`${fresh}-index`, snapshot)
  await rename(fresh, database)
  // Removed before memory is measured, so that its pages are not freed in the middle of that.
  await rm(text)
  const prepared = { users, subscriptions, generateSeconds, loadSeconds }
  await Bun.write(note, JSON.stringify(prepared))
  return { ...prepared, database }
}
