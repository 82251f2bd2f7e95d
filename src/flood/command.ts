// `comet flood`: its options. The run is loaded when it starts.

import { command } from '../cli/command.ts'
import {
  count,
  duration,
  flag,
  list,
  objectives,
  oneOf,
  share,
  short,
  text,
  url,
  type ValueOption,
  type Values,
} from '../cli/option.ts'
import { TOKEN_OPTION, tokenOption } from '../cli/secret.ts'
import { PUBLIC_URL } from '../core/address.ts'
import { messageLimits } from '../core/limits.ts'
import type { MetricUnits } from '../core/objective.ts'
import { allOf, OK, type Result, refused } from '../core/result.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { parseShare } from '../core/units.ts'
import { parseSources } from './local-ends.ts'
import { hasCursors } from './plan.ts'
import { parseHeader } from './request.ts'

/** The path of a server's streams. */
export const STREAM_PATH = '/test/{id}'

/** That of streams in a format. */
export const FORMAT_PATH = '/stream/{id}'

export const FORMATS = ['test', 'json', 'sse', 'websocket', 'raw', 'poll'] as const

export const SECRET_OPTION = 'token-secret-file'

/** The metrics of `--assert`. */
export const FLOOD_METRICS = {
  p50: 'ms',
  p99: 'ms',
  'p99.9': 'ms',
  max: 'ms',
  'connect-p50': 'ms',
  'connect-p99': 'ms',
  'connect-max': 'ms',
  opened: 'count',
  failed: 'count',
  closed: 'count',
  reopened: 'count',
  late: 'count',
  messages: 'count',
  duplicated: 'count',
  reordered: 'count',
  untracked: 'count',
  misnumbered: 'count',
  resumed: 'count',
  missed: 'count',
  doubled: 'count',
  gaps: 'count',
  unfounded: 'count',
  away: 'count',
  'caught-up': 'ms',
  lost: 'count',
  unexpected: 'count',
} as const satisfies MetricUnits

const source: ValueOption<string[], null> = {
  value: 'from-to',
  description: 'local addresses to connect from (default on loopback: 127.0.1.1 and up)',
  fallback: null,
  parse: parseSources,
  expected: 'an address like 10.0.0.1 or fd00::1, or a range like 10.0.0.1-10.0.0.17',
}

const header: ValueOption<string, null> = {
  value: 'name: value',
  description: 'header field of the request, like "TE: chunked"; may be repeated',
  fallback: null,
  parse: parseHeader,
  expected: 'a name, a colon and a value',
}

const churn: ValueOption<number, string> = {
  value: 'share/s',
  description: 'share of all streams to close and open again each second, like 1%/s',
  fallback: '0%/s',
  parse: (text) => (text.endsWith('/s') ? parseShare(text.slice(0, -2)) : undefined),
  expected: 'a share per second, like 1%/s or 0.5%/s',
}

const REQUESTS = {
  connections: count(null, 'streams to open (default: 10k, or as many as --storm)', {
    max: 10_000_000,
  }),
  'first-id': count('1', 'the first {id}', { max: messageLimits.userIdMax }),
  format: oneOf(
    FORMATS,
    'test',
    "what a stream is: test, as at /test/{id}; or one of /stream/{id}, held to the format's rules",
  ),
  framing: oneOf(
    ['auto', 'chunk', 'line', 'sse'],
    'auto',
    "what a message is: a chunk, a line or a server-sent event; auto: by the response's type",
  ),
  header: short('H', list(header)),
  [SECRET_OPTION]: text(
    'file',
    null,
    "file with the secret that a token of each stream's user is signed with, by HS256",
  ),
  insecure: short('k', flag('accept any certificate of an https server')),
  ca: text('file', null, 'file with the certificates, in PEM, by which that of https is checked'),
  source,
} as const

const PACE = {
  rate: count(null, 'connections to begin per second (default: as the server keeps up)'),
  ramp: duration(null, 'begin all connections evenly within this time', { minMs: 1 }),
  pending: count(
    String(floodLimits.pendingDefault),
    'most connections that wait for their first byte at the same time',
    { max: floodLimits.pendingMax },
  ),
  hold: duration(null, 'end the run this long after all streams are open or have failed'),
  duration: duration(null, 'how long to run (default: until interrupted)'),
} as const

