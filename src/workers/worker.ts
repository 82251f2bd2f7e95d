// One worker: starts the process, notices when it ends or hangs, and starts it again with a growing
// delay.

import type { Clock } from '../core/clock.ts'
import { figureLimits, workerLimits } from '../core/limits.ts'
import type { RecentLog } from '../core/recent-log.ts'
import { type Result, refused, success } from '../core/result.ts'
import { Retry } from '../core/retry.ts'
import type { WorkerState } from '../hub/figures.ts'
import { LINK_DESCRIPTOR, SUBPROCESS_SESSION, WORKER_ENVIRONMENT } from '../os/subprocess.ts'
import { jsonOf, Link } from './link.ts'
import {
  TO_PARENT,
  TO_WORKER,
  type WorkerReport,
  type WorkerStart,
  type WorkerStarted,
} from './protocol.ts'
import type { RecordBytes } from './records.ts'

const RESTART = {
  firstMs: workerLimits.restartMs,
  maxMs: workerLimits.restartMsMax,
  forgetMs: workerLimits.restartForgetMs,
}

export interface WorkerOwner {
  /** The worker's port is open. */
  onUp(worker: WorkerProcess, link: Link): void
  /** A record other than those about the process itself. */
  onRecord(worker: WorkerProcess, record: RecordBytes): void
  /**
   * The worker is gone.
   *
   * @param restartMs when it is started again; null if it is not
   */
  onDown(worker: WorkerProcess, why: string, restartMs: number | null): void
}

export interface WorkerOptions {
  readonly number: number
  /** What it starts with, each time. */
  readonly start: () => WorkerStart
  /** How to start this program again as a worker. */
  readonly command: readonly string[]
  readonly owner: WorkerOwner
  /** Where lines of the worker's log are kept with those of this process. */
  readonly recentLog: Pick<RecentLog, 'add'>
  readonly clock: Clock
}

/** One process in the place. */
interface Life {
  readonly process: Bun.Subprocess
  readonly startedMs: number
  link: Link | null
  /** Why we end it; null if we do not. */
  why: string | null
  /** Runs when the link is closed and the process has not ended yet. */
  closing: Timer | null
}

export class WorkerProcess {
  state: WorkerState = 'waiting'
  /** Lives after the first. */
  restarts = 0
  /** What the worker reported last; of a worker that has ended, what it reported before. */
  latest: WorkerReport | null = null

