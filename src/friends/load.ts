// `comet friends load`: its options, and one call, with a bar for each phase on a terminal.

import { command } from '../cli/command.ts'
import { count, flag, text } from '../cli/option.ts'
import { messageLimits, streamLimits } from '../core/limits.ts'

export const OPTIONS = {
  db: text('file', 'comet.db', 'the database of subscriptions'),
  'max-users': count(String(streamLimits.userIdMaxDefault), 'highest user id, as for serve', {
    max: messageLimits.userIdMax,
  }),
  'ignore-columns': flag('take no notice of what stands behind the two ids of a line'),
  json: flag('print one JSON object instead of the summary'),
} as const

export const load = command({
  name: 'load',
  summary: 'add a file of subscriptions to a database: all of it or, if a line is bad, nothing',
  argument: {
    name: 'file',
    description:
      'lines `subscriber subject`, with blanks or a comma between, also gzipped; - for standard input',
    fallback: '-',
  },
  options: OPTIONS,
  examples: [
    'comet friends load friends.txt --db comet.db',
    'comet friends generate | comet friends load - --db comet.db',
  ],
  load: () => import('./load-file.ts'),
})
