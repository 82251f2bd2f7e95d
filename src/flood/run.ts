// What `comet flood` does with its options: starts the flood, shows its progress, compares and
// reports.

import { isIPv6 } from 'node:net'
import { EXIT, type Run } from '../cli/command.ts'
import { type Io, showProgress } from '../cli/io.ts'
import type { Values } from '../cli/option.ts'
import { readSecret, readToken, type SecretRule, TOKEN_OPTION } from '../cli/secret.ts'
import { isControlUrl, isLoopback, PUBLIC_URL, urlOf } from '../core/address.ts'
import { systemClock } from '../core/clock.ts'
import { identityLimits } from '../core/identity-limits.ts'
import { judge, judgementText, type Objective } from '../core/objective.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { formatBytes, formatCount, formatQuantity } from '../core/units.ts'
import { machineWarnings } from '../doctor/doctor.ts'
import { openBlackhole } from '../os/blackhole.ts'
import { readSmallFile } from '../os/file.ts'
import { FORMAT_PATH, type OPTIONS, SECRET_OPTION, STREAM_PATH, streamCount } from './command.ts'
import { type Flood, findTarget, startFlood } from './flood.ts'
import {
  type FloodReport,
  type FloodSample,
  floodReport,
  isFlawless,
  metricsOf,
  percentilesOf,
} from './flood-report.ts'
import { promisedDeliveries } from './generator-reports.ts'
import { checkWritable, HtmlFile } from './html-file.ts'
import { showLive } from './live-view.ts'
import {
  type FloodOptions,
  hasCursors,
  type StreamBehaviour,
  type StreamFormat,
  type Target,
} from './plan.ts'
import { openCount } from './process-stats.ts'
import { missingTexts, StreamComparison } from './server-streams.ts'
import { floodSummary } from './summary.ts'
import type { Totals } from './totals.ts'

type FloodValues = Values<typeof OPTIONS>

export const run: Run<typeof OPTIONS> = async (values, io, given) => {
  const template = templateOf(given, values.format)
  const refuse = (why: string, exitCode: number = EXIT.usage): number => {
    io.stderr(`comet flood: ${why}`)
    return exitCode
  }
  const options = await optionsOf(values, template)
  if (!options.ok) return refuse(options.why)
  const writable = values.html === null ? OK : checkWritable(values.html)
  if (!writable.ok) return refuse(writable.why, EXIT.unavailable)
  const compared = comparisonOf(values, template)
  if (!compared.ok) return refuse(compared.why)
  const comparison = compared.value
  const { target, resume } = options.value.behaviour
  const { connections } = options.value
  const warnings = warningsFor(connections, target.address, values.source)
  const started = await startFlood(
    options.value,
    systemClock,
    comparison === null ? null : (ending) => comparison.compare(ending),
  )
  if (!started.ok) {
    return refuse(`no room for ${formatQuantity(connections, 'stream')}: ${started.why}`)
  }
  const flood = started.value
  for (const warning of warnings) io.stderr(`comet flood: ${warning}`)
  if (!flood.descriptors.ok && process.platform === 'linux') {
    io.stderr(`comet flood: ${flood.descriptors.why}; sockets of Bun take more memory and CPU time`)
  }
  const page = values.html === null ? null : new HtmlFile(values.html)
  const totals = await watch(flood, { ...values, connections, address: template, page }, io)
  const generators = totals.arrivals.all().map(([generator]) => generator)
  const promised = await promisedDeliveries(values.expect, generators, resume)
  const server = (await comparison?.result()) ?? null
  const facts = {
    ...{ wanted: connections, processes: flood.processes },
    promised: promised.ok ? promised.value : null,
    hasCursors: hasCursors(values.format),
    resumes: resume,
    server: server?.ok === true ? server.value : null,
  }
  const report = floodReport(facts, totals)
  io.stdout(values.json || values.ndjson ? JSON.stringify(report) : floodSummary(report))
  const secure = target.tls === undefined ? '' : 's'
  if (report.connections.opened === 0 && 'refused' in report.errors) {
    io.stderr(`comet flood: nothing listens at ${target.protocol}${secure}://${target.host}`)
  }
  // These make the figures unreliable, whether the objectives are met or not.
  const failures = [
    ...(promised.ok ? [] : [promised.why]),
    ...(server?.ok === false ? [server.why] : []),
    ...(report.server === null ? [] : missingTexts(report.server)),
  ]
  for (const why of failures) io.stderr(`comet flood: ${why}`)
  const isMet = isSuccess(report, totals, values.assert, io)
  await page?.write(io, report, totals)
  return isMet && failures.length === 0 ? EXIT.ok : EXIT.failed
}

