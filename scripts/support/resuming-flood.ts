// `comet flood --resume` and `comet gen --chain --key` around faults, and their exact accounts:
// every message that the generator was told to be accepted, came once and in order.

import { expect } from 'bun:test'
import type { FloodReport, FloodSample } from '../../src/flood/flood-report.ts'
import type { GenReport } from '../../src/gen/gen-report.ts'
import { type ChildProcess, waitFor } from './child-process.ts'
import { start } from './comet.ts'
import { type Folder, makeFolder } from './folder.ts'
import { floodLines, genReport } from './reports.ts'

/** Milliseconds until the last message has come, once all is accepted. */
const SETTLE_MS_MAX = 30_000
/** Milliseconds without a message, beyond which none is under way. */
const QUIET_MS = 6_000
/** Milliseconds that a run may take: of a generator that waits for its last answers, too. */
const RUN_MS_MAX = 140_000

export interface ResumingFloodOptions {
  /** Of the public and the control port. */
  readonly publicUrl: string
  readonly controlUrl: string
  readonly streams: number
  readonly format: 'json' | 'sse' | 'websocket' | 'poll'
  /** Messages a second. */
  readonly rate: number
  readonly args?: readonly string[]
}

/** What was sent, and what came of it. */
export interface Accounts {
  readonly gen: GenReport
  readonly flood: FloodReport
  readonly exitCode: number
}

export class ResumingFlood implements AsyncDisposable {
  readonly #options: ResumingFloodOptions
  readonly #folder: Folder
  readonly #flood: ChildProcess
  #gen: ChildProcess | null = null

  /** Waits until all streams are open, and then sends until {@link end}. */
  static async start(options: ResumingFloodOptions): Promise<ResumingFlood> {
    const run = new ResumingFlood(options, await makeFolder())
    try {
      await run.#whole()
    } catch (error) {
      await run[Symbol.asyncDispose]()
      throw error
    }
    run.#send()
    return run
  }

  private constructor(options: ResumingFloodOptions, folder: Folder) {
    const { publicUrl, streams, format, args = [] } = options
    this.#options = options
    this.#folder = folder
    this.#flood = start(
      [
        ...['flood', publicUrl, '--format', format, '--connections', String(streams)],
        ...['--resume', '--reconnect', '100ms', '--expect', this.#reportPath, '--ndjson', ...args],
      ],
      { timeoutMs: RUN_MS_MAX },
    )
  }

  get #reportPath(): string {
    return `${this.#folder.path}/gen.json`
  }

  #send(): void {
    const { controlUrl, streams, rate } = this.#options
    const load = ['--rate', String(rate), '--users', String(streams), '--address', 'to']
    const kind = ['--chain', '--key', '--repeat', '1%', '--batch', '20', '--duration', '1h']
    this.#gen = start(['gen', controlUrl, ...load, ...kind, '--json'], { timeoutMs: RUN_MS_MAX })
  }

  /** Sends nothing more until {@link goOn}: the generator stands still. */
  pause(): void {
    this.#gen?.kill('SIGSTOP')
  }

  goOn(): void {
    this.#gen?.kill('SIGCONT')
  }

  get #latest(): FloodSample | null {
    const lines = this.#flood.stdout.split('\n').slice(0, -1)
    const last = lines.at(-1)
    return last === undefined ? null : (JSON.parse(last) as FloodSample)
  }

  /** Messages that have come, a second ago. */
  get received(): number {
    const received = this.#latest?.received
    return received === undefined ? 0 : received.messages - received.duplicated
  }

  /** Waits until so many messages more have come. */
  async more(count: number, ms?: number): Promise<void> {
    const needs = [this.#flood, ...(this.#gen === null ? [] : [this.#gen])]
    const end = this.received + count
    const look = () => this.received >= end
    await waitFor(`${count} messages more to come`, look, ms, { everyMs: 20, needs })
  }

  /** Waits until all streams are open. */
  async #whole(): Promise<void> {
    const look = () => this.#latest?.open === this.#options.streams
    await waitFor('all streams to be open', look, SETTLE_MS_MAX, { needs: [this.#flood] })
  }

  /** Sends nothing more, and waits for what is under way. */
  async end(): Promise<Accounts> {
    const generator = this.#gen as ChildProcess
    generator.kill('SIGINT')
    const generated = await generator.finished
    const gen = genReport(generated)
    await Bun.write(this.#reportPath, generated.stdout)
    await this.#whole()
    await this.#quiet(gen.sent - gen.rejected)
    this.#flood.kill('SIGINT')
    const flooded = await this.#flood.finished
    return { gen, flood: floodLines(flooded).report, exitCode: flooded.exitCode }
  }

  /** Waits for so many messages; if none comes for a while, the report says which are missing. */
  async #quiet(accepted: number): Promise<void> {
    let [received, sinceMs] = [-1, 0]
    const look = () => {
      if (this.received !== received) [received, sinceMs] = [this.received, performance.now()]
      return received >= accepted || performance.now() - sinceMs > QUIET_MS
    }
    await waitFor('messages to come', look, SETTLE_MS_MAX)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gen?.[Symbol.asyncDispose]()
    await this.#flood[Symbol.asyncDispose]()
    await this.#folder[Symbol.asyncDispose]()
  }
}

/**
 * Nothing is missing, nothing came twice or late, and no client was told of a gap.
 *
 * @param lost gaps that were to be told, for what others may have lost
 */
export function expectExact({ gen, flood, exitCode }: Accounts, lost = 0): void {
  const gaps = { lost, tooMany: 0, unknown: 0 }
  const { received, resume, comparison, examples } = flood
  const { duplicated, reordered, untracked } = received
  expect([gen.unanswered, gen.rejected]).toEqual([0, 0])
  expect({ examples, duplicated, reordered, untracked }).toEqual({
    examples: [],
    ...{ duplicated: 0, reordered: 0, untracked: 0 },
  })
  expect(resume).toMatchObject({ missed: 0, doubled: 0, unfounded: 0, away: 0, gaps })
  expect(comparison).toMatchObject({ promised: gen.sent, lost: 0, unexpected: 0 })
  expect(exitCode).toBe(0)
}
