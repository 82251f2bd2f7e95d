// The worker's end of the link: delivers the frames that come to its streams, acknowledges them,
// and replies to the parent's requests. It ends when the parent has gone.

import { systemClock } from '../core/clock.ts'
import { workerLimits } from '../core/limits.ts'
import { LoopWatch } from '../core/loop.ts'
import { Queue } from '../core/queue.ts'
import type { LogLine } from '../core/recent-log.ts'
import { type Result, refused, success } from '../core/result.ts'
import { Broadcasts } from '../hub/broadcast.ts'
import type { DrainPace } from '../hub/drain.ts'
import type { StreamFigures } from '../hub/figures.ts'
import type { Limiter } from '../hub/limiter.ts'
import type { DeliveryAck } from '../hub/receipt.ts'
import type { ServerConfig } from '../hub/settings.ts'
import type { StreamStore } from '../hub/store.ts'
import type { TicketIssuer } from '../identity/tickets.ts'
import { LINK_DESCRIPTOR } from '../os/subprocess.ts'
import { readBeginning } from './beginnings.ts'
import { jsonOf, Link } from './link.ts'
import { PendingStreams } from './pending-streams.ts'
import {
  type AudienceRequest,
  type Drained,
  type EndRequest,
  readFrame,
  TO_PARENT,
  TO_WORKER,
  type WorkerReport,
  type WorkerStart,
  type WorkerStarted,
} from './protocol.ts'
import { HEAD_BYTES, type RecordBytes } from './records.ts'
import { RemoteLimiter } from './remote-limiter.ts'
import { readSubjectsAnswer } from './remote-subjects.ts'

/** The public port of a worker, once it has started. */
export interface WorkerPort {
  readonly store: StreamStore
  figures(): StreamFigures
  drain(pace: DrainPace): Promise<boolean>
  /** Other settings are to be current. */
  change(config: ServerConfig): void
  /** The server is ready, or is not. */
  ready(isReady: boolean): void
}

/** What the worker's port needs of its parent. */
export interface Parent {
  /** Where streams are registered, which are then reported to the parent. */
  readonly registryOf: (store: StreamStore) => PendingStreams
  readonly limiter: Limiter
  /** Asks the parent whose a ticket is; null if it does not answer in time, too. */
  readonly redeem: TicketIssuer['redeem']
  /** Has the parent fetch the keys of tokens; settles when those are current, or too late. */
  readonly refreshKeys: () => Promise<unknown>
}

export interface ChildOptions {
  /** Opens the port. */
  readonly open: (start: WorkerStart, parent: Parent) => Promise<Result<WorkerPort>>
  /** Lines of this process's log that could not be written. */
  readonly logLinesDropped: () => number
  /** The newest lines of this process's log since it was asked last. */
  readonly newLogLines: () => readonly LogLine[]
  /** The streams are drained, or the parent has gone. */
  readonly onEnd: () => void
}

/** Serves the parent until one of the two ends. */
export async function runChild(options: ChildOptions): Promise<void> {
  const child = new Child(options)
  const requestMsMax = workerLimits.admissionMsMax
  child.link = await Link.open(LINK_DESCRIPTOR, child, { requestMsMax })
}

class Child implements DeliveryAck {
  link: Link | null = null
  readonly #options: ChildOptions
  readonly #loop = new LoopWatch(systemClock)
  #port: WorkerPort | null = null
  #broadcasts: Broadcasts | null = null
  #pendingStreams: PendingStreams | null = null
  /** How many streams took each frame since the last flush, and the bytes of their records. */
  #acked: number[] = []
  #ackedBytes = 0
  /** Bytes of the records of frames that the store has not answered for. */
  readonly #sentBytes = new Queue<number>()

  constructor(options: ChildOptions) {
    this.#options = options
  }

