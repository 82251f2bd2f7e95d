// The figures of the system of 2008 beside those of a run: what it took then, in both of its forms,
// and what it takes now. The rows are data; how they look is others'.

import { formatBytes, formatCount, formatMs } from '../../src/core/units.ts'
import { figureValue, type MillionReport } from './report.ts'

export interface ReferenceRow {
  readonly what: string
  readonly mochiweb: string
  readonly libevent: string
  readonly comet: string
}

const GIB = 1024 ** 3
const NEVER = 'never measured'

export function referenceRows(report: MillionReport): ReferenceRow[] {
  const of = (name: string) => figureValue(report, name)
  const count = (name: string, unit: string) => {
    const value = of(name)
    return value === null ? '–' : `${formatCount(value)}${unit}`
  }
  const { cores, memoryBytes } = report.machine
  const row = (what: string, mochiweb: string, libevent: string, comet: string): ReferenceRow => ({
    what,
    mochiweb,
    libevent,
    comet,
  })
  return [
    row('streams open at once', '1,000,000', '1,000,000', count('streamsOpen', '')),
    row(
      'machines',
      'four: 4 cores 16 GB, 8 cores 32 GB, 4 cores 16 GB, 2 cores 2 GB',
      'two: a server of 32 GB, a client',
      `one for everything: ${cores} cores, ${formatBytes(memoryBytes)}`,
    ),
    row('memory of the server machine, a stream', '40 KB, swapping', '10 KB', serverShare(report)),
    row('server processes, a stream', '25 KB', '2 KB', count('serverPerStream', ' bytes')),
    row('client processes, a stream', '2 KB', '2 KB', count('floodPerStream', ' bytes')),
    row(
      'memory of all machines',
      '38 GB of the server alone',
      '9.6 GB of the server alone',
      all(of),
    ),
    row('opening all streams', '240 to 275 min', '240 to 275 min', opening(of)),
    row(
      'messages a second, all open',
      '16,666 in, at most 26,000 packets out',
      'none: idle',
      `${count('steadyPerSecond', '')} in and out`,
    ),
    row(
      'deliveries a second to friends, all open',
      NEVER,
      'none: idle',
      count('subjectDeliveriesPerSecond', ''),
    ),
    row('publish to receive', NEVER, NEVER, latency(of)),
    row('lost, twice or out of order', NEVER, NEVER, faults(of)),
    row('loading 15 subscriptions a user', '745 to 890 s', '–', loading(of)),
  ]
}

type Of = (name: string) => number | null

/** The server's processes and its half of what the kernel took: the other half is the client's. */
function serverShare(report: MillionReport): string {
  const server = figureValue(report, 'serverPerStream')
  const kernel = figureValue(report, 'kernelPerStream')
  if (server === null || kernel === null) return '–'
  return `${formatCount(server + kernel / 2)} bytes: processes and half of the kernel's`
}

function all(of: Of): string {
  const gib = of('takenGib')
  return gib === null ? '–' : `${formatBytes(gib * GIB)}, both ends`
}

function opening(of: Of): string {
  const seconds = of('openingSeconds')
  const rate = of('openedPerSecond')
  return seconds === null || rate === null ? '–' : `${seconds.toFixed(0)} s, ${formatCount(rate)}/s`
}

function latency(of: Of): string {
  const [p50, p99, p999] = [of('steadyP50Ms'), of('steadyP99Ms'), of('steadyP999Ms')]
  if (p99 === null) return '–'
  return `p50 ${formatMs(p50)}, p99 ${formatMs(p99)}, p99.9 ${formatMs(p999)}`
}

function faults(of: Of): string {
  const [missing, twice, order] = [of('missing'), of('duplicated'), of('reordered')]
  if (missing === null || twice === null || order === null) return '–'
  const promised = of('promised') ?? 0
  return `${missing}, ${twice} and ${order} of ${formatCount(promised)} deliveries`
}

function loading(of: Of): string {
  const [seconds, held] = [of('loadSeconds'), of('subscriptions')]
  if (seconds === null || held === null) return '–'
  return `${seconds.toFixed(1)} s for ${formatCount(held)}`
}
