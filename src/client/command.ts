// `comet publish` and `comet listen`: their options.

import { command } from '../cli/command.ts'
import { commaSeparated, count, flag, text, url, type ValueOption } from '../cli/option.ts'
import { TOKEN_OPTION, tokenOption } from '../cli/secret.ts'
import { CONTROL_URL, PUBLIC_URL } from '../core/address.ts'
import { parseCursor } from '../core/cursor.ts'
import { resumeLimits } from '../core/history-limits.ts'
import { EVENT_RULE, isEvent, isKey, isSubject, KEY_RULE } from '../core/name.ts'

const json = flag('print what the server sends, as JSON')

const after: ValueOption<string, null> = {
  ...text('cursor|oldest', null, 'begin after the message with this id, or with the oldest'),
  parse: (given) => (given === 'oldest' || parseCursor(given) !== null ? given : undefined),
  expected: 'oldest, or an id like 019ad3f0c2a1-00000000002a',
}

const event: ValueOption<string, null> = {
  ...text('name', null, 'what kind of message it is'),
  parse: (given) => (isEvent(given) ? given : undefined),
  expected: EVENT_RULE,
}

const key: ValueOption<string, null> = {
  ...text('key', null, 'send it once, however often it is published with this key in five minutes'),
  parse: (given) => (isKey(given) ? given : undefined),
  expected: KEY_RULE,
}

export const PUBLISH = {
  subject: flag('send it about the subject, to all who follow it, and not to a user alone'),
  data: flag('the text is JSON'),
  event,
  key,
  control: url(`control port of the server (default: ${CONTROL_URL})`),
  [TOKEN_OPTION]: tokenOption,
  json,
} as const

export const publish = command({
  name: 'publish',
  purpose: 'Serve, publish, listen',
  summary: 'send one message to a user, or about a subject; print how many connections took it',
  argument: {
    name: 'user',
    description: 'the user, or with --subject the subject',
    fallback: null,
  },
  rest: { name: 'text', description: 'the message (default: standard input, whole)' },
  options: PUBLISH,
  examples: [
    'comet publish 123 Hello',
    'comet publish alice --event greeting Hello',
    'comet publish --subject room:42 Goal!',
    'comet publish 123 --data --event price \'{"eur": 9.5}\'',
    'uptime | comet publish 123',
  ],
  load: async () => ({ run: (await import('./publish.ts')).publish }),
})

const subject: ValueOption<string, null> = {
  ...text('subject', null, 'further subjects to follow, beside those of the user'),
  parse: (given) => (isSubject(given) ? given : undefined),
  expected: 'numbers like 42, or names like room:42',
}

export const LISTEN = {
  url: url(`public port of the server (default: ${PUBLIC_URL})`),
  subjects: commaSeparated(subject),
  'token-file': text('file', null, "file with the user's token"),
  after,
  last: count(null, 'begin with the last so many messages', { max: resumeLimits.lastMax }),
  count: count(null, 'end after so many messages'),
  once: flag('end when the connection does, instead of coming back'),
  json,
} as const

export const listen = command({
  name: 'listen',
  purpose: 'Serve, publish, listen',
  summary: "follow a user's stream and print each message on a line of its own, each once",
  argument: {
    name: 'user',
    description: 'the user (default: the one of the token)',
    fallback: null,
  },
  options: LISTEN,
  conflicts: [['after', 'last']],
  examples: [
    'comet listen 123',
    'comet listen alice --subjects room:42,news',
    'comet listen alice --last 10',
    'comet listen alice --after 019ad3f0c2a1-00000000002a',
    'comet listen 123 --count 1 --json | jq .data',
    'comet listen --token-file token',
  ],
  load: async () => ({ run: (await import('./listen.ts')).listen }),
})
