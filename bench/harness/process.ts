// Child processes of a bench: started, read line by line, ended in order, and killed with all of their
// children however the bench ends. Temporary folders are removed in the same way.

import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { settledWithin, withTimeout } from '../../src/core/deadline.ts'
import { descendants, readProcesses } from './proc.ts'

/** Milliseconds for the output of a process that has ended: its children may hold the pipe. */
const OUTPUT_MS_MAX = 15_000
/** Last lines of a process that an error message shows. */
const LAST_LINES_MAX = 20
/** Lines kept for `line()`; a server that logs each closed stream must not fill our memory. */
const UNREAD_LINES_MAX = 1_000

const running = new Set<Program>()
const folders = new Set<string>()

process.on('exit', () => {
  for (const program of running) program.killAll()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})
for (const [signal, exitCode] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.on(signal, () => process.exit(exitCode))
}

export type OnLine = (line: string) => void

/** A process whose output is lines, on either stream. */
export class Program implements AsyncDisposable {
  readonly name: string
  readonly #process: Bun.Subprocess<'pipe', 'pipe', 'pipe'>
  readonly #output: Promise<unknown>
  readonly #last: string[] = []
  #unread: string[] = []
  #onLine: OnLine
  #onOutputEnd: () => void = () => undefined
  #hasOutputEnded = false

  /** @param onLine gets every line; without it lines are kept for {@link line} */
  constructor(name: string, command: readonly string[], onLine?: OnLine) {
    this.name = name
    this.#onLine = onLine ?? this.#keep
    this.#process = Bun.spawn([...command], { stdin: 'pipe', stdout: 'pipe', stderr: 'pipe' })
    running.add(this)
    const take = (line: string) => {
      if (this.#last.push(line) > LAST_LINES_MAX) this.#last.shift()
      this.#onLine(line)
    }
    this.#output = Promise.all([
      readLines(this.#process.stdout, take),
      readLines(this.#process.stderr, take),
    ]).then(() => {
      this.#hasOutputEnded = true
      this.#onOutputEnd()
    })
  }

  get pid(): number {
    return this.#process.pid
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null
  }

  /** CPU time of the process, once it has ended, and of the children that it waited for. */
  get cpuSeconds(): number {
    return Number(this.#process.resourceUsage()?.cpuTime.total ?? 0) / 1e6
  }

  /** The most memory that it ever had resident, once it has ended. */
  get peakBytes(): number {
    return this.#process.resourceUsage()?.maxRSS ?? 0
  }

  send(line: string): void {
    this.#process.stdin.write(`${line}\n`)
    this.#process.stdin.flush()
  }

  /** The first line for which `pick` returns a value; the lines before it are dropped. */
  async line<T>(what: string, pick: (line: string) => T | undefined, ms: number): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const offer = (line: string) => {
      const picked = pick(line)
      if (picked === undefined) return
      // The clocks of some benches stop here, so there is no polling in between.
      this.#onLine = this.#keep
      resolve(picked)
    }
    const fail = (why: string) => reject(this.error(`${why} while we waited for ${what}`))
    const unread = this.#unread
    this.#unread = []
    this.#onLine = offer
    for (const line of unread) this.#onLine(line)
    this.#onOutputEnd = () => fail('ended')
    if (this.#hasOutputEnded) fail('ended')
    const timer = setTimeout(() => fail(`took more than ${ms} ms`), ms)
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      this.#onLine = this.#keep
      this.#onOutputEnd = () => undefined
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** The exit code, once all lines have come. A process that takes longer is killed: an error. */
  async ended(ms: number): Promise<number> {
    const code = await settledWithin(this.#process.exited, ms)
    if (code === undefined) {
      this.killAll()
      throw this.error(`did not end within ${Math.round(ms / 1000)} s`)
    }
    await withTimeout(`the end of the output of ${this.name}`, this.#output, OUTPUT_MS_MAX)
    return code
  }

  error(what: string): Error {
    return new Error([`${this.name} ${what}; its last lines:`, ...this.#last].join('\n  '))
  }

  /** Kills the process and its children, which may not notice that it is gone. */
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

  readonly #keep = (line: string): void => {
    if (this.#unread.push(line) > UNREAD_LINES_MAX) this.#unread.shift()
  }
}

async function readLines(stream: ReadableStream<Uint8Array>, onLine: OnLine): Promise<void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of stream) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line)
  }
  if (rest !== '') onLine(rest)
}

/** What a program that has succeeded printed and used. */
export interface Succeeded {
  readonly lines: readonly string[]
  readonly seconds: number
  readonly peakBytes: number
}

/** Runs a program to its end; an error if it fails or takes longer. */
export async function succeed(
  name: string,
  command: readonly string[],
  ms: number,
): Promise<Succeeded> {
  const lines: string[] = []
  const startedMs = performance.now()
  await using program = new Program(name, command, (line) => lines.push(line))
  const code = await program.ended(ms)
  if (code !== 0) throw program.error(`ended with ${code}`)
  const seconds = (performance.now() - startedMs) / 1000
  return { lines, seconds, peakBytes: program.peakBytes }
}

export interface Folder extends AsyncDisposable {
  readonly path: string
}

/** A folder that is removed at the end. */
export async function temporaryFolder(): Promise<Folder> {
  const path = await mkdtemp(`${tmpdir()}/comet-bench-`)
  folders.add(path)
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      rmSync(path, { recursive: true, force: true })
      folders.delete(path)
    },
  }
}
