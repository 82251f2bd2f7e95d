// `comet flood` of a run: what it says each second, and what it says at its end.

import { Value } from '@sinclair/typebox/value'
import { floodLimits } from '../../src/core/tool-limits.ts'
import { FloodReport } from '../../src/flood/flood-report.ts'
import { FloodSample } from '../../src/flood/sample.ts'
import { COMET } from './comet.ts'
import { Program, waitFor } from './program.ts'

/** Streams for each connection that may be under way: about twenty to a process of the server, which
 * takes them in together each time it gets to run. */
const PER_PENDING = 1_000
/** Milliseconds that it may take to close all streams and to report. */
const STOP_MS_MAX = 120_000
/** Milliseconds between two of its lines at most, however busy the machine is. */
const LINE_MS_MAX = 30_000

export interface Flood extends AsyncDisposable {
  readonly program: Program
  /** Each second so far. */
  readonly lines: readonly FloodSample[]
  /** Waits for the next line, and answers it. */
  next(): Promise<FloodSample>
  /** Closes all streams; answers the final report. */
  stop(): Promise<FloodReport>
}

/**
 * Begins to open streams for users one after the other, from addresses and ports that it binds.
 *
 * @param url of a stream, with `{id}` in it
 * @param flags of comet flood besides, as this server needs them
 * @param firstUser the user of the first stream
 */
export function startFlood(
  url: string,
  connections: number,
  flags: readonly string[] = [],
  firstUser = 1,
): Flood {
  const lines: FloodSample[] = []
  let report: FloodReport | undefined
  const pending = Math.max(floodLimits.pendingDefault, Math.ceil(connections / PER_PENDING))
  const count = ['--connections', connections, '--first-id', firstUser, '--pending', pending].map(
    String,
  )
  const program = new Program(
    'comet flood',
    [COMET, 'flood', url, ...count, ...flags, '--ndjson'],
    (text) => {
      const line = readLine(text)
      if (line === undefined) return
      if ('seconds' in line) lines.push(line)
      else report = line
    },
  )
  return {
    program,
    lines,
    next: () => {
      const count = lines.length
      const wait = {
        what: 'a line of the flood',
        everyMs: 20,
        mostMs: LINE_MS_MAX,
        needs: [program],
      }
      return waitFor(wait, () => (lines.length > count ? lines.at(-1) : undefined))
    },
    stop: async () => {
      program.signal('SIGINT')
      await program.ended(STOP_MS_MAX)
      if (report === undefined) throw program.error('ended without a report')
      return report
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  }
}

/** A line of a second, the final report, or neither: words for people. */
export function readLine(text: string): FloodSample | FloodReport | undefined {
  if (!text.startsWith('{')) return undefined
  try {
    const value: unknown = JSON.parse(text)
    if (Value.Check(FloodSample, value)) return value
    return Value.Check(FloodReport, value) ? value : undefined
  } catch {
    // Cut short, as when the program was killed while it wrote.
    return undefined
  }
}
