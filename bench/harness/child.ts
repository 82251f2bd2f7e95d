// Child processes that are spoken to in lines, and temporary folders: everything that must not
// outlive the benchmark, however it ends. Every wait has an end.

import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { withTimeout } from '../../src/core/deadline.ts'
import { readLines } from './lines.ts'

/** Milliseconds between two looks at a condition that nothing announces. */
const LOOK_EVERY_MS = 20
/** Milliseconds for one look at a condition, however few of the wait are left. */
const LOOK_MS_MIN = 1_000
/** Milliseconds that a child has to end by itself, and its output then. */
const END_MS = 15_000
/** Lines of a child that are kept for the error message. */
const LINES_KEPT = 20

const running = new Set<Child>()
const folders = new Set<string>()

process.on('exit', () => {
  for (const child of running) child.kill()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => process.exit(code))
}

interface Waiter {
  readonly onLine: (line: string) => void
  readonly onEnd: () => void
}

/** A process whose output is lines, on either stream. */
export class Child implements AsyncDisposable {
  readonly name: string
  readonly #process: Bun.Subprocess<'pipe', 'pipe', 'pipe'>
  /** Lines that nobody has waited for yet. */
  readonly #unread: string[] = []
  readonly #last: string[] = []
  readonly #output: Promise<void>
  #waiter: Waiter | null = null
  #ended = false

  constructor(name: string, command: readonly string[]) {
    this.name = name
    this.#process = Bun.spawn([...command], { stdin: 'pipe', stdout: 'pipe', stderr: 'pipe' })
    running.add(this)
    this.#output = Promise.all([
      readLines(this.#process.stdout, (line) => this.#take(line)),
      readLines(this.#process.stderr, (line) => this.#take(line)),
    ]).then(() => {
      this.#ended = true
      this.#waiter?.onEnd()
    })
  }

  get pid(): number {
    return this.#process.pid
  }

  send(line: string): void {
    this.#process.stdin.write(`${line}\n`)
    this.#process.stdin.flush()
  }

  /** The first line that `pick` makes something of; the lines before it are passed over. */
  async line<T>(what: string, pick: (line: string) => T | undefined, ms: number): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const take = (line: string): boolean => {
      const picked = pick(line)
      if (picked !== undefined) resolve(picked)
      return picked !== undefined
    }
    const fail = (why: string) => reject(this.#error(`${why} while waiting for ${what}`))
    for (let line = this.#unread.shift(); line !== undefined; line = this.#unread.shift()) {
      if (take(line)) return promise
    }
    if (this.#ended) fail('it ended')
    this.#waiter = {
      onLine: (line) => {
        if (take(line)) this.#waiter = null
      },
      onEnd: () => fail('it ended'),
    }
    const timer = setTimeout(() => fail(`${ms} ms passed`), ms)
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      this.#waiter = null
    }
  }

  /** Asks the process to end; answers its exit code once all of its lines have come. */
  async end(signal: NodeJS.Signals): Promise<number> {
    this.#process.kill(signal)
    const timer = setTimeout(() => this.kill(), END_MS)
    const code = await this.#process.exited
    clearTimeout(timer)
    await withTimeout(`the end of the output of ${this.name}`, this.#output, END_MS)
    if (this.#process.signalCode === 'SIGKILL') throw this.#error(`it ignored ${signal}`)
    return code
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill()
    await this.#process.exited
    running.delete(this)
  }

  #take(line: string): void {
    if (this.#last.push(line) > LINES_KEPT) this.#last.shift()
    if (this.#waiter === null) this.#unread.push(line)
    else this.#waiter.onLine(line)
  }

  #error(what: string): Error {
    return new Error([`${this.name}: ${what}; it said last:`, ...this.#last].join('\n  '))
  }
}

/** A folder of its own that is removed at the end. */
export async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
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

/** Waits until `look` answers something, and says what was missing if it never does. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined>,
  ms: number,
): Promise<T> {
  const deadline = performance.now() + ms
  for (;;) {
    const leftMs = Math.max(LOOK_MS_MIN, deadline - performance.now())
    const found = await withTimeout(what, look(), leftMs)
    if (found !== undefined) return found
    if (performance.now() > deadline) throw new Error(`${ms} ms passed without ${what}`)
    await Bun.sleep(LOOK_EVERY_MS)
  }
}
