// `comet gen`: its options.

import { command } from '../cli/command.ts'
import {
  count,
  duration,
  flag,
  objectives,
  oneOf,
  share,
  text,
  url,
  type ValueOption,
  type Values,
} from '../cli/option.ts'
import { TOKEN_OPTION, tokenOption } from '../cli/secret.ts'
import { CONTROL_URL, PUBLIC_URL } from '../core/address.ts'
import { messageLimits } from '../core/limits.ts'
import { NAME_CHARACTERS } from '../core/name.ts'
import type { MetricUnits } from '../core/objective.ts'
import { allOf, OK, type Result, refused } from '../core/result.ts'
import { CHAINED_BYTES_MAX, STAMP_BYTES_MAX } from '../core/stamp.ts'
import { genLimits } from '../core/tool-limits.ts'
import { ambiguousBytes, formatCount, parseBytes, parseDurationMs } from '../core/units.ts'
import { STREAM_PATH } from '../flood/command.ts'
import { parseSubjects, type Subjects } from './subjects.ts'
import { checkLengths, parseUserNames, type UserNames, whyNoNames } from './user-names.ts'

interface Range {
  readonly from: number
  readonly to: number
}

/** `from-to`, or one value for both; undefined for other text and outside of the bounds. */
function parseRange(
  text: string,
  parse: (part: string) => number | undefined,
  { min, max }: { min: number; max: number },
): Range | undefined {
  const [first = '', last = first, ...rest] = text.split('-')
  const from = parse(first)
  const to = parse(last)
  if (from === undefined || to === undefined || rest.length > 0) return undefined
  return from >= min && to >= from && to <= max ? { from, to } : undefined
}

/** In milliseconds. */
const interval: ValueOption<Range, null> = {
  value: 'from-to',
  description: 'between two messages of a generator, spread evenly over all, instead of --rate',
  fallback: null,
  parse: (text) => parseRange(text, parseDurationMs, { min: 1, max: Number.MAX_SAFE_INTEGER }),
  expected: 'a duration like 50ms or a range like 11ms-110ms, at least 1ms',
}

const SIZES = { min: STAMP_BYTES_MAX, max: messageLimits.bodyBytesMax }

/** In bytes. */
const size: ValueOption<Range, null> = {
  value: 'from-to',
  description: 'bytes of a message, each size equally often (default: the length of its text)',
  fallback: null,
  parse: (text) => parseRange(text, parseBytes, SIZES),
  expected:
    `a size like 200 or 4KiB or a range like 100-2000, at least ${SIZES.min} bytes ` +
    `for the stamp at the end, and at most ${SIZES.max}`,
  hint: ambiguousBytes,
}

const subjects: ValueOption<Subjects, string> = {
  value: 'how',
  description:
    'how users are chosen: uniform; zipf:1.1, user k as often as k^-1.1; or file:ids.txt, its ' +
    'numbers and names',
  fallback: 'uniform',
  parse: parseSubjects,
  expected: `uniform, zipf:s with s above 0 and at most ${genLimits.zipfExponentMax}, or file:path`,
}

const userNames: ValueOption<UserNames, null> = {
  value: 'text',
  description:
    'send to names instead of numbers, like user-{id}; with --post write the name in its address',
  fallback: null,
  parse: parseUserNames,
  expected: `${NAME_CHARACTERS} with {id} once for the number, like user-{id}`,
  hint: whyNoNames,
}

/** The metrics of objectives. */
export const FIND_METRICS = {
  p50: 'ms',
  p90: 'ms',
  p99: 'ms',
  'p99.9': 'ms',
  max: 'ms',
  lost: 'count',
  duplicated: 'count',
  reordered: 'count',
  rejected: 'count',
  unanswered: 'count',
} as const satisfies MetricUnits

export const SLO = 'p99<100ms,lost=0'

const slo = objectives(FIND_METRICS, null, `objectives of --find-rate (default: ${SLO})`)

const STREAMS = `${PUBLIC_URL}${STREAM_PATH}`

const NAMED_STREAM_PATH = '/stream/user-{id}?format=raw'

/** The default of --users. */
export const USERS = 10_000

const RECEIVERS = {
  users: count(null, `messages go to users 1 to this (default: ${formatCount(USERS)})`, {
    max: messageLimits.userIdMax,
  }),
  subjects,
  'user-names': userNames,
  address: oneOf(
    ['subject', 'to'],
    'subject',
    'send to a subject and its followers, or to one user alone',
  ),
  post: url('send each message as one POST to here; {id} is the user'),
  [TOKEN_OPTION]: tokenOption,
} as const

const PACE = {
  rate: count('1k', 'messages a second'),
  interval,
  duration: duration('10s', 'how long to send', { minMs: 1 }),
  messages: count(null, 'messages to send at most'),
  generators: count(
    String(genLimits.generatorsDefault),
    'that send in turn; the messages of each stay in order',
    { max: genLimits.generatorsMax },
  ),
  publishers: count(
    String(genLimits.publishersDefault),
    'concurrent requests, each with messages of different generators',
    { max: genLimits.publishersMax },
  ),
  batch: count(
    null,
    `messages in one request at most (default: ${genLimits.batchDefault}, with --post 1)`,
    { max: genLimits.batchMax },
  ),
} as const

