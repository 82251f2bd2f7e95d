// What a soak is asked to do: the options of the command, read and checked. Pure: it starts nothing.

import { parseArgs } from 'node:util'
import { parseCount, parseDurationMs } from '../../src/core/units.ts'
import { orWhyNot } from '../harness/options.ts'

export interface Options {
  readonly connections: number
  /** Messages a second, to one user each and about users together. */
  readonly ratePerSecond: number
  readonly durationMs: number
  readonly build: boolean
}

export const USAGE = `bun run bench:soak [options]
  --connections 10k   streams to hold, 1k at least
  --rate 5k           messages a second
  --duration 1h       how long they flow, 1min at least
  --no-build          use dist/comet as it is`

const DURATION_MS = { min: 60_000, max: 7 * 86_400_000 }

/** The options, or a sentence that says what is wrong with them. */
export function readOptions(args: readonly string[]): Options | string {
  return orWhyNot(() => parsed(args))
}

function parsed(args: readonly string[]): Options | string {
  const { values } = parseArgs({
    args: [...args],
    options: {
      connections: { type: 'string', default: '10k' },
      rate: { type: 'string', default: '5k' },
      duration: { type: 'string', default: '1h' },
      'no-build': { type: 'boolean', default: false },
    },
  })
  const connections = parseCount(values.connections)
  if (connections === undefined || connections < 1_000 || connections > 1_000_000) {
    return '--connections is a number like 10k, from 1k to 1m'
  }
  const ratePerSecond = parseCount(values.rate)
  if (ratePerSecond === undefined || ratePerSecond < 100 || ratePerSecond > 1_000_000) {
    return '--rate is a number like 5k, from 100 to 1m'
  }
  const durationMs = parseDurationMs(values.duration)
  if (durationMs === undefined || durationMs < DURATION_MS.min || durationMs > DURATION_MS.max) {
    return '--duration is like 10min or 1h, from 1min to 7d'
  }
  return { connections, ratePerSecond, durationMs, build: !values['no-build'] }
}