  readonly #options: WorkerOptions
  #life: Life | null = null
  readonly #restart = new Retry(() => {
    this.restarts++
    this.start()
  }, RESTART)
  /** Runs while the worker starts. */
  #timer: Timer | null = null
  /** Ticks since the worker's last record. */
  #silentTicks = 0

  constructor(options: WorkerOptions) {
    this.#options = options
  }

  get number(): number {
    return this.#options.number
  }

  get pid(): number | null {
    return this.#life?.process.pid ?? null
  }

  get link(): Link | null {
    return this.state === 'running' ? (this.#life?.link ?? null) : null
  }

  /** How long a worker that runs has not responded. */
  get silentMs(): number {
    return this.state === 'running' ? this.#silentTicks * workerLimits.heartbeatEveryMs : 0
  }

  /** Has it been silent for long enough to report it? */
  get isSilent(): boolean {
    return this.silentMs >= figureLimits.silentTicksStuck * workerLimits.heartbeatEveryMs
  }

  /** Starts the process; `onUp` follows when its port is open, or `onDown`. */
  start(): void {
    const { clock } = this.#options
    this.state = 'starting'
    const child = this.#spawn((code, signal) => this.#down(life, ended(code, signal)))
    if (!child.ok) {
      this.#over(child.why, 0)
      return
    }
    const life: Life = {
      process: child.value,
      startedMs: clock.elapsedMs(),
      link: null,
      why: null,
      closing: null,
    }
    this.#life = life
    this.#timer = setTimeout(
      () => this.#kill(life, 'it did not start in time'),
      workerLimits.startMsMax,
    )
    const descriptor: unknown = child.value.stdio[LINK_DESCRIPTOR]
    if (typeof descriptor !== 'number') throw new Error('Bun gave no socket to a worker')
    const owner = {
      onRecord: (record: RecordBytes) => this.#onRecord(life, record),
      onClose: () => this.#closed(life),
    }
    const requestMsMax = workerLimits.figuresMsMax
    Link.open(descriptor, owner, { requestMsMax }).then((link) => {
      life.link = link
      // It may have been ended meanwhile.
      if (this.#life !== life) link.close()
      else link.json(TO_WORKER.start, this.#options.start())
    })
  }

  /** Asks for figures; settles when they have come, or when they do not come in time. */
  async ask(): Promise<void> {
    const { link } = this
    // A worker that hangs is not asked again and again.
    if (link === null || link.waiting >= workerLimits.figuresRequestsMax) return
    const report = await link.request<WorkerReport>(TO_WORKER.figures, null)
    if (report === undefined || link !== this.link) return
    this.#silentTicks = 0
    this.#take(report)
  }

  /** Once every so often, by the owner's timer: ends a worker that hangs. */
  tick(): void {
    if (this.state !== 'running' || this.#life === null) return
    if (this.#silentTicks++ < workerLimits.silentTicksMax) return
    const seconds = (workerLimits.silentTicksMax * workerLimits.heartbeatEveryMs) / 1000
    this.#kill(this.#life, `it did not respond for ${seconds} s and was killed`)
  }

  /** Does not start it again. */
  retire(): void {
    this.#restart.stop()
    if (this.state === 'waiting') this.state = 'ended'
  }

  /** Ends it at once. */
  kill(): void {
    this.retire()
    if (this.#life !== null) this.#kill(this.#life, 'the server ended it')
  }

  /** Fails if the system has no process to spare. */
  #spawn(onExit: (code: number | null, signal: unknown) => void): Result<Bun.Subprocess> {
    const { command } = this.#options
    try {
      const child = Bun.spawn([...command], {
        stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
        env: { ...process.env, ...WORKER_ENVIRONMENT },
        ...SUBPROCESS_SESSION,
        onExit: (_, code, signal) => onExit(code, signal),
      })
      return success(child)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      return refused(`it could not be started (${why})`)
    }
  }

  #onRecord(life: Life, record: RecordBytes): void {
    // Records of a worker that we have ended no longer count.
    if (this.#life !== life || life.link === null) return
    this.#silentTicks = 0
    if (record.kind === TO_PARENT.started) this.#started(life, life.link, jsonOf(record))
    else if (record.kind === TO_PARENT.figures) this.#take(jsonOf(record))
    else this.#options.owner.onRecord(this, record)
  }

  #started(life: Life, link: Link, started: WorkerStarted): void {
    if (!started.ok) {
      this.#kill(life, started.why)
      return
    }
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.state = 'running'
    this.#take(started.value)
    this.#options.owner.onUp(this, link)
  }

  #take(report: WorkerReport): void {
    this.latest = report
    const { number: worker, recentLog } = this.#options
    for (const line of report.logLines) {
      recentLog.add({ ...line, fields: { worker, ...line.fields } })
    }
  }

  /** A process that ends closes its link first; why it ended is known a moment later. */
  #closed(life: Life): void {
    if (this.#life !== life) return
    const kill = () => this.#kill(life, 'it closed its link')
    life.closing = setTimeout(kill, workerLimits.endMsMax)
  }

  #kill(life: Life, why: string): void {
    life.why ??= why
    life.process.kill('SIGKILL')
    this.#down(life, why)
  }

  /** Its streams are lost at once, whether or not the process has been reaped yet. */
  #down(life: Life, ended: string): void {
    if (this.#life !== life) return
    this.#life = null
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (life.closing !== null) clearTimeout(life.closing)
    life.link?.close()
    this.#over(life.why ?? ended, this.#options.clock.elapsedMs() - life.startedMs)
  }

  #over(why: string, livedMs: number): void {
    const restartMs = this.#restart.later(livedMs)
    this.state = restartMs === null ? 'ended' : 'waiting'
    this.#options.owner.onDown(this, why, restartMs)
  }
}

function ended(code: number | null, signal: unknown): string {
  return signal === null ? `it ended with ${code}` : `it was ended by signal ${signal}`
}