  onRecord(record: RecordBytes): void {
    const { link } = this
    if (link === null) throw new Error('a record came before the link was open')
    if (record.kind === TO_WORKER.start) {
      this.#start(link, jsonOf<WorkerStart>(record))
      return
    }
    const port = this.#port
    if (port === null) return
    if (record.kind === TO_WORKER.deliver) this.#deliver(port, record)
    else if (record.kind === TO_WORKER.broadcast) this.#broadcast(record)
    else if (record.kind === TO_WORKER.begin) {
      const { slot, ...beginning } = readBeginning(record)
      this.#pendingStreams?.onBeginning(slot, beginning)
    } else if (record.kind === TO_WORKER.wait) this.#pendingStreams?.onWait(numberOf(record))
    else if (record.kind === TO_WORKER.again) {
      const isLate = record.view.getUint32(4, true) === 1
      this.#pendingStreams?.onAgain(numberOf(record), isLate)
    } else if (record.kind === TO_WORKER.skipped) this.#skipped(port, record)
    else if (record.kind === TO_WORKER.changed)
      this.#pendingStreams?.subjects.onAnswer(readSubjectsAnswer(record))
    else if (record.kind === TO_WORKER.figures) link.reply(numberOf(record), this.#report(port))
    else if (record.kind === TO_WORKER.presence)
      link.reply(numberOf(record), port.store.connected.presence(jsonOf(record, 4)))
    else if (record.kind === TO_WORKER.audience) {
      const { subject, users } = jsonOf<AudienceRequest>(record, 4)
      link.reply(numberOf(record), port.store.connected.audienceOf(subject, users))
    } else if (record.kind === TO_WORKER.settings) port.change(jsonOf(record))
    else if (record.kind === TO_WORKER.end) this.#end(link, port, record)
    else if (record.kind === TO_WORKER.ready) port.ready(jsonOf(record))
    else if (record.kind === TO_WORKER.drain) this.#drain(link, port, jsonOf(record))
    else throw new Error(`the parent sent a record of kind ${record.kind}`)
  }

  /** The frames of one turn of the parent come together, and another turn would only be later. */
  afterRecords(): void {
    this.#port?.store.flush()
  }

  onClose(): void {
    this.#options.onEnd()
  }

  onSent(): void {
    this.#pendingStreams?.onSent()
  }

  beforeFlush(): void {
    const { link } = this
    if (link === null) return
    this.#pendingStreams?.report()
    if (this.#acked.length === 0) return
    link.out.begin(TO_PARENT.ack)
    link.out.number(this.#ackedBytes)
    for (const count of this.#acked) link.out.number(count)
    link.out.end()
    this.#acked = []
    this.#ackedBytes = 0
  }

  async #start(link: Link, start: WorkerStart): Promise<void> {
    const opened = await this.#options.open(start, {
      registryOf: (store) => {
        const broadcasts = new Broadcasts(store, (slot) => pending.onGone(slot))
        const pending = new PendingStreams(store, link, broadcasts)
        this.#broadcasts = broadcasts
        this.#pendingStreams = pending
        return pending
      },
      limiter: new RemoteLimiter(link),
      redeem: async (ticket) =>
        (await link.request<Awaited<ReturnType<TicketIssuer['redeem']>>>(
          TO_PARENT.redeem,
          ticket,
        )) ?? refused('busy'),
      refreshKeys: () => link.request(TO_PARENT.refreshKeys, null),
    })
    const started: WorkerStarted = opened.ok ? success(this.#report(opened.value)) : opened
    link.json(TO_PARENT.started, started)
    if (!opened.ok) return
    const port = opened.value
    this.#port = port
    this.#loop.start()
    setInterval(() => {
      link.json(TO_PARENT.figures, this.#report(port))
      // Not at the end of the turn, which may be a long one.
      link.flush()
    }, workerLimits.heartbeatEveryMs)
  }

  #report(port: WorkerPort): WorkerReport {
    const { logLinesDropped, newLogLines } = this.#options
    const log = { logLinesDropped: logLinesDropped(), logLines: newLogLines() }
    return { ...port.figures(), loopLag: this.#loop.figures(), ...log }
  }

  /** Hot path: once a frame, and in it once a receiver. */
  #deliver({ store }: WorkerPort, { bytes, view }: RecordBytes): void {
    const receivers = view.getUint32(0, true)
    const start = 4 + receivers * 4
    const frame = readFrame(bytes, view, start)
    this.#sentBytes.push(bytes.length + HEAD_BYTES)
    if (this.#broadcasts?.isBusy === true) {
      const waiting = Uint32Array.from({ length: receivers }, (_, at) =>
        view.getUint32(4 + 4 * at, true),
      )
      this.#broadcasts.wait(waiting, frame, this)
      return
    }
    store.begin(frame, this)
    for (let at = 4; at < start; at += 4) store.deliver(view.getUint32(at, true))
  }

  #broadcast({ bytes, view }: RecordBytes): void {
    this.#sentBytes.push(bytes.length + HEAD_BYTES)
    this.#broadcasts?.send(readFrame(bytes, view, 0), this)
  }

  /** In order: streams that come later have missed nothing. */
  #skipped({ store }: WorkerPort, { view }: RecordBytes): void {
    const users = Array.from({ length: view.byteLength / 4 }, (_, at) =>
      view.getUint32(4 * at, true),
    )
    this.#broadcasts?.inOrder(() => store.delivery.endSkipped(users))
  }

  /** So many streams took the next frame. Hot path: once a frame. */
  settle(delivered: number): void {
    this.#acked.push(delivered)
    this.#ackedBytes += this.#sentBytes.shift() ?? 0
    this.link?.flushSoon()
  }

  /** Never called: the store of this process answers in time. */
  late(): void {
    // Empty.
  }

  /**
   * In the next turn: a stream that the parent has admitted in the record before is reserved once
   * this turn is over.
   */
  #end(link: Link, { store }: WorkerPort, record: RecordBytes): void {
    const request = numberOf(record)
    const { user, end } = jsonOf<EndRequest>(record, 4)
    setImmediate(() => link.reply(request, store.endUser(user, end)))
  }

  async #drain(link: Link, port: WorkerPort, pace: DrainPace): Promise<void> {
    const drained: Drained = { cut: await port.drain(pace) }
    // The parent reads nothing behind it.
    this.#pendingStreams?.report()
    link.json(TO_PARENT.drained, drained)
    link.flushSoon()
    // The parent closes the link once it has read this, which ends the process.
  }
}

/** The number of a request. */
function numberOf({ view }: RecordBytes): number {
  return view.getUint32(0, true)
}
