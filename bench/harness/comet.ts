// The released executable, driven from outside: a server with its figures, and a flood. What is
// measured is what users run, so nothing here reaches into it.

import { Value } from '@sinclair/typebox/value'
import { Stats } from '../../src/control/stats.ts'
import { FloodReport } from '../../src/flood/flood-report.ts'
import { Child, until } from './child.ts'

export const COMET = `${import.meta.dir}/../../dist/comet`

/** A server on ports that the system chooses; {@link listening} reads which. */
export function serveCommand(db = ':memory:'): string[] {
  const ports = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0']
  return [COMET, 'serve', ...ports, '--db', db]
}

/** Milliseconds for anything that takes a moment: a start, an answer. */
const SOON_MS = 10_000
/** Milliseconds for many streams to open or to end. */
const STREAMS_MS = 60_000

export interface Comet extends AsyncDisposable {
  readonly publicUrl: string
  readonly controlUrl: string
  stats(): Promise<Stats>
  /** Waits until exactly so many streams are open. */
  open(streams: number): Promise<void>
}

export interface CometOptions {
  readonly db?: string
  /** Options of `comet serve` besides. */
  readonly args?: readonly string[]
  /** Variables as `NAME=value`. */
  readonly environment?: readonly string[]
}

/** Starts a server, on a database if one is given. */
export async function startComet(options: CometOptions = {}): Promise<Comet> {
  const { db, args = [], environment = [] } = options
  const command = ['env', ...environment, ...serveCommand(db), ...args]
  const child = new Child('comet serve', command)
  try {
    const { publicUrl, controlUrl } = await child.line('its ports', listening, SOON_MS)
    const stats = () => readStats(controlUrl)
    return {
      publicUrl,
      controlUrl,
      stats,
      open: async (streams) => {
        const look = async () => (await stats()).streams.open === streams || undefined
        await until(`${streams} open streams`, look, STREAMS_MS)
      },
      [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
    }
  } catch (error) {
    await child[Symbol.asyncDispose]()
    throw error
  }
}

/** Reads the line of the log that says where the server listens. */
export function listening(line: string): { publicUrl: string; controlUrl: string } | undefined {
  if (!line.includes('"event":"listening"')) return undefined
  const fields: Record<string, unknown> = JSON.parse(line)
  return { publicUrl: String(fields['public']), controlUrl: String(fields['control']) }
}

async function readStats(controlUrl: string): Promise<Stats> {
  const response = await fetch(`${controlUrl}/stats`, { signal: AbortSignal.timeout(SOON_MS) })
  return Value.Parse(Stats, await response.json())
}

export interface Flood extends AsyncDisposable {
  readonly pid: number
  /** Ends the flood once nothing comes any more, and checks that no stream was lost. */
  stop(): Promise<FloodReport>
}

/** Opens streams for the users from 1 on, and answers once the server has them all. */
export async function startFlood(comet: Comet, streams: number): Promise<Flood> {
  const url = `${comet.publicUrl}/test/{id}`
  const command = [COMET, 'flood', url, '--connections', String(streams), '--json']
  const child = new Child('comet flood', command)
  try {
    await comet.open(streams)
  } catch (error) {
    await child[Symbol.asyncDispose]()
    throw error
  }
  return {
    pid: child.pid,
    stop: async () => {
      const code = await child.end('SIGINT')
      const parse = (line: string) =>
        line.startsWith('{') ? Value.Parse(FloodReport, JSON.parse(line)) : undefined
      const report = await child.line('its report', parse, SOON_MS)
      if (code !== 0) throw new Error(`comet flood was not flawless: ${JSON.stringify(report)}`)
      return report
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}
