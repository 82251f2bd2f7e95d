// Runs programs for the tests, the demo and the benches: keeps what they print, waits for lines,
// conditions and ends, each for a limited time, and kills what still runs when this process exits.

import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { withTimeout } from '../../src/core/deadline.ts'

/** Milliseconds that a program may run, unless its caller allows more: no test takes as long. */
const RUN_MS_MAX = 600_000
/** Milliseconds that a program has to exit after a signal. */
const END_MS_MAX = 20_000
/** Milliseconds for the output of a program that has exited: its children may hold it open. */
const OUTPUT_MS_MAX = 15_000
/** Milliseconds for one look at a condition, however little of the wait is left. */
const LOOK_MS_MIN = 1_000
/** Lines that an error quotes. */
const LINES_QUOTED = 20

export interface ChildOptions {
  /** For errors; the program's file name by default. */
  readonly name?: string
  readonly cwd?: string
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>
  /** `pipe` for {@link ChildProcess.send}. */
  readonly stdin?: 'ignore' | 'pipe' | Blob
  /** Milliseconds that it may run; then it is killed, and `finished` rejects. Unlimited with
   * `onLine`, ten minutes without. */
  readonly timeoutMs?: number
  /** Called with each line of either output, which is then not kept: for programs that run long. */
  readonly onLine?: (line: string) => void
  /** Kill its descendants with it, which may take a moment to notice that it is gone. */
  readonly killsDescendants?: boolean
}

/** What a program left behind. */
export interface Finished {
  /** 128 and the signal's number for a program that a signal ended. */
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

const running = new Set<ChildProcess>()

process.on('exit', () => {
  for (const child of running) child.killAll()
})
for (const [signal, code] of [
  ['SIGHUP', 129],
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => process.exit(code))
}

/** A running program; it is killed at the end of the scope. */
export class ChildProcess implements AsyncDisposable {
  readonly name: string
  /** Settles when it has exited and its output is read. */
  readonly finished: Promise<Finished>
  readonly #process: Bun.Subprocess<'ignore' | 'pipe' | Blob, 'pipe', 'pipe'>
  readonly #options: ChildOptions
  readonly #unread: string[] = []
  readonly #last: string[] = []
  #stdout = ''
  #stderr = ''
  #onLine: ((line: string) => void) | null
  #onEnd: (() => void) | null = null

