// Runs `comet friends generate`, `export` and `stats`.

import type { Database } from 'bun:sqlite'
import { randomInt } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { EXIT, type Run } from '../cli/command.ts'
import type { Io } from '../cli/io.ts'
import { type Write, writeFile } from '../cli/output.ts'
import { randomFrom } from '../core/random.ts'
import { openDatabase } from '../subscriptions/database.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import type { EXPORT, GENERATE, STATS } from './command.ts'
import { exportFriends, writePairs } from './edge-list.ts'
import {
  followersDistribution,
  followersPerUser,
  friendsSummary,
  friendsSvg,
} from './followers-distribution.ts'
import { friendsPairs } from './generate.ts'
import { readFromRedis, withRedis } from './redis-graph.ts'

export const generate: Run<typeof GENERATE> = async ({ users, degree, seed, output }, io) => {
  let pairs: Uint32Array
  try {
    pairs = friendsPairs({ users, degree, random: randomFrom(seed) })
  } catch (error) {
    // The graph would be too large.
    if (!(error instanceof RangeError)) throw error
    io.stderr(`comet friends generate: ${error.message}`)
    return EXIT.usage
  }
  await writeOutput(io, output, (write) => writePairs(pairs, write))
  return EXIT.ok
}

export const export_: Run<typeof EXPORT> = (values, io) => {
  const { db, output } = values
  if (values.bus === null) {
    return withDatabase(io, 'export', db, output, (database, names) =>
      writeOutput(io, output, (write) => exportFriends(database, names, write)),
    )
  }
  return withRedis(values, io, 'export', async (graph) => {
    // All of it before the output is opened, which a failure leaves as it was.
    const read = await readFromRedis(graph)
    if (!read.ok) {
      io.stderr(`comet friends export: ${read.why}`)
      return EXIT.unavailable
    }
    await writeOutput(io, output, read.value)
    return EXIT.ok
  })
}

export const stats: Run<typeof STATS> = ({ db, svg, json }, io) =>
  withDatabase(io, 'stats', db, svg, async (database) => {
    const { users, followers } = followersPerUser(database)
    const distribution = followersDistribution(followers, users)
    io.stdout(json ? JSON.stringify(distribution) : friendsSummary(distribution))
    if (svg === null) return
    await writeFile(svg, io, (write) => write(Buffer.from(friendsSvg(distribution))))
  })

/** Opens a database that must exist, and closes it after the work; returns the exit code. */
async function withDatabase(
  io: Io,
  name: string,
  path: string,
  output: string | null,
  work: (database: Database, names: NameTable) => Promise<void>,
): Promise<number> {
  if (!(await Bun.file(path).exists())) {
    io.stderr(`comet friends ${name}: there is no database ${path}`)
    return EXIT.unavailable
  }
  if (output !== null && isSameFile(output, path)) {
    io.stderr(`comet friends ${name}: ${output} is the database itself; name another file`)
    return EXIT.usage
  }
  const names = new NameTable({ seed: randomInt(2 ** 32) })
  const opened = openDatabase(path, names)
  if (!opened.ok) {
    io.stderr(`comet friends ${name}: the database ${opened.why}`)
    return EXIT.unavailable
  }
  using database = opened.value
  await work(database, names)
  return EXIT.ok
}

function isSameFile(one: string, other: string): boolean {
  if (!existsSync(one) || !existsSync(other)) return false
  const [a, b] = [statSync(one), statSync(other)]
  return a.ino === b.ino && a.dev === b.dev
}

/** Writes to a file, or to standard output without a path. */
async function writeOutput(
  io: Io,
  path: string | null,
  work: (write: Write) => Promise<unknown>,
): Promise<void> {
  if (path === null) await work((bytes) => io.stdoutBytes(bytes))
  else await writeFile(path, io, work)
}
