// What `comet flood` does with its options: starts the flood, shows how it goes, compares and reports.

import { isIPv6 } from 'node:net'
import { EXIT, type Run } from '../cli/command.ts'
import type { Io } from '../cli/io.ts'
import { showProgress } from '../cli/io.ts'
import type { Values } from '../cli/option.ts'
import { readToken, TOKEN_OPTION } from '../cli/secret.ts'
import { isLoopback, socketPathOf, urlOf } from '../core/address.ts'
import { systemClock } from '../core/clock.ts'
import { judge, judgementText, type Objective } from '../core/objective.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { formatBytes, formatCount } from '../core/units.ts'
import { machineWarnings } from '../doctor/doctor.ts'
import { openFilesLimit } from '../os/descriptors.ts'
import { subprocessCommand } from '../os/subprocess.ts'
import { type OPTIONS, STREAM_PATH } from './command.ts'
import { type Flood, findTarget, startFlood } from './flood.ts'
import {
  type FloodReport,
  floodReport,
  isFlawless,
  metricsOf,
  percentilesOf,
} from './flood-report.ts'
import { promisedIn } from './generator-reports.ts'
import { PageFile, whyNotWritable } from './html-file.ts'
import { showLive } from './live-view.ts'
import { mannerOf, scheduleOf } from './manner.ts'
import type { FloodSample } from './sample.ts'
import { missingTexts, StreamComparison } from './server-streams.ts'
import { floodSummary } from './summary.ts'
import { openCount } from './tally.ts'
import type { Totals } from './totals.ts'

export const run: Run<typeof OPTIONS> = async (values, io, given) => {
  const template = urlOf(given, STREAM_PATH)
  const refuse = (words: string): number => {
    io.stderr(`comet flood: ${words}`)
    return EXIT.usage
  }
  if (values['first-id'] !== 1 && !template.includes('{id}')) {
    return refuse(`--first-id counts up {id}, which is not in ${template}; leave --first-id out`)
  }
  const target = await findTarget(template)
  if (typeof target === 'string') return refuse(`cannot flood ${template}: ${target}`)
  const foreign = values.source?.find((source) => isIPv6(source) !== isIPv6(target.address))
  if (foreign !== undefined) {
    return refuse(`no connection goes from --source ${foreign} to ${target.address}`)
  }
  const manner = mannerOf(values, target)
  if (typeof manner === 'string') return refuse(manner)
  const notWritable = values.html === null ? null : whyNotWritable(values.html)
  if (notWritable !== null) {
    io.stderr(`comet flood: ${notWritable}`)
    return EXIT.unavailable
  }
  const control = controlOf(values, template)
  if (typeof control === 'string') return refuse(control)
  const warnings = warningsFor(values.connections, target.address, values.source)
  const running = startFlood(
    {
      ...manner,
      ...scheduleOf(values),
      connections: values.connections,
      firstId: values['first-id'],
      sources: values.source,
      noteArrivals: values.expect.length > 0,
      apart: false,
    },
    openFilesLimit(),
    Math.floor(Math.random() * (floodLimits.portLast - floodLimits.portFirst)),
    subprocessCommand('flood-worker'),
    systemClock,
    control === null ? null : (ending) => control.look(ending),
  )
  if (typeof running === 'string') {
    return refuse(`${formatCount(values.connections)} streams do not fit: ${running}`)
  }
  for (const warning of warnings) io.stderr(`comet flood: ${warning}`)
  const page = values.html === null ? null : new PageFile(values.html)
  const totals = await watch(running, { ...values, address: template, page }, io)
  const promised = await promisedIn(
    values.expect,
    totals.arrivals.all().map(([generator]) => generator),
  )
  const server = (await control?.result()) ?? null
  const report = floodReport(
    {
      ...{ wanted: values.connections, processes: running.processes },
      promised: typeof promised === 'string' ? null : promised,
      server: typeof server === 'string' ? null : server,
    },
    totals,
  )
  io.stdout(values.json || values.ndjson ? JSON.stringify(report) : floodSummary(report))
  if (report.connections.opened === 0 && 'refused' in report.errors) {
    io.stderr(`comet flood: nothing listens at ${target.protocol}://${target.host}`)
  }
  // Without these the figures cannot be relied on, whatever is asserted of them.
  const missing = report.server === null ? [] : missingTexts(report.server)
  const failures = [promised, server, ...missing].filter((why) => typeof why === 'string')
  for (const why of failures) io.stderr(`comet flood: ${why}`)
  const isMet = verdict(report, totals, values.assert, io)
  await page?.write(io, report, totals)
  return isMet && failures.length === 0 ? EXIT.ok : EXIT.failed
}

/** The server's own count, if it is to be asked; or why it cannot be. */
function controlOf(
  values: Values<typeof OPTIONS>,
  template: string,
): StreamComparison | string | null {
  const { control: url } = values
  if (url === null) return null
  const isHttp = socketPathOf(url) !== undefined || URL.parse(url)?.protocol === 'http:'
  if (!isHttp) return `--control ${url} is no address like http://127.0.0.1:8001`
  const read = readToken(values[TOKEN_OPTION])
  return read.ok ? new StreamComparison({ url, token: read.token }, template) : read.why
}

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

/** Objectives take the place of the rule that nothing may go wrong. */
function verdict(
  report: FloodReport,
  totals: Totals,
  wanted: readonly Objective[] | null,
  io: Io,
): boolean {
  if (wanted === null) return isFlawless(report)
  const measured = { ...percentilesOf(wanted, totals), ...metricsOf(report) }
  const judgements = judge(wanted, measured)
  for (const judgement of judgements) {
    if (!judgement.met) io.stderr(`comet flood: ${judgementText(judgement)}`)
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
    ...(ndjson ? [(sample: FloodSample) => io.stdout(JSON.stringify(sample))] : []),
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
 * Takes a sample each second of the run for those who want one, since only one may take them; and once
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
