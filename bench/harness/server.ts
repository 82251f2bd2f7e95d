// `comet serve` of a run: started with as many workers as the streams need, asked for its figures,
// stopped. Only those figures are looked at that the run needs, so that others may come and go.

import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { streamLimits } from '../../src/core/limits.ts'
import { COMET, listening } from './comet.ts'
import { Program, waitFor } from './program.ts'

/** Milliseconds until it listens, with a million users' friends and all workers started. */
const START_MS_MAX = 180_000
/** Milliseconds for an answer of the control port while everything is busy. */
const ANSWER_MS_MAX = 30_000
/** Milliseconds until it has ended, its processes' memory given back. */
const STOP_MS_MAX = 120_000

export const ServeFigures = Type.Object({
  streams: Type.Object({
    open: Type.Number(),
    /** Since the start, by reason. */
    closed: Type.Record(Type.String(), Type.Number()),
  }),
  subscriptions: Type.Object({ held: Type.Number() }),
  deliveries: Type.Object({
    undelivered: Type.Number(),
    // Only a server with workers passes over connections of one that is too far behind.
    skipped: Type.Optional(Type.Number()),
  }),
  outbox: Type.Object({ queuedBytes: Type.Number() }),
})
export type ServeFigures = Static<typeof ServeFigures>

export interface Server extends AsyncDisposable {
  readonly program: Program
  readonly publicUrl: string
  readonly controlUrl: string
  /** From before the process was made to its line that says it listens. */
  readonly startSeconds: number
  figures(): Promise<ServeFigures>
  /** Stops it in order; answers its exit code. */
  stop(): Promise<number>
}

export async function startServer(connections: number, database: string): Promise<Server> {
  const startedMs = performance.now()
  let urls: { publicUrl: string; controlUrl: string } | undefined
  const command = serveCommand(connections, database)
  const program = new Program('comet serve', command, (line) => {
    urls ??= listening(line)
  })
  try {
    const wait = { what: 'the server', everyMs: 10, mostMs: START_MS_MAX, needs: [program] }
    const { publicUrl, controlUrl } = await waitFor(wait, () => urls)
    return {
      program,
      publicUrl,
      controlUrl,
      startSeconds: (performance.now() - startedMs) / 1000,
      figures: () => readFigures(controlUrl),
      stop: () => {
        program.signal('SIGTERM')
        return program.ended(STOP_MS_MAX)
      },
      [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
    }
  } catch (error) {
    await program[Symbol.asyncDispose]()
    throw error
  }
}

function serveCommand(connections: number, database: string): string[] {
  const ports = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0']
  const size = ['--connections', String(connections)]
  if (connections > streamLimits.userIdMaxDefault) size.push('--max-users', String(connections))
  return [COMET, 'serve', ...ports, ...size, '--db', database]
}

async function readFigures(controlUrl: string): Promise<ServeFigures> {
  const response = await fetch(`${controlUrl}/stats`, {
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
  })
  return Value.Parse(ServeFigures, await response.json())
}