/**
 * The address of streams: that of a server has the path of their format, and each has the format
 * in its query.
 */
export function templateOf(given: string, format: StreamFormat): string {
  if (format === 'test') return urlOf(given, STREAM_PATH)
  const isDefault = given === `${PUBLIC_URL}${STREAM_PATH}`
  const template = urlOf(isDefault ? PUBLIC_URL : given, FORMAT_PATH)
  const whole = /^[a-z]+:\/\/[^/]*$/i.test(template) ? `${template}${FORMAT_PATH}` : template
  // A poll is told by its offset, which each request has.
  if (format === 'poll' || /[?&]format=/.test(whole)) return whole
  return `${whole}${whole.includes('?') ? '&' : '?'}format=${format}`
}

async function optionsOf(values: FloodValues, template: string): Promise<Result<FloodOptions>> {
  const firstId = values['first-id']
  if (firstId !== 1 && !template.includes('{id}')) {
    return refused(`--first-id needs {id} in the address, and ${template} has none`)
  }
  const found = await findTarget(template)
  if (!found.ok) return refused(`cannot flood ${template}: ${found.why}`)
  const target = checkedTarget(found.value, values)
  if (!target.ok) return target
  const { address } = target.value
  const foreign = values.source?.find((source) => isIPv6(source) !== isIPv6(address))
  if (foreign !== undefined) {
    return refused(`--source ${foreign} cannot connect to ${address}`)
  }
  const secret = tokenSecretOf(values[SECRET_OPTION])
  if (!secret.ok) return secret
  const behaviour = behaviourOf(values, target.value, secret.value)
  if (!behaviour.ok) return behaviour
  const { source: sources, storm } = values
  const connections = streamCount(values)
  return success({
    ...{ behaviour: behaviour.value, connections, firstId, sources, storm, inOwnProcess: false },
    ...scheduleOf(values),
  })
}

/** With the certificates that the server's is checked by. */
function checkedTarget(target: Target, values: FloodValues): Result<Target> {
  const { insecure, ca: path } = values
  if (target.tls === undefined) {
    return insecure || path !== null
      ? refused('--insecure and --ca are for an address with https')
      : success(target)
  }
  const file = path === null ? null : readSmallFile(path)
  if (file?.ok === false) return refused(`the certificate file ${path} ${file.why}`)
  const ca = file === null ? null : file.value.text
  if (ca !== null && !ca.includes('-----BEGIN CERTIFICATE-----')) {
    return refused(`the certificate file ${path} has no certificate in PEM`)
  }
  return success({ ...target, tls: { ...target.tls, insecure, ca } })
}

/** As long as the server's own may be. */
const SECRET_RULE: SecretRule = {
  what: 'secret',
  option: SECRET_OPTION,
  lengthMin: identityLimits.secretBytesMin,
  lengthMax: identityLimits.secretBytesMax,
  mayBeReadable: true,
}

function tokenSecretOf(path: string | null): Result<string | null> {
  if (path === null) return success(null)
  const read = readSecret(path, SECRET_RULE)
  return read.ok ? success(read.value.secret) : read
}

type BehaviourValues = Pick<
  FloodValues,
  | 'format'
  | 'resume'
  | 'header'
  | 'framing'
  | 'storm'
  | 'churn'
  | 'reconnect'
  | 'slow'
  | 'silent-drop'
  | 'expect'
>

export function behaviourOf(
  values: BehaviourValues,
  given: Target,
  tokenSecret: string | null = null,
): Result<StreamBehaviour> {
  const { format, storm } = values
  // A storm without cursors would show how fast streams open, which a flood shows anyway.
  const resume = values.resume || storm !== null
  if (given.protocol === 'ws' && format !== 'test' && format !== 'websocket') {
    return refused(`--format ${format} is not of a WebSocket; give an address with http`)
  }
  if (resume && /[?&](?:after|last)=/.test(given.pathTemplate)) {
    return refused('streams that resume say after= themselves; leave after= and last= out')
  }
  const target: Target = format === 'websocket' ? { ...given, protocol: 'ws' } : given
  const { header, framing, churn, reconnect, slow, 'silent-drop': silentDrop, expect } = values
  if (target.protocol === 'ws' && framing !== 'auto') {
    return refused(`a message of a WebSocket is a frame; leave out --framing ${framing}`)
  }
  if (slow + silentDrop > 1 + 1e-9) {
    return refused('--slow and --silent-drop add up to more than 100%')
  }
  if (silentDrop > 0 && openBlackhole() === null) {
    return refused('--silent-drop needs Linux, whose kernel can drop the packets of one connection')
  }
  return success({
    ...{ target, format, resume, tokenSecret, headers: header, churn, slow, silentDrop },
    reconnectMs: reconnect ?? (resume ? floodLimits.resumeMs : null),
    framing: framing === 'auto' ? null : framing,
    recordArrivals: expect.length > 0,
  })
}

