// `comet friends`: the data set of who follows whom: generate, load, export, describe. Each command
// is its options, and one call.

import type { Database } from 'bun:sqlite'
import { messageLimits } from '../core/limits.ts'
import { randomFrom } from '../core/random.ts'
import { openDatabase } from '../subscriptions/database.ts'
import { followersPerUser } from '../subscriptions/degrees.ts'
import { followersDistribution, friendsSummary, friendsSvg } from '../subscriptions/distribution.ts'
import { exportFriends } from '../subscriptions/export.ts'
import { generateFriends } from '../subscriptions/generate.ts'
import { command, EXIT, group } from './command.ts'
import type { Io } from './io.ts'
import { load } from './load.ts'
import { count, flag, text } from './option.ts'

const db = text('file', 'comet.db', 'the database of subscriptions')

const output = text('file', null, 'write to this file (default: standard output)')

const generate = command({
  name: 'generate',
  summary: 'make up a graph of friends, as lines `subscriber subject`',
  options: {
    users: count('1m', 'users, with ids from 1 on', { min: 2, max: messageLimits.userIdMax }),
    degree: count('15', 'others whom each user follows', { max: 1_000 }),
    seed: count('1', 'which graph; the same seed gives the same bytes', { min: 0 }),
    output,
  },
  examples: [
    'comet friends generate --users 10k --output friends.txt',
    'comet friends generate | gzip > friends.txt.gz',
  ],
  run: async (values, io) => {
    const { users, degree, seed } = values
    try {
      await writingTo(io, values.output, (write) =>
        generateFriends({ users, degree, random: randomFrom(seed) }, write),
      )
    } catch (error) {
      // The graph would be too large for its tables.
      if (!(error instanceof RangeError)) throw error
      io.words(`comet friends generate: ${error.message}`)
      return EXIT.usage
    }
    return EXIT.ok
  },
})

const export_ = command({
  name: 'export',
  summary: 'write all subscriptions of a database, as lines `subscriber subject`',
  options: { db, output },
  examples: ['comet friends export --db comet.db --output friends.txt'],
  run: (values, io) =>
    withDatabase(io, 'export', values.db, async (database) => {
      await writingTo(io, values.output, (write) => exportFriends(database, write))
      return EXIT.ok
    }),
})

const stats = command({
  name: 'stats',
  summary: 'tell how followers are distributed over users',
  options: {
    db,
    svg: text('file', null, 'also draw the distribution into this file'),
    json: flag('print one JSON object instead of the summary'),
  },
  examples: ['comet friends stats --db comet.db --svg followers.svg'],
  run: (values, io) =>
    withDatabase(io, 'stats', values.db, async (database) => {
      const { users, followers } = followersPerUser(database)
      const found = followersDistribution(followers, users)
      if (values.svg !== null) await Bun.write(values.svg, friendsSvg(found))
      io.out(values.json ? JSON.stringify(found) : friendsSummary(found))
      return EXIT.ok
    }),
})

export const friends = group('friends', 'who follows whom: generate, load, export, describe', [
  generate,
  load,
  export_,
  stats,
])

/** Opens a database that must be there already, and closes it. */
async function withDatabase(
  io: Io,
  name: string,
  path: string,
  work: (database: Database) => Promise<number>,
): Promise<number> {
  if (!(await Bun.file(path).exists())) {
    io.words(`comet friends ${name}: there is no database ${path}`)
    return EXIT.unavailable
  }
  const opened = openDatabase(path)
  if (!opened.ok) {
    io.words(`comet friends ${name}: the database ${opened.why}`)
    return EXIT.unavailable
  }
  try {
    return await work(opened.database)
  } finally {
    opened.database.close()
  }
}

type Write = (bytes: Uint8Array) => void | Promise<void>

/** Gives `work` a place to write to: a file, or standard output. */
async function writingTo(
  io: Io,
  path: string | null,
  work: (write: Write) => Promise<unknown>,
): Promise<void> {
  if (path === null) {
    await work((bytes) => io.bytes(bytes))
    return
  }
  const writer = Bun.file(path).writer()
  try {
    await work(async (bytes) => {
      writer.write(bytes)
      await writer.flush()
    })
  } finally {
    await writer.end()
  }
}
