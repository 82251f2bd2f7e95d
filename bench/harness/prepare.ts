// What a run needs before its server starts: the executable, and a database with the friends of as
// many users as there will be streams.

import { existsSync, statfsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { streamLimits } from '../../src/core/limits.ts'
import type { Options } from '../million/options.ts'
import type { Prepared } from '../million/record.ts'
import { COMET } from './comet.ts'
import { succeed } from './program.ts'

/** As in the reference: each user follows fifteen others. */
const DEGREE = 15
/** Milliseconds for one command; the graph of a million takes about fifteen seconds to make. */
const COMMAND_MS_MAX = 900_000

/** Options of comet that this benchmark cannot do without, and whose they are. */
const NEEDED = [
  ['serve', '--connections'],
  ['flood', '--ndjson'],
] as const

export async function buildComet(): Promise<void> {
  const script = `${import.meta.dir}/../../scripts/build.ts`
  await succeed('the build', [process.execPath, script], COMMAND_MS_MAX)
}

/** What the executable lacks, in one sentence; null if it has all. */
export async function missingOptions(): Promise<string | null> {
  if (!(await Bun.file(COMET).exists())) return `there is no ${COMET}; leave out --no-build`
  for (const [command, option] of NEEDED) {
    const help = await succeed(`comet ${command}`, [COMET, command, '--help'], 10_000)
    if (!help.some((line) => line.includes(option))) return `comet ${command} has no ${option} yet`
  }
  return null
}

const Kept = Type.Object({
  users: Type.Integer(),
  subscriptions: Type.Integer(),
  generateSeconds: Type.Number(),
  loadSeconds: Type.Number(),
})

/**
 * The friends of this many users in a database; made unless the folder has them already.
 *
 * @param folder is there; what is made in it stays
 */
export async function prepareFriends(
  { connections }: Pick<Options, 'connections'>,
  folder: string,
): Promise<Prepared & { database: string }> {
  const database = `${folder}/friends-${connections}.db`
  // Written last: without it the database may be half of one.
  const note = `${folder}/friends-${connections}.json`
  if (existsSync(database) && existsSync(note)) {
    return { ...Value.Parse(Kept, await Bun.file(note).json()), database }
  }
  await mkdir(folder, { recursive: true })
  const text = `${folder}/friends-${connections}.txt`
  const fresh = `${database}.new`
  await rm(fresh, { force: true })
  const users = String(connections)
  const size = ['--users', users, '--degree', String(DEGREE), '--seed', '1']
  const generate = [COMET, 'friends', 'generate', ...size, '--output', text]
  const generateSeconds = await timed('comet friends generate', generate)
  const max = String(Math.max(connections, streamLimits.userIdMaxDefault))
  const load = [COMET, 'friends', 'load', text, '--db', fresh, '--max-users', max, '--json']
  const startedMs = performance.now()
  const lines = await succeed('comet friends load', load, COMMAND_MS_MAX)
  const loadSeconds = (performance.now() - startedMs) / 1000
  const { added } = JSON.parse(lines.findLast((line) => line.startsWith('{')) ?? '{}')
  await rename(fresh, database)
  // Gone before memory is measured, so that its pages are not given back in the middle of it.
  await rm(text)
  const kept = { users: connections, subscriptions: Number(added), generateSeconds, loadSeconds }
  await Bun.write(note, JSON.stringify(kept))
  return { ...kept, database }
}

async function timed(name: string, command: readonly string[]): Promise<number> {
  const startedMs = performance.now()
  await succeed(name, command, COMMAND_MS_MAX)
  return (performance.now() - startedMs) / 1000
}

/** Bytes free where the graph will lie. */
export function diskFreeBytes(folder: string | null): number {
  const existing = folder !== null && existsSync(folder) ? folder : tmpdir()
  const { bavail, bsize } = statfsSync(existing)
  return bavail * bsize
}
