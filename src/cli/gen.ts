// `comet gen`: its options, and one call.

import { systemClock } from '../core/clock.ts'
import { genLimits, messageLimits } from '../core/limits.ts'
import { shareRate, spreadIntervals } from '../core/pacer.ts'
import { randomFrom } from '../core/random.ts'
import { formatCount, parseDurationMs } from '../core/units.ts'
import { startGen } from '../gen/gen.ts'
import { publisherTo } from '../gen/publisher.ts'
import { genReport, genSummary, shortfall } from '../gen/report.ts'
import { command, count, duration, EXIT, flag, oneOf, type ValueOption } from './command.ts'
import { showProgress } from './progress.ts'

interface Interval {
  readonly fromMs: number
  readonly toMs: number
}

const interval: ValueOption<Interval> & { fallback: null } = {
  value: 'from-to',
  description: 'between two messages of one generator, spread evenly over all; no --rate then',
  fallback: null,
  parse: (text) => {
    const [from = '', to = from, ...rest] = text.split('-')
    const fromMs = parseDurationMs(from)
    const toMs = parseDurationMs(to)
    if (fromMs === undefined || toMs === undefined || rest.length > 0) return undefined
    return fromMs >= 1 && toMs >= fromMs ? { fromMs, toMs } : undefined
  },
  looksLike: 'a duration like 50ms or a range like 11ms-110ms, at least 1ms',
}

export const gen = command({
  name: 'gen',
  summary: 'send messages to random users at a steady rate',
  argument: {
    name: 'control-url',
    description: "address of a server's control port",
    fallback: 'http://127.0.0.1:8001',
  },
  options: {
    rate: count('1k', 'messages a second'),
    generators: count(
      String(genLimits.generatorsDefault),
      'who send it, in turn; the messages of each keep their order',
      { max: genLimits.generatorsMax },
    ),
    interval,
    users: count('10k', 'messages go to users 1 to this', { max: messageLimits.userIdMax }),
    address: oneOf(
      ['subject', 'to'],
      'subject',
      'send about a subject, who and whose followers get it, or to one user alone',
    ),
    duration: duration('10s', 'how long to send', { minMs: 1 }),
    messages: count(null, 'messages to send at most'),
    batch: count(String(genLimits.batchDefault), 'messages in one request at most', {
      max: genLimits.batchMax,
    }),
    publishers: count(
      String(genLimits.publishersDefault),
      'requests under way at once, each with the messages of other generators',
      { max: genLimits.publishersMax },
    ),
    seed: count('1', 'which random users', { min: 0 }),
    json: flag('print one JSON object instead of the summary'),
  },
  examples: [
    'comet gen --rate 16666 --users 10k --duration 15s',
    'comet gen http://127.0.0.1:8001 --generators 1000 --interval 11ms-110ms --users 1m --json',
  ],
  run: async (values, io, controlUrl) => {
    if (!isHttpUrl(controlUrl)) {
      io.words(`comet gen: ${controlUrl} is no address like http://127.0.0.1:8001`)
      return EXIT.usage
    }
    const { generators, rate } = values
    const schedules =
      values.interval === null
        ? shareRate(rate, Math.min(generators, rate))
        : spreadIntervals(generators, values.interval.fromMs, values.interval.toMs)
    const running = startGen(
      {
        schedules,
        publishers: values.publishers,
        users: values.users,
        address: values.address,
        durationMs: values.duration,
        messagesMax: values.messages,
        batchMax: values.batch,
        // Two runs at the same time must not pass for one.
        firstGenerator: Math.floor(Math.random() * 2 ** 20) * genLimits.generatorsMax,
      },
      publisherTo(controlUrl),
      randomFrom(values.seed),
      systemClock,
    )
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
    const short = shortfall(report)
    if (short !== null) io.words(short)
    const flawless = report.rejected + report.unanswered + Object.keys(report.errors).length === 0
    return flawless ? EXIT.ok : EXIT.failed
  },
})

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && new URL(text).protocol === 'http:'
}
