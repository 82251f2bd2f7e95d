// The entry. Comet's own processes go straight to their work: each loads no more than that, no
// command line, no control port, no standard streams of Bun's, which together would be most of what
// such a process costs before its first stream. Everyone else gets the command line. It alone ends
// the process.

import './core/production.ts'
import { fstatSync } from 'node:fs'
import { systemClock } from './core/clock.ts'
import { codeOf } from './core/system-error.ts'
import { LineOutput } from './os/line-output.ts'
import { ignoreStrays, yieldToOthers } from './os/process.ts'
import { LINK_DESCRIPTOR, type SubprocessName } from './os/subprocess.ts'
import { isTerminal, wantsColor } from './os/terminal.ts'

const STANDARD_ERROR = 2

/** Runs one of comet's own processes; returns the exit code. */
const SUBPROCESSES: Readonly<Record<SubprocessName, () => Promise<number>>> = {
  'serve-worker': async () => {
    ignoreSignals()
    if (!isSocket(LINK_DESCRIPTOR)) return startedByHand('serve-worker is started by comet serve')
    const [{ runWorker }, { Log }] = await Promise.all([
      import('./server/worker.ts'),
      import('./core/log.ts'),
    ])
    const isOnTerminal = await isTerminal(STANDARD_ERROR)
    const output = new LineOutput(STANDARD_ERROR)
    const log = new Log({
      format: isOnTerminal ? 'text' : 'json',
      hasColor: isOnTerminal && wantsColor(process.env),
      write: (line) => output.line(line),
      clock: systemClock,
    })
    for (const event of ['uncaughtException', 'unhandledRejection']) {
      process.on(event, (error: unknown) => log.bug(error))
    }
    await runWorker(log, systemClock)
    return 0
  },
  'flood-worker': async () => {
    ignoreSignals()
    if (process.send === undefined) return startedByHand('flood-worker is started by comet flood')
    // A flood has several processes only when it has very many streams.
    yieldToOthers()
    const { runFloodWorker } = await import('./flood/flood-process.ts')
    await runFloodWorker(systemClock)
    return 0
  },
}

/**
 * A signal to all processes of this name is meant for the server; its parent decides when to stop.
 */
function ignoreSignals(): void {
  ignoreStrays(() => undefined)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
}

function startedByHand(why: string): number {
  new LineOutput(STANDARD_ERROR).line(`comet ${why}, not by hand`)
  return 2
}

function isSocket(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isSocket()
  } catch (error) {
    if (codeOf(error) === 'EBADF') return false
    throw error
  }
}

const argv = process.argv.slice(2)
const [name = ''] = argv
if (Object.hasOwn(SUBPROCESSES, name)) process.exit(await SUBPROCESSES[name as SubprocessName]())

const [{ runProgram }, ...commands] = await Promise.all([
  import('./cli/program.ts'),
  import('./server/command.ts').then(({ serve }) => serve),
  import('./flood/command.ts').then(({ flood }) => flood),
  import('./gen/command.ts').then(({ gen }) => gen),
  import('./friends/command.ts').then(({ friends }) => friends),
  import('./doctor/command.ts').then(({ doctor }) => doctor),
  import('./client/command.ts').then(({ publish }) => publish),
  import('./client/command.ts').then(({ listen }) => listen),
  import('./token/command.ts').then(({ token }) => token),
  import('./server/health-command.ts').then(({ health }) => health),
])
const code = await runProgram(argv, commands)
// What was written must be out before the process ends, also into a slow pipe.
await new Promise<void>((resolve) => process.stderr.write('', () => resolve()))
process.exit(code)