type ScheduleValues = Pick<
  FloodValues,
  'rate' | 'ramp' | 'pending' | 'hold' | 'duration' | 'connections' | 'storm'
>

export function scheduleOf(
  values: ScheduleValues,
): Pick<FloodOptions, 'ratePerSecond' | 'pendingMax' | 'holdMs' | 'durationMs'> {
  const { rate, ramp, pending, hold, duration } = values
  return {
    ratePerSecond: ramp === null ? rate : (streamCount(values) * 1000) / ramp,
    pendingMax: pending,
    holdMs: hold,
    durationMs: duration,
  }
}

/** The comparison with the server's own count; null without `--control`. */
function comparisonOf(values: FloodValues, template: string): Result<StreamComparison | null> {
  const { control: url } = values
  if (url === null) return success(null)
  if (!isControlUrl(url)) {
    return refused(`--control ${url} is not an address like http://127.0.0.1:8001`)
  }
  const read = readToken(values[TOKEN_OPTION])
  if (!read.ok) return read
  return success(new StreamComparison({ url, token: read.value.token }, template))
}

/** What this machine lacks for the run. A server on loopback needs room on it as well. */
function warningsFor(
  connections: number,
  hostname: string,
  sources: readonly string[] | null,
): string[] {
  const end = isLoopback({ hostname, port: 0 }) ? 'both' : 'client'
  // By default the flood uses several addresses on loopback; elsewhere the kernel chooses one.
  const unnamed = hostname.startsWith('127.') ? null : 0
  return machineWarnings({ connections, end, sources: sources?.length ?? unnamed })
}

/** Objectives replace the rule that nothing may go wrong. */
function isSuccess(
  report: FloodReport,
  totals: Totals,
  objectives: readonly Objective[] | null,
  io: Io,
): boolean {
  if (objectives === null) return isFlawless(report)
  const measured = { ...percentilesOf(objectives, totals), ...metricsOf(report) }
  const judgements = judge(objectives, measured)
  for (const judgement of judgements) {
    if (!judgement.met) io.stderr(`comet flood: ${judgementText(judgement)}`)
  }
  return judgements.every(({ met }) => met)
}

interface Watchers {
  readonly address: string
  readonly connections: number
  readonly ndjson: boolean
  readonly page: HtmlFile | null
}

/** Shows and records the progress of the run until it is over. */
async function watch(flood: Flood, watchers: Watchers, io: Io): Promise<Totals> {
  const { address, connections, ndjson, page } = watchers
  // Not together with lines of JSON: both may be on the same terminal.
  const live = ndjson ? null : showLive(io, address, connections)
  const endSamples = sampleEachSecond(flood, [
    ...(live === null ? [] : [live.add]),
    ...(page === null ? [] : [(sample: FloodSample) => page.add(sample)]),
    ...(ndjson ? [(sample: FloodSample) => io.stdout(JSON.stringify(sample))] : []),
  ])
  const hide = live?.close ?? showProgress(io, () => statusLine(flood))
  // The first signal ends the run and lets it report; a second one ends the process.
  io.nextSignal().then(() => flood.stop())
  const totals = await flood.totals
  endSamples()
  hide()
  return totals
}

/**
 * Takes a sample each second for all listeners, since taking one resets the latency; and once more
 * at the end of the run, so that the last sample is complete.
 */
function sampleEachSecond(
  flood: Flood,
  listeners: readonly ((sample: FloodSample) => void)[],
): () => void {
  if (listeners.length === 0) return () => undefined
  const takeSample = () => {
    const sample = flood.sample()
    for (const onSample of listeners) onSample(sample)
  }
  const timer = setInterval(takeSample, floodLimits.sampleEveryMs)
  return () => {
    clearInterval(timer)
    takeSample()
  }
}

function statusLine(flood: Flood): string {
  const counters = flood.counters()
  const { failed, closed, chunks, bytes } = counters
  const open = formatCount(openCount(counters))
  const faults = failed > 0 ? `, ${formatCount(failed)} failed` : ''
  return `${open} open, ${formatCount(closed)} closed${faults}, ${formatCount(chunks)} chunks, ${formatBytes(bytes)}`
}
