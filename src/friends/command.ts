// `comet friends`: the options of its commands, which generate, load, export and describe a follow
// graph.

import { command, group } from '../cli/command.ts'
import { count, flag, short, text } from '../cli/option.ts'
import { checkRedis, REDIS_OPTIONS } from '../cli/redis-options.ts'
import { messageLimits, streamLimits } from '../core/limits.ts'

const db = text('file', 'comet.db', 'the database of subscriptions')

const output = short('o', text('file', null, 'write to this file (default: standard output)'))

/** Of commands for a database or for Redis. */
const EITHER = {
  conflicts: [['db', 'bus']],
  requires: [['bus-prefix', 'bus']],
} as const

const json = flag('print one JSON object instead of the summary')

export const GENERATE = {
  users: count('1m', 'users, with ids from 1 on', { min: 2, max: messageLimits.userIdMax }),
  degree: count('15', 'others whom each user follows', { max: 1_000 }),
  seed: count('1', 'random seed; the same seed gives the same bytes', { min: 0 }),
  output,
} as const

const generate = command({
  name: 'generate',
  summary: 'generate a graph of who follows whom, as lines `subscriber subject`',
  options: GENERATE,
  examples: [
    'comet friends generate --users 10k --output friends.txt',
    'comet friends generate | gzip > friends.txt.gz',
  ],
  load: async () => ({ run: (await import('./friends.ts')).generate }),
})

export const LOAD = {
  db,
  'max-users': count(String(streamLimits.userIdMaxDefault), 'highest user id, as for serve', {
    max: messageLimits.userIdMax,
  }),
  names: flag(
    'accept names as ids, such as alice; a first line with column names is then a pair, too',
  ),
  'ignore-columns': flag('ignore further columns after the two ids of a line'),
  json,
  ...REDIS_OPTIONS,
} as const

const load = command({
  name: 'load',
  summary:
    'add a file of subscriptions to a database or Redis: all of it or, if a line is invalid, nothing',
  argument: {
    name: 'file',
    description:
      'lines `subscriber subject`, numbers separated by blanks or a comma, also gzipped; - for standard input',
    fallback: '-',
  },
  options: LOAD,
  ...EITHER,
  validate: checkRedis,
  examples: [
    'comet friends load friends.txt --db comet.db',
    'comet friends generate | comet friends load - --db comet.db',
    'comet friends load names.txt --names --db comet.db',
    'comet friends load friends.txt --bus redis://cache.example',
  ],
  load: async () => ({ run: (await import('./load-file.ts')).load }),
})

export const EXPORT = { db, output, ...REDIS_OPTIONS } as const

const export_ = command({
  name: 'export',
  summary: 'write all subscriptions of a database or Redis, as lines `subscriber subject`',
  options: EXPORT,
  ...EITHER,
  validate: checkRedis,
  examples: [
    'comet friends export --db comet.db --output friends.txt',
    'comet friends export --bus redis://cache.example --output friends.txt',
  ],
  load: async () => ({ run: (await import('./friends.ts')).export_ }),
})

export const STATS = {
  db,
  svg: text('file', null, 'also draw the distribution into this file'),
  json,
} as const

const stats = command({
  name: 'stats',
  summary: 'show how followers are distributed over users',
  options: STATS,
  examples: ['comet friends stats --db comet.db --svg followers.svg'],
  load: async () => ({ run: (await import('./friends.ts')).stats }),
})

export const friends = group(
  'friends',
  { summary: 'who follows whom: generate, load, export, describe', purpose: 'Tools' },
  [generate, load, export_, stats],
)
