// `comet flood`: its options, and one call.

import { isLoopback } from '../core/address.ts'
import { systemClock } from '../core/clock.ts'
import { floodLimits } from '../core/limits.tools.ts'
import { messageLimits } from '../core/limits.ts'
import { judge, judgementText, type Objective } from '../core/objective.ts'
import { formatBytes, formatCount } from '../core/units.ts'
import { machineWarnings } from '../doctor/warnings.ts'
import { type Flood, findTarget, startFlood } from '../flood/flood.ts'
import {
  FLOOD_METRICS,
  type FloodReport,
  floodReport,
  isFlawless,
  metricsOf,
} from '../flood/report.ts'
import type { FloodSample } from '../flood/sample.ts'
import { floodSummary } from '../flood/summary.ts'
import { openCount } from '../flood/tally.ts'
import type { Totals } from '../flood/totals.ts'
import { openFilesLimit } from '../machine/descriptors.ts'
import { command, EXIT } from './command.ts'
import type { Io } from './io.ts'
import { showLive } from './live.ts'
import { mannerOf, mannerOptions, scheduleOf, scheduleOptions, sources } from './manner.ts'
import { objectives } from './objectives.ts'
import { count, flag, list, text, type Values } from './option.ts'
import { ownCommand } from './own.ts'
import { PageFile, whyNotWritable } from './page.ts'
import { showProgress } from './progress.ts'
import { promisedIn } from './promise.ts'

const OPTIONS = {
  connections: count('10k', 'streams to open', { max: 10_000_000 }),
  'first-id': count('1', 'the first {id}', { max: messageLimits.userIdMax }),
  source: sources,
  ...mannerOptions,
  ...scheduleOptions,
  expect: list(
    text('file', null, 'compare with what comet gen --json wrote into this file; may be repeated'),
  ),
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
    fallback: 'http://127.0.0.1:8000/test/{id}',
  },
  options: OPTIONS,
  whyNot: mistake,
  examples: [
    'comet flood --connections 10k --duration 60s',
    'comet flood http://10.0.0.9:8000/test/{id} --source 10.0.0.1-10.0.0.4 --rate 2k --json',
    'comet flood http://127.0.0.1:8080/sub/{id} --header "TE: chunked" --ramp 30s --hold 5min',
    'comet flood --churn 1%/s --slow 1% --reconnect 1s --assert "p99<20ms,failed=0"',
  ],
  run: async (values, io, template) => {
    const refuse = (words: string): number => {
      io.words(`comet flood: ${words}`)
      return EXIT.usage
    }
    const target = await findTarget(template)
    if (typeof target === 'string') return refuse(`cannot flood ${template}: ${target}`)
    const manner = mannerOf(values, target)
    if (typeof manner === 'string') return refuse(manner)
    const schedule = scheduleOf(values)
    if (typeof schedule === 'string') return refuse(schedule)
    const notWritable = values.html === null ? null : whyNotWritable(values.html)
    if (notWritable !== null) {
      io.words(`comet flood: ${notWritable}`)
      return EXIT.unavailable
    }
    const warnings = warningsFor(values.connections, target.address, values.source)
    const running = startFlood(
      {
        ...manner,
        ...schedule,
        connections: values.connections,
        firstId: values['first-id'],
        sources: values.source,
        noteArrivals: values.expect.length > 0,
        apart: false,
      },
      openFilesLimit(),
      Math.floor(Math.random() * (floodLimits.portLast - floodLimits.portFirst)),
      ownCommand('flood-worker'),
      systemClock,
    )
    if (typeof running === 'string') {
      return refuse(`${formatCount(values.connections)} streams do not fit: ${running}`)
    }
    for (const warning of warnings) io.words(`comet flood: ${warning}`)
    const page = values.html === null ? null : new PageFile(values.html)
    const totals = await watch(running, { ...values, address: template, page }, io)
    const promised = await promisedIn(
      values.expect,
      totals.arrivals.all().map(([generator]) => generator),
    )
    const facts = { wanted: values.connections, processes: running.processes }
    const report = floodReport(
      { ...facts, promised: typeof promised === 'string' ? null : promised },
      totals,
    )
    io.out(values.json || values.ndjson ? JSON.stringify(report) : floodSummary(report))
    const failures = [
      typeof promised === 'string' ? promised : null,
      (await page?.write(report, totals)) ?? null,
    ].filter((failure) => failure !== null)
    for (const failure of failures) io.words(`comet flood: ${failure}`)
    return verdict(report, values.assert, io) && failures.length === 0 ? EXIT.ok : EXIT.failed
  },
})

