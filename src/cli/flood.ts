// `comet flood`: its options, and one call; and the command that its own worker processes run.

import { systemClock } from '../core/clock.ts'
import { floodLimits, messageLimits } from '../core/limits.ts'
import { formatBytes, formatCount } from '../core/units.ts'
import { type Flood, findTarget, startFlood } from '../flood/flood.ts'
import { floodReport, floodSummary, isFlawless } from '../flood/report.ts'
import { parseSources } from '../flood/source.ts'
import { runFloodWorker } from '../flood/worker.ts'
import { openFilesLimit } from '../machine/descriptors.ts'
import { command, count, duration, EXIT, flag, type ValueOption } from './command.ts'
import type { Io } from './io.ts'
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
    duration: duration(null, 'how long to run (default: until interrupted)'),
    json: flag('print one JSON object instead of the summary'),
  },
  examples: [
    'comet flood --connections 10k --duration 60s',
    'comet flood http://10.0.0.9:8000/test/{id} --source 10.0.0.1-10.0.0.4 --rate 2k --json',
  ],
  run: async (values, io, template) => {
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
        sources: values.source,
        durationMs: values.duration,
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
    stopOnSignal(running, io)
    const tally = await running.tally
    hide()
    const report = floodReport(values.connections, tally)
    io.out(values.json ? JSON.stringify(report) : floodSummary(report))
    return isFlawless(report) ? EXIT.ok : EXIT.failed
  },
})

export const floodWorker = command({
  name: 'flood-worker',
  summary: 'a process of comet flood',
  hidden: true,
  options: {},
  examples: [],
  run: async (_values, io) => {
    // A terminal sends Ctrl-C to the whole group; the parent alone decides when it is over.
    io.nextSignal()
    if (process.send === undefined) {
      io.words('comet flood-worker is started by comet flood')
      return EXIT.usage
    }
    await runFloodWorker(systemClock)
    return EXIT.ok
  },
})

/** The first signal ends the run and lets it report; a second one ends the process. */
async function stopOnSignal(running: Flood, io: Io): Promise<void> {
  await io.nextSignal()
  running.stop()
}

function statusLine(running: Flood): string {
  const { opened, failed, closed, chunks, bytes } = running.counters()
  const open = formatCount(opened - closed)
  const faults = failed > 0 ? `, ${formatCount(failed)} failed` : ''
  return `${open} open, ${formatCount(closed)} closed${faults}, ${formatCount(chunks)} chunks, ${formatBytes(bytes)}`
}

/** How to start this program again: compiled it is itself, from source it is Bun with a file. */
function ownCommand(name: string): string[] {
  const program = Bun.isStandaloneExecutable ? [] : [Bun.main]
  return [process.execPath, ...program, name]
}
