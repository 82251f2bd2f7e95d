// The commands that comet starts itself, a hundred at a time for a million streams. Each loads no
// more than its own work: no command line, no control port, no standard streams of Bun's, which
// together would be most of what such a process costs before its first stream.

import { fstatSync } from 'node:fs'
import { isatty } from 'node:tty'
import { systemClock } from '../core/clock.ts'
import { LINK_DESCRIPTOR } from '../core/own.ts'
import { LineOutput } from '../os/output.ts'
import { yieldToOthers } from '../os/scheduling.ts'
import { ignoreStrays } from '../os/signals.ts'

const STANDARD_ERROR = 2

/** The work of one of comet's own processes; answers the exit code. */
type Work = () => Promise<number>

const WORK: Readonly<Record<string, Work>> = {
  'serve-worker': async () => {
    ignoreSignals()
    if (!isSocket(LINK_DESCRIPTOR)) return misused('serve-worker is started by comet serve')
    const [{ runWorker }, { Log }] = await Promise.all([
      import('../server/worker.ts'),
      import('../core/log.ts'),
    ])
    const format = isatty(STANDARD_ERROR) ? 'text' : 'json'
    const output = new LineOutput(STANDARD_ERROR)
    const log = new Log({ format, write: (line) => output.line(line), clock: systemClock })
    for (const event of ['uncaughtException', 'unhandledRejection']) {
      process.on(event, (error: unknown) => log.bug(error))
    }
    await runWorker(log, systemClock)
    return 0
  },
  'flood-worker': async () => {
    ignoreSignals()
    if (process.send === undefined) return misused('flood-worker is started by comet flood')
    // A flood has several processes only when it has very many streams.
    yieldToOthers()
    const { runFloodWorker } = await import('../flood/worker.ts')
    await runFloodWorker(systemClock)
    return 0
  },
}

/** The work that a command line stands for, if it is one of comet's own. */
export function ownProcess(name: string | undefined): Work | undefined {
  return name !== undefined && Object.hasOwn(WORK, name) ? WORK[name] : undefined
}

/** How to start this program again: compiled it is itself, from source it is Bun with a file. */
export function ownCommand(name: 'serve-worker' | 'flood-worker'): string[] {
  const program = Bun.isStandaloneExecutable ? [] : [Bun.main]
  return [process.execPath, ...program, name]
}

/** A signal to all processes of this name is meant for the server; its parent decides when it is over. */
function ignoreSignals(): void {
  ignoreStrays(() => undefined)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
}

function misused(why: string): number {
  new LineOutput(STANDARD_ERROR).line(`comet ${why}, not by hand`)
  return 2
}

function isSocket(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isSocket()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EBADF') return false
    throw error
  }
}