/** What this machine lacks for the run; a server on loopback needs room on it, too. */
function warningsFor(
  connections: number,
  hostname: string,
  sources: readonly string[] | null,
): string[] {
  const end = isLoopback({ hostname, port: 0 }) ? 'both' : 'client'
  // Only there are addresses found that nobody named; elsewhere the kernel chooses one.
  const unnamed = hostname.startsWith('127.') ? null : 0
  return machineWarnings({ connections, end, sources: sources?.length ?? unnamed })
}

/** Metrics that need a comparison. */
const COMPARED: ReadonlySet<string> = new Set(['lost', 'unexpected'])

type Told = Pick<Values<typeof OPTIONS>, 'json' | 'ndjson' | 'assert' | 'expect'>

/** What makes no sense together, if anything. */
function mistake({ json, ndjson, assert, expect }: Told): string | null {
  if (json && ndjson) return '--json prints one object, --ndjson many lines; give one of them'
  const asksForLost = assert?.some(({ metric }) => COMPARED.has(metric)) === true
  return asksForLost && expect.length === 0
    ? 'what is lost is only known by comparing; give --expect, too'
    : null
}

/** Objectives take the place of the rule that nothing may go wrong. */
function verdict(report: FloodReport, wanted: readonly Objective[] | null, io: Io): boolean {
  if (wanted === null) return isFlawless(report)
  const judgements = judge(wanted, metricsOf(report))
  for (const judgement of judgements) {
    if (!judgement.met) io.words(`comet flood: ${judgementText(judgement)}`)
  }
  return judgements.every(({ met }) => met)
}

interface Watchers {
  readonly address: string
  readonly connections: number
  readonly ndjson: boolean
  readonly page: PageFile | null
}

/** Shows and keeps how the run goes, until it is over. */
async function watch(running: Flood, watchers: Watchers, io: Io): Promise<Totals> {
  const { address, connections, ndjson, page } = watchers
  // With lines of JSON there are no lines that change: both may be on the same terminal.
  const live = ndjson ? null : showLive(io, address, connections)
  const endSamples = handOutSamples(running, [
    ...(live === null ? [] : [live.hear]),
    ...(page === null ? [] : [(sample: FloodSample) => page.hear(sample)]),
    ...(ndjson ? [(sample: FloodSample) => io.out(JSON.stringify(sample))] : []),
  ])
  const hide = live?.close ?? showProgress(io, () => statusLine(running))
  stopOnSignal(running, io)
  const totals = await running.totals
  endSamples()
  hide()
  return totals
}

/** The first signal ends the run and lets it report; a second one ends the process. */
async function stopOnSignal(running: Flood, io: Io): Promise<void> {
  await io.nextSignal()
  running.stop()
}

/**
 * Takes a sample each second of the run for whoever wants one, since only one may take them; and once
 * more at its end, so that the last sample has all.
 */
function handOutSamples(
  running: Flood,
  ears: readonly ((sample: FloodSample) => void)[],
): () => void {
  if (ears.length === 0) return () => undefined
  const handOut = () => {
    const sample = running.sample()
    for (const hear of ears) hear(sample)
  }
  const timer = setInterval(handOut, floodLimits.sampleEveryMs)
  return () => {
    clearInterval(timer)
    handOut()
  }
}

function statusLine(running: Flood): string {
  const counters = running.counters()
  const { failed, closed, chunks, bytes } = counters
  const open = formatCount(openCount(counters))
  const faults = failed > 0 ? `, ${formatCount(failed)} failed` : ''
  return `${open} open, ${formatCount(closed)} closed${faults}, ${formatCount(chunks)} chunks, ${formatBytes(bytes)}`
}
