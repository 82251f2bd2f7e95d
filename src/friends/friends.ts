// What the commands of `comet friends` do, but for `load`: with a database that is there, and with a place to
// write to.

import type { Database } from 'bun:sqlite'
import { existsSync, statSync } from 'node:fs'
import { EXIT, type Run } from '../cli/command.ts'
import type { Io } from '../cli/io.ts'
import { type Write, writeFile } from '../cli/output-file.ts'
import { randomFrom } from '../core/random.ts'
import { openDatabase } from '../subscriptions/database.ts'
import type { EXPORT, GENERATE, STATS } from './command.ts'
import { followersPerUser } from './degrees.ts'
import { followersDistribution, friendsSummary, friendsSvg } from './distribution.ts'
import { exportFriends } from './export.ts'
import { generateFriends } from './generate.ts'

export const generate: Run<typeof GENERATE> = async (values, io) => {
  const { users, degree, seed } = values
  try {
    await writingTo(io, values.output, (write) =>
      generateFriends({ users, degree, random: randomFrom(seed) }, write),
    )
  } catch (error) {
    // The graph would be too large for its tables.
    if (!(error instanceof RangeError)) throw error
    io.stderr(`comet friends generate: ${error.message}`)
    return EXIT.usage
  }
  return EXIT.ok
}

export const export_: Run<typeof EXPORT> = (values, io) =>
  withDatabase(io, 'export', values.db, values.output, async (database) => {
    await writingTo(io, values.output, (write) => exportFriends(database, write))
    return EXIT.ok
  })

export const stats: Run<typeof STATS> = (values, io) =>
  withDatabase(io, 'stats', values.db, values.svg, async (database) => {
    const { users, followers } = followersPerUser(database)
    const found = followersDistribution(followers, users)
    io.stdout(values.json ? JSON.stringify(found) : friendsSummary(found))
    if (values.svg !== null) {
      const svg = Buffer.from(friendsSvg(found))
      await writeFile(values.svg, io, (write) => write(svg))
    }
    return EXIT.ok
  })

/** Opens a database that must be there already, and closes it. */
async function withDatabase(
  io: Io,
  name: string,
  path: string,
  output: string | null,
  work: (database: Database) => Promise<number>,
): Promise<number> {
  if (!(await Bun.file(path).exists())) {
    io.stderr(`comet friends ${name}: there is no database ${path}`)
    return EXIT.unavailable
  }
  if (output !== null && isSameFile(output, path)) {
    io.stderr(`comet friends ${name}: ${output} is the database itself; name another file`)
    return EXIT.usage
  }
  const opened = openDatabase(path)
  if (!opened.ok) {
    io.stderr(`comet friends ${name}: the database ${opened.why}`)
    return EXIT.unavailable
  }
  try {
    return await work(opened.database)
  } finally {
    opened.database.close()
  }
}

function isSameFile(one: string, other: string): boolean {
  if (!existsSync(one) || !existsSync(other)) return false
  const [a, b] = [statSync(one), statSync(other)]
  return a.ino === b.ino && a.dev === b.dev
}

/** Gives `work` a place to write to: a file, or standard output. */
async function writingTo(
  io: Io,
  path: string | null,
  work: (write: Write) => Promise<unknown>,
): Promise<void> {
  if (path === null) await work((bytes) => io.stdoutBytes(bytes))
  else await writeFile(path, io, work)
}
