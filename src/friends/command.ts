// `comet friends`: the data set of who follows whom: generate, load, export, describe. The options of
// each command, and one call.

import { command, group } from '../cli/command.ts'
import { count, flag, text } from '../cli/option.ts'
import { messageLimits } from '../core/limits.ts'
import { load } from './load.ts'

const db = text('file', 'comet.db', 'the database of subscriptions')

const output = text('file', null, 'write to this file (default: standard output)')

export const GENERATE = {
  users: count('1m', 'users, with ids from 1 on', { min: 2, max: messageLimits.userIdMax }),
  degree: count('15', 'others whom each user follows', { max: 1_000 }),
  seed: count('1', 'which graph; the same seed gives the same bytes', { min: 0 }),
  output,
} as const

const generate = command({
  name: 'generate',
  summary: 'make up a graph of friends, as lines `subscriber subject`',
  options: GENERATE,
  examples: [
    'comet friends generate --users 10k --output friends.txt',
    'comet friends generate | gzip > friends.txt.gz',
  ],
  load: async () => ({ run: (await import('./friends.ts')).generate }),
})

export const EXPORT = { db, output } as const

const export_ = command({
  name: 'export',
  summary: 'write all subscriptions of a database, as lines `subscriber subject`',
  options: EXPORT,
  examples: ['comet friends export --db comet.db --output friends.txt'],
  load: async () => ({ run: (await import('./friends.ts')).export_ }),
})

export const STATS = {
  db,
  svg: text('file', null, 'also draw the distribution into this file'),
  json: flag('print one JSON object instead of the summary'),
} as const

const stats = command({
  name: 'stats',
  summary: 'tell how followers are distributed over users',
  options: STATS,
  examples: ['comet friends stats --db comet.db --svg followers.svg'],
  load: async () => ({ run: (await import('./friends.ts')).stats }),
})

export const friends = group('friends', 'who follows whom: generate, load, export, describe', [
  generate,
  load,
  export_,
  stats,
])
