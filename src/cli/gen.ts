// `comet gen`: its options, and one call.

import { systemClock } from '../core/clock.ts'
import { genLimits } from '../core/limits.tools.ts'
import { messageLimits } from '../core/limits.ts'
import { parseObjectives } from '../core/objective.ts'
import { type Schedule, shareRate, spreadIntervals } from '../core/pacer.ts'
import { randomFrom } from '../core/random.ts'
import { STAMP_BYTES_MAX } from '../core/stamp.ts'
import { formatCount, parseBytes, parseDurationMs } from '../core/units.ts'
import { FIND_METRICS } from '../gen/attempt.ts'
import { type Gen, startGen } from '../gen/gen.ts'
import { isPostTemplate, post, postOf } from '../gen/post.ts'
import { lineOf, type Publish, publisherTo } from '../gen/publisher.ts'
import { genReport, genSummary, shortfall } from '../gen/report.ts'
import { type NextUser, openSubjects, parseSubjects, type Subjects } from '../gen/subjects.ts'
import { command, EXIT } from './command.ts'
import { find } from './find.ts'
import type { Io } from './io.ts'
import { objectives } from './objectives.ts'
import { count, duration, flag, oneOf, text, type ValueOption, type Values } from './option.ts'
import { showProgress } from './progress.ts'
import { readToken, showsToken, TOKEN_OPTION } from './token.ts'

interface Range {
  readonly from: number
  readonly to: number
}

/** `from-to`, or one value that is both; undefined if it is neither or leaves its bounds. */
function parseRange(
  words: string,
  parse: (word: string) => number | undefined,
  { min, max }: { min: number; max: number },
): Range | undefined {
  const [first = '', last = first, ...rest] = words.split('-')
  const from = parse(first)
  const to = parse(last)
  if (from === undefined || to === undefined || rest.length > 0) return undefined
  return from >= min && to >= from && to <= max ? { from, to } : undefined
}

/** In milliseconds. */
const interval: ValueOption<Range> & { fallback: null } = {
  value: 'from-to',
  description: 'between two messages of one generator, spread evenly over all; no --rate then',
  fallback: null,
  parse: (words) => parseRange(words, parseDurationMs, { min: 1, max: Number.MAX_SAFE_INTEGER }),
  looksLike: 'a duration like 50ms or a range like 11ms-110ms, at least 1ms',
}

const SIZES = { min: STAMP_BYTES_MAX, max: messageLimits.bodyBytesMax }

/** In bytes. */
const size: ValueOption<Range> & { fallback: null } = {
  value: 'from-to',
  description: 'bytes of a message, each size equally often (default: as long as its text is)',
  fallback: null,
  parse: (words) => parseRange(words, parseBytes, SIZES),
  looksLike:
    `a size like 200 or 4KiB or a range like 100-2000, at least ${SIZES.min} bytes, ` +
    `which the stamp at the end may take, and at most ${SIZES.max}`,
}

const subjects: ValueOption<Subjects> & { fallback: string } = {
  value: 'how',
  description:
    'how users are chosen: uniform; zipf:1.1, user k as often as k^-1.1; or file:ids.txt, its ids',
  fallback: 'uniform',
  parse: parseSubjects,
  looksLike: `uniform, zipf:s with s above 0 and at most ${genLimits.zipfExponentMax}, or file:path`,
}

const SLO = 'p99<100ms,lost=0'

const slo = objectives(FIND_METRICS, null, `what must hold with --find-rate (default: ${SLO})`)

const STREAMS = 'http://127.0.0.1:8000/test/{id}'

const CONTROL_URL = 'http://127.0.0.1:8001'

const OPTIONS = {
  post: text('url', null, 'send each message as one POST to here; {id} is the user'),
  rate: count('1k', 'messages a second'),
  generators: count(
    String(genLimits.generatorsDefault),
    'who send it, in turn; the messages of each keep their order',
    { max: genLimits.generatorsMax },
  ),
  interval,
  users: count('10k', 'messages go to users 1 to this', { max: messageLimits.userIdMax }),
  subjects,
  size,
  address: oneOf(
    ['subject', 'to'],
    'subject',
    'send about a subject, who and whose followers get it, or to one user alone',
  ),
  duration: duration('10s', 'how long to send', { minMs: 1 }),
  messages: count(null, 'messages to send at most'),
  batch: count(
    null,
    `messages in one request at most (default: ${genLimits.batchDefault}, with --post 1)`,
    { max: genLimits.batchMax },
  ),
  publishers: count(
    String(genLimits.publishersDefault),
    'requests under way at once, each with the messages of other generators',
    { max: genLimits.publishersMax },
  ),
  'find-rate': flag('raise the rate from --rate on until --slo breaks; tell the highest that held'),
  slo,
  streams: text('url', null, `where users' streams are, for --find-rate (default: ${STREAMS})`),
  seed: count('1', 'which random users and sizes', { min: 0 }),
  [TOKEN_OPTION]: showsToken,
  json: flag('print one JSON object instead of the summary'),
} as const
type GenValues = Values<typeof OPTIONS>

/** Starts generators with these schedules. */
type Begin = (schedules: readonly Schedule[]) => Gen

