// `comet flood`: its options, and one call.

import { command } from '../cli/command.ts'
import { count, flag, list, objectives, text, url, type Values } from '../cli/option.ts'
import { TOKEN_OPTION, tokenOption } from '../cli/secret.ts'
import { messageLimits } from '../core/limits.ts'
import { mannerOptions, SCHEDULES, scheduleOptions, sources } from './manner.ts'
import { FLOOD_METRICS } from './metrics.ts'

/** Where a server has its streams. */
export const STREAM_PATH = '/test/{id}'

export const OPTIONS = {
  connections: count('10k', 'streams to open', { max: 10_000_000 }),
  'first-id': count('1', 'the first {id}', { max: messageLimits.userIdMax }),
  source: sources,
  ...mannerOptions,
  ...scheduleOptions,
  expect: list(
    text('file', null, 'compare with what comet gen --json wrote into this file; may be repeated'),
  ),
  control: url("compare at the end with what the server has open, by its control port's address"),
  [TOKEN_OPTION]: tokenOption,
  assert: objectives(
    FLOOD_METRICS,
    null,
    "succeed if these are met, and else fail, like 'p99<20ms,failed<10'",
  ),
  json: flag('print one JSON object instead of the summary'),
  ndjson: flag('print a line of JSON each second of the run, and that object as the last line'),
  html: text('file', null, 'also write a page with charts of the run into this file'),
} as const

export const flood = command({
  name: 'flood',
  summary: 'open very many streams, and check and time what arrives',
  argument: {
    name: 'url',
    description: 'address of a stream, http or ws; {id} counts up',
    fallback: `http://127.0.0.1:8000${STREAM_PATH}`,
  },
  options: OPTIONS,
  conflicts: [SCHEDULES, ['json', 'ndjson']],
  requires: [[TOKEN_OPTION, 'control']],
  validate: mistake,
  examples: [
    'comet flood --connections 10k --duration 60s',
    'comet flood http://10.0.0.9:8000/test/{id} --source 10.0.0.1-10.0.0.4 --rate 2k --json',
    'comet flood http://127.0.0.1:8080/sub/{id} --header "TE: chunked" --ramp 30s --hold 5min',
    'comet flood --churn 1%/s --slow 1% --reconnect 1s --assert "p99<20ms,failed=0"',
  ],
  load: () => import('./run.ts'),
})

/** Metrics that need a comparison. */
const COMPARED: ReadonlySet<string> = new Set(['lost', 'unexpected'])

type Told = Pick<Values<typeof OPTIONS>, 'assert' | 'expect'>

/** What is invalid together, if anything. */
function mistake({ assert, expect }: Told): string | null {
  const asksForLost = assert?.some(({ metric }) => COMPARED.has(metric)) === true
  return asksForLost && expect.length === 0
    ? 'what is lost is only known by comparing; give --expect, too'
    : null
}
