// The programs of a run: started, read line by line, ended in order, and killed with all of their
// children however the run ends. It knows nothing of what the lines mean.

import { settledWithin, withTimeout } from '../../src/core/deadline.ts'
import { readLines } from './lines.ts'
import { descendants, readProcesses } from './proc.ts'

/** Milliseconds for the output of a program that has ended: its children may hold it. */
const OUTPUT_MS_MAX = 15_000
/** Milliseconds for one look at a condition, however few of the wait are left. */
const LOOK_MS_MIN = 1_000
/** Lines of a program that are kept for the error message. */
const LINES_KEPT = 10

const running = new Set<Program>()

process.on('exit', () => {
  for (const program of running) program.killAll()
})
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.on(signal, () => process.exit(code))
}

export class Program implements AsyncDisposable {
  readonly name: string
  readonly #process: Bun.Subprocess<'ignore', 'pipe', 'pipe'>
  readonly #onLine: (line: string) => void
  readonly #last: string[] = []
  readonly #output: Promise<unknown>

  /** @param onLine is told each line of either output; it must not throw */
  constructor(name: string, command: readonly string[], onLine: (line: string) => void) {
    this.name = name
    this.#onLine = onLine
    this.#process = Bun.spawn([...command], { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
    running.add(this)
    this.#output = Promise.all([
      readLines(this.#process.stdout, (line) => this.#take(line)),
      readLines(this.#process.stderr, (line) => this.#take(line)),
    ])
  }

  get pid(): number {
    return this.#process.pid
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null
  }

  /** Processor time of the program that has ended and of those children that it waited for. */
  get cpuSeconds(): number {
    return Number(this.#process.resourceUsage()?.cpuTime.total ?? 0) / 1e6
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** The exit code, once all lines have come. One that does not end in time is killed: an error. */
  async ended(ms: number): Promise<number> {
    const code = await settledWithin(this.#process.exited, ms)
    if (code === undefined) {
      this.killAll()
      throw this.error(`did not end within ${Math.round(ms / 1000)} s`)
    }
    await withTimeout(`the end of the output of ${this.name}`, this.#output, OUTPUT_MS_MAX)
    // Bun answers with 128 and the signal's number for one that a signal ended.
    return code
  }

  error(what: string): Error {
    return new Error([`${this.name} ${what}; it said last:`, ...this.#last].join('\n  '))
  }

  /** The program and its children. Theirs is not to wait until they notice that it is gone. */
  killAll(): void {
    if (this.hasEnded) return
    const children = descendants(readProcesses().values(), this.pid)
    for (const pid of [this.pid, ...children]) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended since.
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.killAll()
    await this.#process.exited
    running.delete(this)
  }

  #take(line: string): void {
    if (this.#last.push(line) > LINES_KEPT) this.#last.shift()
    this.#onLine(line)
  }
}

/** Runs a program to its end; answers what it printed, and throws if it failed. */
export async function succeed(
  name: string,
  command: readonly string[],
  ms: number,
): Promise<string[]> {
  const lines: string[] = []
  await using program = new Program(name, command, (line) => lines.push(line))
  const code = await program.ended(ms)
  if (code !== 0) throw program.error(`ended with ${code}`)
  return lines
}

export interface Wait {
  readonly what: string
  readonly everyMs: number
  readonly mostMs: number
  /** Programs without which waiting is in vain. */
  readonly needs: readonly Program[]
}

/** Looks again and again until there is an answer; an error if one never comes. */
export async function waitFor<T>(
  { what, everyMs, mostMs, needs }: Wait,
  look: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const deadlineMs = performance.now() + mostMs
  for (;;) {
    const looked = look()
    const leftMs = Math.max(LOOK_MS_MIN, deadlineMs - performance.now())
    const found = looked instanceof Promise ? await withTimeout(what, looked, leftMs) : looked
    if (found !== undefined) return found
    for (const program of needs) {
      if (program.hasEnded) throw program.error(`ended while ${what} was waited for`)
    }
    if (performance.now() > deadlineMs) {
      throw new Error(`${Math.round(mostMs / 1000)} s passed without ${what}`)
    }
    await Bun.sleep(everyMs)
  }
}