const BEHAVIOUR = {
  resume: flag(
    'streams that ended, or that --churn closed, resume at their cursor; check that nothing ' +
      'is lost or doubled, and that gaps are true',
  ),
  churn,
  reconnect: duration(
    null,
    'reopen a stream that ended or failed, after about this time (--resume: 1s)',
    {
      minMs: 1,
    },
  ),
  slow: share('share of all streams that stop reading once they are open'),
  'silent-drop': share('share of all streams that vanish once open, without FIN or RST'),
  storm: count(
    null,
    'after the hold, cut so many streams at once and let them come back as fast as they can, ' +
      'or at --rate, with their cursors; then hold again (--hold: 5s)',
    { max: 10_000_000 },
  ),
} as const

const CHECKS = {
  expect: list(
    text('file', null, 'compare with the report of comet gen --json in this file; may be repeated'),
  ),
  control: url('at the end, compare with the open streams of the server with this control port'),
  [TOKEN_OPTION]: tokenOption,
  assert: objectives(
    FLOOD_METRICS,
    null,
    "succeed only if these objectives are met, like 'p99<20ms,failed<10'",
  ),
} as const

const REPORT = {
  json: flag('print one JSON object instead of the summary'),
  ndjson: flag('print a line of JSON each second, and that object as the last line'),
  html: text('file', null, 'also write an HTML page with charts of the run to this file'),
} as const

/** As the help lists them. */
const OPTION_GROUPS = {
  Streams: REQUESTS,
  'How fast, and how long': PACE,
  'How clients behave': BEHAVIOUR,
  'What is checked': CHECKS,
  Report: REPORT,
} as const

export const OPTIONS = {
  ...REQUESTS,
  ...PACE,
  ...BEHAVIOUR,
  ...CHECKS,
  ...REPORT,
} as const

export const flood = command({
  name: 'flood',
  purpose: 'Tools',
  summary: 'open very many streams, and check and time what arrives',
  argument: {
    name: 'url',
    description: 'address of a stream, http, https, ws or wss; {id} counts up',
    fallback: `${PUBLIC_URL}${STREAM_PATH}`,
  },
  options: OPTIONS,
  groups: OPTION_GROUPS,
  conflicts: [
    ['rate', 'ramp'],
    ['storm', 'churn'],
    ['insecure', 'ca'],
    ['json', 'ndjson'],
  ],
  requires: [[TOKEN_OPTION, 'control']],
  validate,
  examples: [
    'comet flood --connections 10k --duration 60s',
    'comet flood "127.0.0.1:8000/stream/user-{id}?format=raw" --connections 1k',
    'comet flood --format json --resume --churn 5%/s --duration 60s',
    'comet flood 10.0.0.9:8000/test/{id} --source 10.0.0.1-10.0.0.4 --rate 2k',
    'comet flood 127.0.0.1:8080/sub/{id} --header "TE: chunked" --hold 5min',
    'comet flood --format sse --storm 15k --token-secret-file secret',
    'comet flood --churn 1%/s --slow 1% --reconnect 1s --assert "p99<20ms,failed=0"',
  ],
  load: () => import('./run.ts'),
})

/** Metrics that need a comparison. */
const COMPARED: ReadonlySet<string> = new Set(['lost', 'unexpected'])

type GivenNames = 'assert' | 'expect' | 'format' | 'resume' | 'framing' | 'storm' | 'connections'

type Given = Pick<Values<typeof OPTIONS>, GivenNames>

function validate(values: Given): Result<void> {
  return allOf(checkAssert(values), checkFormat(values), checkStorm(values))
}

function checkStorm({ storm, connections, format }: Given): Result<void> {
  if (storm === null) return OK
  if (!hasCursors(format)) {
    return refused('--storm needs a format with cursors: --format json, sse, websocket or poll')
  }
  return connections === null || storm <= connections
    ? OK
    : refused(`--storm ${storm} are more streams than --connections ${connections}`)
}

/** Streams of a run. */
export function streamCount({ connections, storm }: Pick<Given, 'connections' | 'storm'>): number {
  return connections ?? storm ?? 10_000
}

function checkFormat({ format, framing, resume }: Given): Result<void> {
  if (format !== 'test' && framing !== 'auto') {
    return refused(`--format ${format} says what a message is; leave out --framing ${framing}`)
  }
  return resume && !hasCursors(format)
    ? refused('--resume needs a format with cursors: --format json, sse, websocket or poll')
    : OK
}

function checkAssert({ assert, expect }: Given): Result<void> {
  const needsExpect = assert?.some(({ metric }) => COMPARED.has(metric)) === true
  return needsExpect && expect.length === 0
    ? refused('lost and unexpected need a comparison; give --expect as well')
    : OK
}
