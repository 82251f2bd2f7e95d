// Support for tests of a server with workers: finds all processes of a test, opens streams and
// tells which worker holds each, and waits for processes.

import { expect } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import type { Stats } from '../../src/control/stats.ts'
import type { Subject } from '../../src/core/user.ts'
import type { FloodReport } from '../../src/flood/flood-report.ts'
import { type ChildProcess, waitFor } from './child-process.ts'
import { ask, type CometServer, serve, start } from './comet.ts'
import { RawClient } from './raw-client.ts'
import { floodReport } from './reports.ts'

export const WORKERS = 4
export const STREAMS = 4_000

/** All that this test file starts inherits it, workers that have lost their parent too. */
const TAG = crypto.randomUUID()
process.env['TEST_RUN_OF_COMET'] = TAG

export function serveWorkers(args: readonly string[] = []): Promise<CometServer> {
  return serve(['--workers', String(WORKERS), ...args])
}

/** For after each test: waits until all that it started has exited, and kills what has not. */
export async function noProcessIsLeft(): Promise<void> {
  // Those of now: when a test has failed, the next one may have begun meanwhile.
  const started = tagged()
  const left = () => tagged().filter((pid) => started.includes(pid))
  try {
    await waitFor('all processes to end', () => left().length === 0, 4_000)
  } finally {
    for (const pid of left()) process.kill(pid, 'SIGKILL')
  }
}

/** Processes that this test file has started. */
export function tagged(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && read(`/proc/${pid}/environ`)?.includes(TAG) === true)
}

/** The letter of proc(5): `T` is stopped, `Z` a zombie; null if there is no such process. */
export function processState(pid: number): string | null {
  return read(`/proc/${pid}/stat`)?.match(/\) (\w) /)?.[1] ?? null
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // It ended meanwhile, or is another user's.
    return null
  }
}

export async function workerOf(
  server: CometServer,
  number: number,
): Promise<Stats['workers'][number]> {
  const worker = (await server.stats()).workers[number]
  if (worker === undefined) throw new Error(`there is no worker ${number}`)
  return worker
}

/** Sends a worker a signal. Answers its process. */
export async function signal(
  server: CometServer,
  number: number,
  name: NodeJS.Signals,
): Promise<number> {
  const { pid } = await workerOf(server, number)
  if (pid === null) throw new Error(`worker ${number} has no process`)
  process.kill(pid, name)
  if (name === 'SIGSTOP') await waitFor('it to stop', () => processState(pid) === 'T')
  return pid
}

/** Waits until a worker has been started so many times again, and runs. */
export function restarted(
  server: CometServer,
  number: number,
  restarts: number,
): Promise<Stats['workers'][number]> {
  return waitFor(`worker ${number} to be restarted`, async () => {
    const worker = await workerOf(server, number)
    return worker.restarts === restarts && worker.state === 'running' && worker
  })
}

/** Begins to open streams of `comet flood`, for users from 1 on. */
export function startFlood(server: CometServer, connections = STREAMS): ChildProcess {
  const url = `${server.publicUrl}/test/{id}`
  return start(['flood', url, '--connections', String(connections), '--json'])
}

/** Opens them, and settles when all are open; no other stream may open or close meanwhile. */
export async function flood(server: CometServer, connections = STREAMS): Promise<ChildProcess> {
  const { open } = (await server.stats()).streams
  const flooding = startFlood(server, connections)
  await server.open(open + connections, 60_000)
  return flooding
}

/** Ends a flood; answers what it found. */
export async function endFlood(flooding: ChildProcess): Promise<FloodReport> {
  flooding.kill('SIGINT')
  return floodReport(await flooding.finished)
}

/** A stream, and the worker that holds it. */
export interface Held {
  readonly user: number
  readonly worker: number
  readonly client: RawClient
}

/** Streams of as many users, one each, opened one after the other. */
export class Crowd implements AsyncDisposable {
  readonly all: readonly Held[]

  private constructor(all: readonly Held[]) {
    this.all = all
  }

  static async open(server: CometServer, users: readonly number[]): Promise<Crowd> {
    const all: Held[] = []
    let before = await server.stats()
    for (const user of users) {
      const client = await RawClient.stream(server.publicPort, user)
      const after = await server.stats()
      const worker = after.workers.findIndex(({ open }, at) => open !== before.workers[at]?.open)
      if (worker === -1) throw new Error('no worker has the new stream')
      all.push({ user, worker, client })
      before = after
    }
    return new Crowd(all)
  }

  /** Those of one worker that has any, and the others. */
  split(): {
    readonly victim: number
    readonly of: readonly Held[]
    readonly rest: readonly Held[]
  } {
    const victim = this.all[0]?.worker ?? 0
    const of = this.all.filter(({ worker }) => worker === victim)
    const rest = this.all.filter(({ worker }) => worker !== victim)
    expect(rest).not.toBeEmpty()
    return { victim, of, rest }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { client } of this.all) client.terminate()
  }
}

export function upFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, at) => first + at)
}

export interface Answer {
  readonly delivered: number
  readonly skipped: number
  readonly unknown?: number
}

/** Sends many messages in one request; none may be refused. */
export async function publishAll(
  server: CometServer,
  messages: readonly object[],
): Promise<Answer> {
  const response = await ask(server.controlUrl, '/messages', {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: messages.map((message) => JSON.stringify(message)).join('\n'),
  })
  const answer = (await response.json()) as {
    accepted: number
    delivered: number
    skipped?: number
    unknown?: number
  }
  expect(answer.accepted).toBe(messages.length)
  const { delivered, skipped = 0, unknown } = answer
  return unknown === undefined ? { delivered, skipped } : { delivered, skipped, unknown }
}

/** A message to each of these users. */
export function toEach(users: readonly number[], body: string): object[] {
  return users.map((to) => ({ to, body }))
}

/** Lets users follow a subject. */
export async function follow(
  server: CometServer,
  subject: Subject,
  users: readonly Subject[],
): Promise<void> {
  for (const user of users) {
    await server.changeFollow('PUT', user, subject)
  }
}

/** What `/users/{id}` says of a user's connections. */
export async function connectionsOf(server: CometServer, user: Subject): Promise<number> {
  const response = await ask(server.controlUrl, `/users/${user}`)
  return ((await response.json()) as { connections: number }).connections
}

export function timesIn(text: string, part: string): number {
  return text.split(part).length - 1
}
