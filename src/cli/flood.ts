// `comet flood`: its options, and one call.

import { systemClock } from '../core/clock.ts'
import { floodLimits, messageLimits } from '../core/limits.ts'
import { formatBytes, formatCount } from '../core/units.ts'
import { type Flood, findTarget, startFlood } from '../flood/flood.ts'
import { floodReport, floodSummary, isFlawless } from '../flood/report.ts'
import { parseSources } from '../flood/source.ts'
import { openFilesLimit } from '../machine/descriptors.ts'
import { command, count, duration, EXIT, flag, type ValueOption } from './command.ts'
import type { Io } from './io.ts'
import { ownCommand } from './own.ts'
import { showProgress } from './progress.ts'

const sources: ValueOption<string[]> & { fallback: null } = {
  value: 'from-to',
  description: 'local addresses to connect from (default on loopback: 127.0.1.1 and up)',
  fallback: null,
  parse: parseSources,
  looksLike: 'an address like 10.0.0.1 or a range like 10.0.0.1-10.0.0.17',
}

export const flood = command({
  name: 'flood',
  summary: 'open very many streams, and check and time what arrives',
  argument: {
    name: 'url',
    description: 'address of a stream; {id} counts up',
    fallback: 'http://127.0.0.1:8000/test/{id}',
  },
  options: {
    connections: count('10k', 'streams to open', { max: 10_000_000 }),
    'first-id': count('1', 'the first {id}', { max: messageLimits.userIdMax }),
    source: sources,
    rate: count(null, 'connections begun a second (default: as the server keeps up)'),
    pending: count(
      String(floodLimits.pendingDefault),
      'connections that await their first byte at the same time',
      { max: floodLimits.pendingMax },
    ),
    duration: duration(null, 'how long to run (default: until interrupted)'),
    json: flag('print one JSON object instead of the summary'),
    ndjson: flag('print a line of JSON each second of the run, and that object as the last line'),
  },
  examples: [
    'comet flood --connections 10k --duration 60s',
    'comet flood http://10.0.0.9:8000/test/{id} --source 10.0.0.1-10.0.0.4 --rate 2k --json',
  ],
  run: async (values, io, template) => {
    if (values.json && values.ndjson) {
      io.words('comet flood: --json prints one object, --ndjson many lines; give one of them')
      return EXIT.usage
    }
    const target = await findTarget(template)
    if (typeof target === 'string') {
      io.words(`comet flood: cannot flood ${template}: ${target}`)
      return EXIT.usage
    }
    const running = startFlood(
      {
        target,
        connections: values.connections,
        firstId: values['first-id'],
        ratePerSecond: values.rate,
        pendingMax: values.pending,
        sources: values.source,
        durationMs: values.duration,
        apart: false,
      },
      openFilesLimit(),
      Math.floor(Math.random() * (floodLimits.portLast - floodLimits.portFirst)),
      ownCommand('flood-worker'),
      systemClock,
    )
    if (typeof running === 'string') {
      io.words(`comet flood: ${formatCount(values.connections)} streams do not fit: ${running}`)
      return EXIT.usage
    }
    const hide = showProgress(io, 'opening', {
      total: values.connections,
      done: () => running.counters().opened + running.counters().failed,
      line: () => statusLine(running),
    })
    const endSamples = values.ndjson ? printSamples(running, io) : () => undefined
    stopOnSignal(running, io)
    const report = floodReport(values.connections, await running.totals)
    hide()
    endSamples()
    io.out(values.json || values.ndjson ? JSON.stringify(report) : floodSummary(report))
    return isFlawless(report) ? EXIT.ok : EXIT.failed
  },
})

/** The first signal ends the run and lets it report; a second one ends the process. */
async function stopOnSignal(running: Flood, io: Io): Promise<void> {
  await io.nextSignal()
  running.stop()
}

/** Each second of the run, and once more at its end, so that the last sample has all. */
function printSamples(running: Flood, io: Io): () => void {
  const print = () => io.out(JSON.stringify(running.sample()))
  const timer = setInterval(print, floodLimits.sampleEveryMs)
  return () => {
    clearInterval(timer)
    print()
  }
}

function statusLine(running: Flood): string {
  const { opened, failed, closed, chunks, bytes } = running.counters()
  const open = formatCount(opened - closed)
  const faults = failed > 0 ? `, ${formatCount(failed)} failed` : ''
  return `${open} open, ${formatCount(closed)} closed${faults}, ${formatCount(chunks)} chunks, ${formatBytes(bytes)}`
}
