// Runs `comet gen`: sends messages at a rate, or searches for the highest one.

import { EXIT, type Run } from '../cli/command.ts'
import { type Io, showProgress } from '../cli/io.ts'
import { readToken, TOKEN_OPTION } from '../cli/secret.ts'
import { CONTROL_URL, isControlUrl, PUBLIC_URL, urlOf } from '../core/address.ts'
import { systemClock } from '../core/clock.ts'
import { parseObjectives } from '../core/objective.ts'
import { type Schedule, shareRate, spreadIntervals } from '../core/pacer.ts'
import { randomFrom } from '../core/random.ts'
import { OK, type Result, refused } from '../core/result.ts'
import { genLimits } from '../core/tool-limits.ts'
import { formatCount } from '../core/units.ts'
import { STREAM_PATH } from '../flood/command.ts'
import { FIND_METRICS, type GenValues, type OPTIONS, SLO, USERS } from './command.ts'
import { find } from './find-rate.ts'
import { type Destination, genReport, genSummary, shortfall, whyUnanswered } from './gen-report.ts'
import { MessageChains } from './message-chains.ts'
import { lineOf, type Publish, post, postOf, publisherTo } from './publisher.ts'
import { type GenRun, type Keys, Sender } from './sender.ts'
import { type NextUser, openSubjects } from './subjects.ts'

/** Starts generators with these schedules. */
type Begin = (schedules: readonly Schedule[]) => GenRun

export const run: Run<typeof OPTIONS> = async (values, io, argument) => {
  const given = urlOf(argument)
  const controlUrl = given || CONTROL_URL
  const refuse = (why: string): number => {
    io.stderr(`comet gen: ${why}`)
    return EXIT.usage
  }
  const checked = checkDestination(values.post, given, controlUrl)
  if (!checked.ok) return refuse(checked.why)
  const read = readToken(values[TOKEN_OPTION])
  if (!read.ok) return refuse(read.why)
  const { subjects, users, rate, generators, json, seed } = values
  const opened = await openSubjects(subjects, users ?? USERS, randomFrom(seed))
  if (!opened.ok) return refuse(opened.why)
  const begin = starter(values, publisherTo(controlUrl, read.value.token), opened.value)
  const to: Destination =
    values.post === null
      ? { url: controlUrl, hasToken: read.value.token !== null }
      : { url: values.post, hasToken: null }
  if (!values['find-rate']) return await send(values, io, begin, to)
  const request = {
    ...{ streams: streamsOf(values), users: users ?? USERS, rate, json, to },
    objectives: values.slo ?? parseObjectives(SLO, FIND_METRICS) ?? [],
    begin: (perSecond: number) => begin(shareRate(perSecond, generators)),
  }
  return await find(request, io)
}

/** Where users have their streams, at the path of numbers or of names if none is given. */
export function streamsOf(values: Pick<GenValues, 'streams' | 'user-names'>): string {
  const { streams, 'user-names': names } = values
  const path = names === null ? STREAM_PATH : `/stream/${names.before}{id}${names.after}?format=raw`
  return streams === null ? `${PUBLIC_URL}${path}` : urlOf(streams, path)
}

function checkDestination(post: string | null, given: string, controlUrl: string): Result<void> {
  if (post !== null && given !== '') {
    return refused(`messages go to ${given} or to --post ${post}; give one of them`)
  }
  return post !== null || isControlUrl(controlUrl)
    ? OK
    : refused(`${controlUrl} is not an address like ${CONTROL_URL}`)
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
      // Random, so that two simultaneous runs can be told apart.
      firstGenerator: Math.floor(Math.random() * 2 ** 20) * genLimits.generatorsMax,
      chains: values.chain ? new MessageChains() : null,
      keys: keysOf(values),
    }
    if (values.post !== null) {
      return new Sender({ ...common, write: postOf(values.post), batchMax: 1 }, post, systemClock)
    }
    const batchMax = values.batch ?? genLimits.batchDefault
    const write = lineOf(values.address, values['user-names'])
    return new Sender({ ...common, write, batchMax }, publish, systemClock)
  }
}

function keysOf({ key, repeat, seed }: GenValues): Keys | null {
  const random = randomFrom(seed + 2 ** 33)
  return key ? { repeat, random: () => random(2 ** 30) / 2 ** 30 } : null
}

/** From random numbers of their own, so that a seed's users do not depend on --size. */
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
  const remedy = values.post === null ? undefined : '--publishers and --generators'
  const short = shortfall(report, remedy)
  if (short !== null) io.stderr(short)
  const failures = report.rejected + report.unanswered + Object.keys(report.errors).length
  return failures === 0 ? EXIT.ok : EXIT.failed
}