  constructor(command: readonly string[], options: ChildOptions = {}) {
    const { name = basename(command[0] ?? ''), cwd = process.cwd(), stdin = 'ignore' } = options
    const env = { ...process.env, ...options.env }
    this.name = name
    this.#options = options
    this.#onLine = options.onLine ?? null
    this.#process = Bun.spawn([...command], { cwd, env, stdin, stdout: 'pipe', stderr: 'pipe' })
    running.add(this)
    const output = Promise.all([
      this.#read(this.#process.stdout, (text) => {
        this.#stdout += text
      }),
      this.#read(this.#process.stderr, (text) => {
        this.#stderr += text
      }),
    ])
    this.finished = this.#finish(output)
    // Callers that see its end otherwise need not wait for this.
    this.finished.catch(() => undefined)
  }

  get pid(): number {
    return this.#process.pid
  }

  /** Null while it runs, and for a program that a signal ended. */
  get exitCode(): number | null {
    return this.#process.exitCode
  }

  get signalCode(): string | null {
    const { signalCode } = this.#process
    return signalCode === null ? null : String(signalCode)
  }

  get hasExited(): boolean {
    return this.exitCode !== null || this.signalCode !== null
  }

  /** Settles with the exit code, though output may still be under way. */
  get exited(): Promise<number> {
    return this.#process.exited
  }

  /** CPU time of the program that has exited and of those children that it waited for. */
  get cpuSeconds(): number {
    return Number(this.#process.resourceUsage()?.cpuTime.total ?? 0) / 1e6
  }

  /** The most memory that the program that has exited ever had resident. */
  get peakBytes(): number {
    return this.#process.resourceUsage()?.maxRSS ?? 0
  }

  /** What it has written so far; empty with `onLine`. */
  get stdout(): string {
    return this.#stdout
  }

  get stderr(): string {
    return this.#stderr
  }

  /** Waits until it has written this text to standard error. */
  async logged(text: string, ms?: number): Promise<void> {
    const look = () => this.stderr.includes(text)
    await waitFor(`${this.name} to log ${text}`, look, ms).catch((error) => {
      throw this.error(String(error))
    })
  }

  /** Writes a line to its standard input. */
  send(line: string): void {
    const { stdin } = this.#process
    if (stdin === undefined || typeof stdin === 'number')
      throw new Error('it has no standard input')
    stdin.write(`${line}\n`)
    stdin.flush()
  }

  /** The first line of either output that `pick` makes something of; those before are skipped.
   * Not with `onLine`. */
  async line<T>(what: string, pick: (line: string) => T | undefined, ms: number): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const take = (line: string): boolean => {
      const picked = pick(line)
      if (picked !== undefined) resolve(picked)
      return picked !== undefined
    }
    for (let line = this.#unread.shift(); line !== undefined; line = this.#unread.shift()) {
      if (take(line)) return promise
    }
    this.#onLine = (line) => {
      if (take(line)) this.#onLine = null
    }
    this.#onEnd = () => reject(this.error(`exited before ${what}`))
    const timer = setTimeout(() => reject(this.error(`took ${ms} ms without ${what}`)), ms)
    this.finished.then(this.#onEnd, this.#onEnd)
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      this.#onLine = null
    }
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#process.kill(signal)
  }

  /**
   * Sends a signal; the exit code once all output has come. An error if it does not exit in time.
   */
  async end(signal: NodeJS.Signals, ms = END_MS_MAX): Promise<number> {
    this.kill(signal)
    return await this.ended(ms)
  }

  /** The exit code once all output has come. One that does not exit in time is killed: an error. */
  async ended(ms: number): Promise<number> {
    try {
      return (await withTimeout(`${this.name} to exit`, this.finished, ms)).exitCode
    } catch (error) {
      this.killAll()
      throw this.error(error instanceof Error ? error.message : String(error))
    }
  }

  /** Kills it, and its descendants if its options say so. */
  killAll(): void {
    if (this.hasExited) return
    const descendants = this.#options.killsDescendants === true ? descendantsOf(this.pid) : []
    this.kill()
    for (const pid of descendants) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has exited since.
      }
    }
  }

  /** An error that quotes its last lines. */
  error(what: string): Error {
    return new Error([`${this.name}: ${what}; its last lines:`, ...this.#last].join('\n  '))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.killAll()
    await this.exited
  }

  async #finish(output: Promise<unknown>): Promise<Finished> {
    try {
      const exitCode = await this.#exitedInTime()
      await withTimeout(`the end of the output of ${this.name}`, output, OUTPUT_MS_MAX)
      return { exitCode, stdout: this.#stdout, stderr: this.#stderr }
    } finally {
      this.killAll()
      running.delete(this)
    }
  }

  #exitedInTime(): Promise<number> {
    const { timeoutMs, onLine } = this.#options
    if (timeoutMs === undefined && onLine !== undefined) return this.exited
    return withTimeout(`${this.name} to end`, this.exited, timeoutMs ?? RUN_MS_MAX)
  }

  async #read(stream: ReadableStream<Uint8Array>, keep: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder()
    let rest = ''
    for await (const bytes of stream) {
      const text = decoder.decode(bytes, { stream: true })
      if (this.#options.onLine === undefined) keep(text)
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) this.#take(line)
    }
    if (rest !== '') this.#take(rest)
  }

  #take(line: string): void {
    if (this.#last.push(line) > LINES_QUOTED) this.#last.shift()
    if (this.#onLine === null) this.#unread.push(line)
    else this.#onLine(line)
  }
}

/** Runs a program to its end. */
export async function runProgram(
  command: readonly string[],
  options: ChildOptions = {},
): Promise<Finished> {
  await using child = new ChildProcess(command, options)
  return await child.finished
}

/** What a program that has succeeded printed and used. */
export interface Succeeded {
  readonly stdout: string
  readonly seconds: number
  readonly peakBytes: number
}

/** Runs a program to its end; an error if it fails or takes longer than it may. */
export async function succeed(
  command: readonly string[],
  options: ChildOptions = {},
): Promise<Succeeded> {
  const startedMs = performance.now()
  await using child = new ChildProcess(command, { killsDescendants: true, ...options })
  const { exitCode, stdout } = await child.finished
  if (exitCode !== 0) throw child.error(`exited with ${exitCode}`)
  const seconds = (performance.now() - startedMs) / 1000
  return { stdout, seconds, peakBytes: child.peakBytes }
}

/** Children of a process, those included that it has not waited for yet. Linux only. */
export function childrenOf(pid: number): number[] {
  try {
    const lists = readdirSync(`/proc/${pid}/task`).map((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8'),
    )
    return lists.join(' ').split(' ').filter(Boolean).map(Number)
  } catch {
    // It has exited.
    return []
  }
}

function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)])
}

export interface WaitOptions {
  /** Milliseconds between two looks. */
  readonly everyMs?: number
  /** Programs that must not exit meanwhile. */
  readonly needs?: readonly ChildProcess[]
}

/** Looks again and again until there is an answer; throws after `ms`, with what it waited for. */
export async function waitFor<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  ms = 20_000,
  { everyMs = 5, needs = [] }: WaitOptions = {},
): Promise<T> {
  const deadline = performance.now() + ms
  for (;;) {
    const looked = look()
    const leftMs = Math.max(LOOK_MS_MIN, deadline - performance.now())
    const answer = looked instanceof Promise ? await withTimeout(what, looked, leftMs) : looked
    if (answer !== undefined && answer !== false) return answer
    for (const child of needs) {
      if (child.hasExited) throw child.error(`exited while the caller waited for ${what}`)
    }
    if (performance.now() > deadline)
      throw new Error(`timed out after ${ms} ms waiting for ${what}`)
    await Bun.sleep(everyMs)
  }
}