export const gen = command({
  name: 'gen',
  summary: 'send messages to random users at a steady rate',
  argument: {
    name: 'control-url',
    description: `address of a server's control port (default: ${CONTROL_URL})`,
    fallback: null,
  },
  options: OPTIONS,
  whyNot: mistake,
  examples: [
    'comet gen --rate 16666 --users 10k --duration 15s',
    'comet gen --subjects zipf:1.1 --size 100-2000',
    'comet gen --post http://127.0.0.1:8080/pub/{id} --rate 5k --publishers 16',
    'comet gen --find-rate --slo "p99<50ms,lost=0" --users 1k',
    'comet gen http://127.0.0.1:8001 --generators 1000 --interval 11ms-110ms --users 1m --json',
  ],
  run: async (values, io, controlUrl) => {
    const read = readToken(values[TOKEN_OPTION])
    const wrong = whereMistake(values, controlUrl) ?? ('why' in read ? read.why : null)
    const random = randomFrom(values.seed)
    const nextUser = wrong ?? (await openSubjects(values.subjects, values.users, random))
    if (typeof nextUser === 'string' || 'why' in read) {
      io.words(`comet gen: ${wrong ?? nextUser}`)
      return EXIT.usage
    }
    const publish = publisherTo(controlUrl || CONTROL_URL, read.token)
    const begin = starter(values, publish, nextUser)
    if (!values['find-rate']) return await send(values, io, begin)
    const { streams, users, rate, generators, json } = values
    const wish = {
      ...{ streams: streams ?? STREAMS, users, rate, json },
      objectives: values.slo ?? parseObjectives(SLO, FIND_METRICS) ?? [],
      begin: (perSecond: number) => begin(shareRate(perSecond, Math.min(generators, perSecond))),
    }
    return await find(wish, io)
  },
})

/** What makes no sense together, if anything. */
function mistake(values: GenValues): string | null {
  return postMistake(values) ?? findMistake(values)
}

function postMistake({ post, batch }: GenValues): string | null {
  if (post === null) return null
  if (!isPostTemplate(post)) {
    return `--post ${post} is no address like http://127.0.0.1:8080/pub/{id}`
  }
  return (batch ?? 1) > 1 ? 'with --post each request has one message; leave --batch out' : null
}

/** What makes no sense with the address that was given, or that stands for none. */
function whereMistake({ post }: GenValues, controlUrl: string): string | null {
  if (post === null) {
    return isHttpUrl(controlUrl || CONTROL_URL)
      ? null
      : `${controlUrl} is no address like ${CONTROL_URL}`
  }
  return controlUrl === ''
    ? null
    : `messages go to ${controlUrl} or to --post ${post}; give one of them`
}

function findMistake(values: GenValues): string | null {
  const named = (names: readonly ('slo' | 'streams' | 'interval' | 'messages')[]) =>
    names.find((name) => values[name] !== null)
  if (values['find-rate']) {
    const stranger = named(['interval', 'messages'])
    return stranger === undefined
      ? null
      : `--find-rate tries rates for --duration each; leave --${stranger} out`
  }
  const lonely = named(['slo', 'streams'])
  return lonely === undefined
    ? null
    : `--${lonely} is for the search of a rate; give --find-rate as well`
}

function starter(values: GenValues, publish: Publish<string>, nextUser: NextUser): Begin {
  return (schedules) => {
    const common = {
      schedules,
      durationMs: values.duration,
      nextUser,
      nextBytes: sizesOf(values),
      publishers: values.publishers,
      messagesMax: values.messages,
      // Two runs at the same time must not pass for one.
      firstGenerator: Math.floor(Math.random() * 2 ** 20) * genLimits.generatorsMax,
    }
    if (values.post !== null) {
      return startGen({ ...common, write: postOf(values.post), batchMax: 1 }, post, systemClock)
    }
    const batchMax = values.batch ?? genLimits.batchDefault
    const options = { ...common, write: lineOf(values.address), batchMax }
    return startGen(options, publish, systemClock)
  }
}

/** From numbers of their own, so that a seed's users stay the same. */
function sizesOf({ size, seed }: GenValues): (() => number) | null {
  if (size === null) return null
  const random = randomFrom(seed + 2 ** 32)
  return () => size.from + random(size.to - size.from + 1)
}

async function send(values: GenValues, io: Io, begin: Begin): Promise<number> {
  const { generators, rate, interval } = values
  const schedules =
    interval === null
      ? shareRate(rate, Math.min(generators, rate))
      : spreadIntervals(generators, interval.from, interval.to)
  const running = begin(schedules)
  io.nextSignal().then(() => running.stop())
  const { tally } = running
  const hide = showProgress(
    io,
    () => `${formatCount(tally.sent)} sent, ${formatCount(tally.delivered)} promised`,
  )
  await running.finished
  hide()
  const report = genReport(tally)
  io.out(values.json ? JSON.stringify(report) : genSummary(report))
  const short = shortfall(
    report,
    values.post === null ? undefined : '--publishers and --generators',
  )
  if (short !== null) io.words(short)
  const flawless = report.rejected + report.unanswered + Object.keys(report.errors).length === 0
  return flawless ? EXIT.ok : EXIT.failed
}

function isHttpUrl(words: string): boolean {
  return URL.canParse(words) && new URL(words).protocol === 'http:'
}
