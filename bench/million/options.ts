// What a run is asked to do: the options of the command, read and checked. Pure: it starts nothing.

import { parseArgs } from 'node:util'
import { parseCount, parseDurationMs } from '../../src/core/units.ts'
import { orWhyNot } from '../harness/options.ts'

export interface Options {
  readonly connections: number
  /** How long messages to one user each flow. */
  readonly holdMs: number
  /** How long all streams are held before the first message. */
  readonly silenceMs: number
  /** How long one attempt of a search lasts. */
  readonly attemptMs: number
  /** Search the highest rate of messages to one user, too? */
  readonly searchesTo: boolean
  /** A folder whose graph of friends is used, or made, and kept; null for one that is removed. */
  readonly keep: string | null
  /** Where the results go. */
  readonly results: string
  readonly build: boolean
  /** Do it all, only look at the machine, or only draw again what was measured. */
  readonly work: 'run' | 'check' | 'render'
}

export const RESULTS = `${import.meta.dir}/../results`

export const USAGE = `bun run bench:million [options]
  --connections 1m   streams to open, 1k at least
  --hold 10m         how long 16,666 messages a second flow
  --silence 5min     how long all streams are held before
  --attempt 15s      how long one attempt at a higher rate lasts
  --to-search        also search the highest rate of messages to one user each
  --keep FOLDER      keep the graph of friends there, or use the one that is there
  --results FOLDER   where the results go (bench/results)
  --no-build         use dist/comet as it is
  --check            only say what the machine lacks
  --render           only draw the pages and pictures of the results again`

/** The options, or a sentence that says what is wrong with them. */
export function readOptions(args: readonly string[]): Options | string {
  return orWhyNot(() => parsed(args))
}

function parsed(args: readonly string[]): Options | string {
  const { values } = parseArgs({
    args: [...args],
    options: {
      connections: { type: 'string', default: '1m' },
      hold: { type: 'string', default: '10m' },
      silence: { type: 'string', default: '5min' },
      attempt: { type: 'string', default: '15s' },
      'to-search': { type: 'boolean', default: false },
      keep: { type: 'string' },
      results: { type: 'string', default: RESULTS },
      'no-build': { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      render: { type: 'boolean', default: false },
    },
  })
  const connections = parseCount(values.connections)
  if (connections === undefined || connections < 1_000 || connections > 10_000_000) {
    return '--connections is a number like 10k or 1m, from 1k to 10m'
  }
  const holdMs = durationMs(values.hold)
  const silenceMs = durationMs(values.silence)
  const attemptMs = durationMs(values.attempt)
  if (holdMs === undefined || silenceMs === undefined || attemptMs === undefined) {
    return '--hold, --silence and --attempt are durations like 30s or 10m, from 1s on'
  }
  return {
    connections,
    holdMs,
    silenceMs,
    attemptMs,
    searchesTo: values['to-search'],
    keep: values.keep ?? null,
    results: values.results,
    build: !values['no-build'],
    work: values.check ? 'check' : values.render ? 'render' : 'run',
  }
}

/** As comet reads them, and `10m` for ten minutes, which people write. */
function durationMs(text: string): number | undefined {
  const ms = parseDurationMs(text.replace(/^(\d+(?:\.\d+)?)m$/, '$1min'))
  return ms !== undefined && ms >= 1_000 && ms <= 86_400_000 ? ms : undefined
}

/** `1m`, `100k`, `10k`, or all digits: how a size is called in names of files. */
export function sizeName(connections: number): string {
  if (connections % 1_000_000 === 0) return `${connections / 1_000_000}m`
  if (connections % 10_000 === 0) return `${connections / 1_000}k`
  return String(connections)
}
