// The worker's end of the link: hands the frames that come to its streams and answers for them,
// tells of its figures when asked. It ends when the parent is gone.

import { systemClock } from '../core/clock.ts'
import { workerLimits } from '../core/limits.ts'
import { LoopWatch } from '../core/loop.ts'
import type { Pace } from '../hub/drain.ts'
import type { StreamFigures } from '../hub/figures.ts'
import type { Limiter } from '../hub/limiter.ts'
import type { StreamRules } from '../hub/rules.ts'
import type { StreamStore } from '../hub/store.ts'
import { LINK_DESCRIPTOR } from '../os/subprocess.ts'
import { jsonOf, Link } from './link.ts'
import { PendingStreams } from './pending-streams.ts'
import {
  type Drained,
  type PresenceAnswer,
  TO_PARENT,
  TO_WORKER,
  type WorkerReport,
  type WorkerStart,
  type WorkerStarted,
} from './protocol.ts'
import { HEAD_BYTES, type RecordBytes } from './records.ts'
import { RemoteLimiter } from './remote-limiter.ts'

/** What a worker holds, once it has been told to start. */
export interface Held {
  readonly store: StreamStore
  readonly pendingStreams: PendingStreams
  figures(): StreamFigures
  drain(pace: Pace): Promise<boolean>
  change(rules: StreamRules): void
}

/** How what a worker holds speaks to the parent. */
export interface ToParent {
  readonly pendingStreamsOf: (store: StreamStore) => PendingStreams
  readonly limiter: Limiter
}

export interface WorkerEndOptions {
  /** Opens the port; answers why it cannot be opened otherwise. */
  readonly hold: (start: WorkerStart, to: ToParent) => Held | string
  /** Lines of this process's log that could not be written. */
  readonly logLinesDropped: () => number
  /** The work is done, or the parent is gone. */
  readonly onEnd: () => void
}

/** Speaks to the parent until one of the two ends. */
export async function runWorkerEnd(options: WorkerEndOptions): Promise<void> {
  const child = new WorkerEnd(options)
  child.link = await Link.open(LINK_DESCRIPTOR, child)
}

class WorkerEnd {
  link: Link | null = null
  readonly #options: WorkerEndOptions
  readonly #loop = new LoopWatch(systemClock)
  #held: Held | null = null
  #limiter: RemoteLimiter | null = null
  /** How many streams took each frame since the last flush, and the bytes of their records. */
  #took: number[] = []
  #tookBytes = 0

  constructor(options: WorkerEndOptions) {
    this.#options = options
  }

  onRecord(record: RecordBytes): void {
    const { link } = this
    if (link === null) throw new Error('a record came before the link was open')
    if (record.kind === TO_WORKER.start) {
      this.#start(link, jsonOf<WorkerStart>(record))
      return
    }
    const held = this.#held
    if (held === null) return
    if (record.kind === TO_WORKER.deliver) this.#deliver(link, held, record)
    else if (record.kind === TO_WORKER.ask)
      this.#figures(link, held, record.view.getUint32(0, true))
    else if (record.kind === TO_WORKER.presence) this.#presence(link, held, record.view)
    else if (record.kind === TO_WORKER.change) held.change(jsonOf(record))
    else if (record.kind === TO_WORKER.verdict) this.#limiter?.onVerdict(record)
    else if (record.kind === TO_WORKER.drain) this.#drain(link, held, jsonOf(record))
    else throw new Error(`the parent sent a record of kind ${record.kind}`)
  }

  onClose(): void {
    this.#options.onEnd()
  }

  onSent(): void {
    this.#held?.pendingStreams.onSent()
  }

  beforeFlush(): void {
    const { link } = this
    if (link === null) return
    this.#held?.pendingStreams.report()
    if (this.#took.length === 0) return
    link.out.begin(TO_PARENT.took)
    link.out.number(this.#tookBytes)
    for (const count of this.#took) link.out.number(count)
    link.out.end()
    this.#took = []
    this.#tookBytes = 0
  }

  #start(link: Link, start: WorkerStart): void {
    const limiter = new RemoteLimiter(link, systemClock)
    this.#limiter = limiter
    const held = this.#options.hold(start, {
      pendingStreamsOf: (store) => new PendingStreams(store, link),
      limiter,
    })
    const started: WorkerStarted =
      typeof held === 'string' ? { why: held } : { figures: this.#figuresOf(held) }
    link.json(TO_PARENT.started, started)
    if (typeof held === 'string') return
    this.#held = held
    this.#loop.start()
    setInterval(() => {
      this.#figures(link, held, 0)
      // Not at the end of the turn, which may be a long one.
      link.flush()
    }, workerLimits.lifeEveryMs)
  }

  #figures(link: Link, held: Held, request: number): void {
    link.json(TO_PARENT.figures, this.#figuresOf(held), request)
  }

  #figuresOf(held: Held): WorkerReport {
    const logLinesDropped = this.#options.logLinesDropped()
    return { ...held.figures(), loopLag: this.#loop.figures(), logLinesDropped }
  }

  /** Hot path: once a frame, and in it once a receiver. */
  #deliver(link: Link, { store }: Held, { bytes, view }: RecordBytes): void {
    const receivers = view.getUint32(0, true)
    const start = 4 + receivers * 4
    // A copy: what waits for a slow stream must not keep everything that came with it, and Bun's
    // buffers make only views of themselves.
    const frame = { bytes: new Uint8Array(bytes.subarray(start)) }
    let delivered = 0
    for (let at = 4; at < start; at += 4) {
      delivered += store.deliver(view.getUint32(at, true), frame)
    }
    this.#took.push(delivered)
    this.#tookBytes += bytes.length + HEAD_BYTES
    link.flushSoon()
  }

  #presence(link: Link, { store }: Held, view: DataView): void {
    const answer: PresenceAnswer = {
      request: view.getUint32(0, true),
      ...store.presence(view.getUint32(4, true)),
    }
    link.json(TO_PARENT.presence, answer)
  }

  async #drain(link: Link, held: Held, pace: Pace): Promise<void> {
    const drained: Drained = { cut: await held.drain(pace) }
    link.json(TO_PARENT.drained, drained)
    link.flushSoon()
    // The parent closes the link once it has read this, which ends the process.
  }
}