const CONTENT = {
  size,
  key: flag('give each message a key, and send a request without an answer again'),
  repeat: share('share of messages to send again with their key; no second copy may arrive'),
  chain: flag('name in each message the one before it to its user, for comet flood --resume'),
  seed: count('1', 'random seed of users and sizes', { min: 0 }),
} as const

const SEARCH = {
  'find-rate': flag(
    'raise the rate, from --rate on, until --slo fails; report the highest that held',
  ),
  slo,
  // Read later: the path that is left out depends on --user-names.
  streams: text(
    'url',
    null,
    `addresses of the users' streams for --find-rate (default: ${STREAMS}, ` +
      `${NAMED_STREAM_PATH} with --user-names)`,
  ),
} as const

const REPORT = {
  json: flag('print one JSON object instead of the summary'),
} as const

/** As the help lists them. */
const OPTION_GROUPS = {
  'To whom': RECEIVERS,
  'How fast, and how long': PACE,
  Messages: CONTENT,
  'Search for the highest rate': SEARCH,
  Report: REPORT,
} as const

export const OPTIONS = {
  ...RECEIVERS,
  ...PACE,
  ...CONTENT,
  ...SEARCH,
  ...REPORT,
} as const
export type GenValues = Values<typeof OPTIONS>

export const gen = command({
  name: 'gen',
  purpose: 'Tools',
  summary: 'send messages to random users at a steady rate',
  argument: {
    name: 'control-url',
    description: `address of a server's control port (default: ${CONTROL_URL})`,
    fallback: null,
  },
  options: OPTIONS,
  groups: OPTION_GROUPS,
  conflicts: [
    ['rate', 'interval'],
    ['post', 'address'],
    ['post', 'key'],
    ['post', TOKEN_OPTION],
  ],
  requires: [
    ['slo', 'find-rate'],
    ['repeat', 'key'],
    ['streams', 'find-rate'],
  ],
  validate: (values) =>
    allOf(
      checkPost(values),
      checkFind(values),
      checkUsers(values),
      checkNames(values),
      checkChain(values),
    ),
  examples: [
    'comet gen --rate 16666 --users 10k --duration 15s',
    'comet gen --subjects zipf:1.1 --size 100-2000',
    'comet gen --post http://127.0.0.1:8080/pub/{id} --rate 5k --publishers 16',
    'comet gen --users 1k --address to --user-names user-{id}',
    'comet gen --address to --chain --key --repeat 1% --json > gen.json',
    'comet gen --find-rate --slo "p99<50ms,lost=0" --users 1k',
    'comet gen 127.0.0.1:8001 --generators 1000 --interval 11ms-110ms --users 1m',
  ],
  load: () => import('./gen.ts'),
})

/** With `--find-rate` each user has a stream, also users without messages. */
function checkUsers({ post, subjects, users, ...values }: GenValues): Result<void> {
  if (users === null || values['find-rate']) return OK
  if (subjects.kind === 'file') {
    return refused('give --users or --subjects file:, whose ids are the users')
  }
  return post === null || post.includes('{id}')
    ? OK
    : refused(`--users stand for {id}, which is not in --post ${post}; leave --users out`)
}

function checkChain({ chain, size }: GenValues): Result<void> {
  return !chain || size === null || size.from >= CHAINED_BYTES_MAX
    ? OK
    : refused(`with --chain a message has ${CHAINED_BYTES_MAX} bytes at least; see --size`)
}

function checkNames(values: GenValues): Result<void> {
  const { post, subjects, users, 'user-names': names } = values
  if (names === null) return OK
  if (post !== null) {
    return refused('with --post write names in its address, like /pub/user-{id}, not --user-names')
  }
  const highest = subjects.kind === 'file' ? messageLimits.userIdMax : (users ?? USERS)
  return checkLengths(names, highest)
}

function checkPost({ post, batch }: GenValues): Result<void> {
  if (post === null) return OK
  if (!isPostTemplate(post)) {
    return refused(`--post ${post} is not an address like http://127.0.0.1:8080/pub/{id}`)
  }
  return (batch ?? 1) > 1
    ? refused('with --post each request has one message; leave --batch out')
    : OK
}

/** Is this an address like `http://127.0.0.1:8080/pub/{id}`, once it has the id of a user? */
export function isPostTemplate(template: string): boolean {
  return URL.parse(template.replaceAll('{id}', '1'))?.protocol === 'http:'
}

function checkFind(values: GenValues): Result<void> {
  if (!values['find-rate']) return OK
  const excluded = (['interval', 'messages'] as const).find((name) => values[name] !== null)
  return excluded === undefined
    ? OK
    : refused(`--find-rate tries rates for --duration each; leave --${excluded} out`)
}
