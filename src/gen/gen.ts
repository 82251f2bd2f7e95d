// What `comet gen` does with its options: starts the generators, or the search for the highest rate, and
// reports.

import { EXIT, type Run } from '../cli/command.ts'
import type { Io } from '../cli/io.ts'
import { showProgress } from '../cli/io.ts'
import { readToken, TOKEN_OPTION } from '../cli/secret.ts'
import { socketPathOf, urlOf } from '../core/address.ts'
import { systemClock } from '../core/clock.ts'
import { parseObjectives } from '../core/objective.ts'
import { type Schedule, shareRate, spreadIntervals } from '../core/pacer.ts'
import { randomFrom } from '../core/random.ts'
import { genLimits } from '../core/tool-limits.ts'
import { formatCount } from '../core/units.ts'
import { CONTROL_URL, type GenValues, type OPTIONS, SLO, STREAMS, USERS } from './command.ts'
import { find } from './find-rate.ts'
import { type Destination, genReport, genSummary, shortfall, whyUnanswered } from './gen-report.ts'
import { FIND_METRICS } from './metrics.ts'
import { post, postOf } from './post.ts'
import { lineOf, type Publish, publisherTo } from './publisher.ts'
import { type Gen, startGen } from './sender.ts'
import { type NextUser, openSubjects } from './subjects.ts'

/** Starts generators with these schedules. */
type Begin = (schedules: readonly Schedule[]) => Gen

export const run: Run<typeof OPTIONS> = async (values, io, given) => {
  const controlUrl = urlOf(given)
  const read = readToken(values[TOKEN_OPTION])
  const wrong = whereMistake(values, controlUrl) ?? (read.ok ? null : read.why)
  const random = randomFrom(values.seed)
  const nextUser = wrong ?? (await openSubjects(values.subjects, values.users ?? USERS, random))
  if (typeof nextUser === 'string' || !read.ok) {
    io.stderr(`comet gen: ${wrong ?? nextUser}`)
    return EXIT.usage
  }
  const publish = publisherTo(controlUrl || CONTROL_URL, read.token)
  const begin = starter(values, publish, nextUser)
  const to: Destination =
    values.post === null
      ? { url: controlUrl || CONTROL_URL, hasToken: read.token !== null }
      : { url: values.post, hasToken: null }
  if (!values['find-rate']) return await send(values, io, begin, to)
  const { streams, users, rate, generators, json } = values
  const wish = {
    ...{ streams: streams ?? STREAMS, users: users ?? USERS, rate, json, to },
    objectives: values.slo ?? parseObjectives(SLO, FIND_METRICS) ?? [],
    begin: (perSecond: number) => begin(shareRate(perSecond, generators)),
  }
  return await find(wish, io)
}

/** What is invalid with the address that was given, or that stands for none. */
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

async function send(values: GenValues, io: Io, begin: Begin, to: Destination): Promise<number> {
  const { generators, rate, interval } = values
  const schedules =
    interval === null
      ? shareRate(rate, generators)
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
  io.stdout(values.json ? JSON.stringify(report) : genSummary(report))
  const why = whyUnanswered(report, to)
  if (why !== null) io.stderr(`comet gen: ${why}`)
  const short = shortfall(
    report,
    values.post === null ? undefined : '--publishers and --generators',
  )
  if (short !== null) io.stderr(short)
  const flawless = report.rejected + report.unanswered + Object.keys(report.errors).length === 0
  return flawless ? EXIT.ok : EXIT.failed
}

function isHttpUrl(words: string): boolean {
  if (socketPathOf(words) !== undefined) return true
  return URL.canParse(words) && new URL(words).protocol === 'http:'
}
