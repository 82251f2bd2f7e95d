// The streams of a server with workers: starts the workers, keeps which of them holds whose
// streams, sends frames to them, adds up their figures, and ends them.

import { availableParallelism } from 'node:os'
import type { Address } from '../core/address.ts'
import type { Capacity } from '../core/capacity.ts'
import type { Clock } from '../core/clock.ts'
import { streamLimits, workerLimits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { formatQuantity } from '../core/units.ts'
import { DescriptorBudget } from '../http/descriptor-budget.ts'
import { type DrainPace, shareOf } from '../hub/drain.ts'
import type { ConnectionOwner, HeldPage } from '../hub/feed.ts'
import {
  addTotals,
  addUsage,
  type HostFigures,
  NO_TOTALS,
  NO_USAGE,
  type StreamTotals,
  type WorkerFigures,
  type WorkerUsage,
} from '../hub/figures.ts'
import type { Audience, EndedStreams, PausablePort, StreamHost } from '../hub/host.ts'
import {
  type RevocableToken,
  StreamLimiter,
  type StreamLimiterOptions,
  type StreamRequest,
} from '../hub/limiter.ts'
import type { Outlet } from '../hub/outlet.ts'
import type { Resumption } from '../hub/resumption.ts'
import type { ServerConfig, Settings } from '../hub/settings.ts'
import type { StreamEnd } from '../hub/stream.ts'
import type { UserPresence } from '../hub/stream-table.ts'
import type { TicketIssuer } from '../identity/tickets.ts'
import { openFiles } from '../os/descriptors.ts'
import { isCrowd } from '../os/process.ts'
import { answerBegin, readBeginRequest } from './beginnings.ts'
import { Gathering } from './gather.ts'
import { jsonOf, type Link } from './link.ts'
import { Presence } from './presence.ts'
import {
  type AudienceRequest,
  type Drained,
  type EndRequest,
  TO_PARENT,
  TO_WORKER,
  type WorkerStart,
} from './protocol.ts'
import type { RecordBytes } from './records.ts'
import { answerSubjects } from './remote-subjects.ts'
import { reservePort } from './shared-port.ts'
import { type WorkerOwner, WorkerProcess } from './worker.ts'
import { WorkerConnections } from './worker-connections.ts'
import { WorkerOutlet } from './worker-outlet.ts'

export interface SupervisorOptions {
  readonly settings: Settings
  /** Workers to start. */
  readonly count: number
  /** What this process can have open. */
  readonly capacity: Capacity
  /** How to start this program again as a worker. */
  readonly command: readonly string[]
  /** Has the keys of tokens fetched again; settles when they are in the settings. */
  readonly refreshKeys: () => Promise<void>
  readonly revoked: StreamLimiterOptions['revoked']
  readonly names: StreamLimiterOptions['names']
  readonly tickets: Pick<TicketIssuer, 'redeem'>
  readonly resumption: Pick<Resumption, 'begin' | 'cursor' | 'settledFor'>
  readonly feed: ConnectionOwner | null
  readonly log: Log
  readonly clock: Clock
  /** Called before a stream can begin, with where messages go from then on. */
  readonly onOutlet: (outlet: Outlet) => void
}

/** Starts the workers, or says why the public port cannot be opened. */
export async function startWorkers(options: SupervisorOptions): Promise<Result<Supervisor>> {
  const port = await reservePort(options.settings.current.publicAddresses)
  if (!port.ok) return port
  const supervisor = new Supervisor(options, port.value)
  options.onOutlet(supervisor.outlet)
  const started = await supervisor.start()
  return started.ok ? success(supervisor) : started
}

export class Supervisor implements StreamHost, WorkerOwner {
  readonly addresses: readonly Address[]
  readonly outlet: WorkerOutlet
  readonly #options: SupervisorOptions
  readonly #presence: Presence
  readonly #connections: WorkerConnections
  /** Which workers have streams that follow which subjects for themselves. */
  readonly #followed: Presence
  readonly #limiter: StreamLimiter
  readonly #budget: DescriptorBudget
  readonly #workers: readonly WorkerProcess[]
  /** Totals of workers that have ended, so that no figure of the server ever falls. */
  #past: StreamTotals = NO_TOTALS
  /** Streams that ended with their worker. */
  #lost = 0
  /** What ended processes have used, by their places. */
  readonly #usage = new Map<WorkerProcess, WorkerUsage>()
  /** Sends ticks to the workers. */
  #timer: Timer | null = null
  #unwatch: (() => void) | null = null
  /** Did a client have to be cut? */
  #cut = false
  #isReady = true
  /** Workers that may have started with settings that have been replaced since. */
  readonly #outdated = new Set<WorkerProcess>()
  /** Workers that have reported that they are drained. */
  readonly #drained = new Set<WorkerProcess>()
  /** Called at each start of a worker, and with why it ended, while the server starts or stops. */
  #onChange: (change: Result<void>) => void = () => undefined

  constructor(options: SupervisorOptions, addresses: readonly Address[]) {
    const { count, settings, capacity, command, feed, log, clock, revoked, names } = options
    const sharesCores = count > availableParallelism()
    const presence = new Presence(count)
    this.#options = options
    this.addresses = addresses
    this.#presence = presence
    this.#connections = new WorkerConnections({ workers: count, presence, feed, clock })
    this.#followed = new Presence(count)
    this.#limiter = new StreamLimiter({ settings, clock, revoked, names })
    this.#budget = new DescriptorBudget({ capacity, streams: () => 0, openFiles, log, clock })
    const presences = { users: presence, subjects: this.#followed }
    this.outlet = new WorkerOutlet(presences, count, new Gathering(clock, sharesCores))
    const start = (number: number): WorkerStart => ({
      ...{ number, sharesCores, isOfCrowd: isCrowd(count), addresses },
      config: this.#workerConfig(),
    })
    const shared = { command, owner: this, recentLog: log.recent, clock }
    this.#workers = Array.from({ length: count }, (_, number) => {
      return new WorkerProcess({ ...shared, number, start: () => start(number) })
    })
  }

  /**
   * Workers face the public: they do not get the secrets of the control port and the Erlang node.
   * They check the tokens of clients themselves, and so have those keys.
   */
  #workerConfig(): ServerConfig {
    const { settings, count } = this.#options
    const { streamsMax } = settings.current
    return {
      ...settings.current,
      ...{ controlTokens: [], erlang: null, bus: null },
      streamsMax: streamsMax === null ? null : Math.max(1, Math.floor(streamsMax / count)),
    }
  }

  /** Starts all; fails when one does not open its port. */
  async start(): Promise<Result<void>> {
    const { promise, resolve } = Promise.withResolvers<Result<void>>()
    this.#onChange = (change) => {
      if (!change.ok || this.#workers.every(({ state }) => state === 'running')) resolve(change)
    }
    for (const worker of this.#workers) worker.start()
    const started = await promise
    this.#onChange = () => undefined
    const tick = () => {
      for (const worker of this.#workers) worker.tick()
    }
    if (started.ok) this.#timer = setInterval(tick, workerLimits.heartbeatEveryMs)
    else this.#killAll()
    return started
  }

  #killAll(): void {
    for (const worker of this.#workers) worker.kill()
  }

  get isDraining(): boolean {
    return this.#budget.draining
  }

  /** Does no worker take streams? */
  get full(): boolean {
    return this.#workers.every(
      ({ state, isSilent, latest }) => state !== 'running' || isSilent || latest?.full === true,
    )
  }

  get isEmpty(): boolean {
    return this.#presence.users === 0
  }

  get openFiles(): number {
    return this.#budget.filesInUse
  }

  get isShortOfFiles(): boolean {
    return this.#budget.short
  }

  get silentWorkers(): readonly number[] {
    return this.#workers.filter(({ isSilent }) => isSilent).map(({ number }) => number)
  }

  async figures(): Promise<HostFigures> {
    await Promise.all(this.#workers.map((worker) => worker.ask()))
    return this.latest()
  }

  latest(): HostFigures {
    const workers = this.#workers.map((worker) => this.#figuresOf(worker))
    let totals = this.#past
    let [open, limit, queuedBytes] = [0, 0, 0]
    for (const { streams } of workers) {
      if (streams === null) continue
      totals = addTotals(totals, streams)
      open += streams.open
      limit += streams.limit
      queuedBytes += streams.queuedBytes
    }
    const { users } = this.#presence
    return { open, limit, users, queuedBytes, totals, lost: this.#lost, wire: null, workers }
  }

  #figuresOf(worker: WorkerProcess): WorkerFigures {
    const { number, state, pid, restarts, silentMs, latest } = worker
    return {
      ...{ number, state, pid, restarts, silentMs },
      unackedBytes: this.outlet.unackedBytes(number),
      spent: this.#usageOf(worker),
      streams: latest,
    }
  }

  #usageOf(worker: WorkerProcess): WorkerUsage {
    const past = this.#usage.get(worker) ?? NO_USAGE
    return worker.latest === null ? past : addUsage(past, worker.latest)
  }

  async userPresence(user: number): Promise<UserPresence> {
    await this.outlet.sync()
    const count = this.#presence.find(user)
    const { found } = this.#presence
    // The table's own count: a worker that hangs does not make a user less connected.
    const connections = found.streams.subarray(0, count).reduce((a, b) => a + b, 0)
    const requests = [...found.workers.subarray(0, count)].map((number) =>
      this.#workers[number]?.link?.request<UserPresence>(TO_WORKER.presence, user),
    )
    const times = (await Promise.all(requests)).flatMap((of) => of?.sinceMs ?? [])
    return { connections, sinceMs: times.length === 0 ? null : Math.min(...times) }
  }

  isReached(subject: number): boolean {
    return this.#presence.find(subject) > 0 || this.#followed.find(subject) > 0
  }

  /** Each worker is asked that has some of them: it alone knows which are the same. */
  async audienceOf(subject: number, followers: Uint32Array): Promise<Audience> {
    await this.outlet.sync()
    const users = this.#workers.map((): number[] => [])
    const asked = new Set(this.#followed.workersOf(subject))
    for (const user of [subject, ...followers]) {
      for (const worker of this.#presence.workersOf(user)) {
        users[worker]?.push(user)
        asked.add(worker)
      }
    }
    const counted = [...asked].map((worker) => {
      const request: AudienceRequest = { subject, users: users[worker] ?? [] }
      return this.#workers[worker]?.link?.request<number>(TO_WORKER.audience, request)
    })
    const counts = await Promise.all(counted)
    const known = counts.filter((count) => count !== undefined)
    const connections = known.reduce((sum, count) => sum + count, 0)
    return { connections, unknown: counts.length - known.length }
  }

  usersAfter(after: number, count: number): Uint32Array {
    return this.#presence.usersAfter(after, count)
  }

  connectionsFrom(place: number, countMax: number): HeldPage {
    return this.#connections.connectionsFrom(place, countMax)
  }

  /** All workers are asked: one may have a stream that it has not reported. */
  async endStreams(user: number, end: StreamEnd): Promise<EndedStreams> {
    const request: EndRequest = { user, end }
    const count = this.#presence.find(user)
    const { found } = this.#presence
    const held = new Map(
      Array.from({ length: count }, (_, at) => [found.workers[at] as number, found.streams[at]]),
    )
    let [ended, unknown] = [0, 0]
    const asked = this.#workers.map(async ({ number, link }) => {
      const reply = await link?.request<number>(TO_WORKER.end, request)
      if (reply === undefined) unknown += held.get(number) ?? 0
      else ended += reply
    })
    await Promise.all(asked)
    return { ended, unknown }
  }

  watch(control: PausablePort): void {
    this.#unwatch = this.#budget.watch({ public: null, control })
  }

  /** A worker that cannot open its port with them says so in its own log. */
  prepare(): Result<void> {
    return OK
  }

  get isReady(): boolean {
    return this.#isReady
  }

  set isReady(isReady: boolean) {
    if (isReady === this.#isReady) return
    this.#isReady = isReady
    for (const { link } of this.#workers) link?.json(TO_WORKER.ready, isReady)
  }

  onSettings(): void {
    const config = this.#workerConfig()
    for (const worker of this.#workers) {
      if (worker.link === null) this.#outdated.add(worker)
      else worker.link.json(TO_WORKER.settings, config)
    }
  }

  /** Drains all workers and ends them; those that take too long are killed. */
  async drain(pace: DrainPace): Promise<boolean> {
    this.#budget.draining = true
    this.#unwatch?.()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#onChange = () => {
      if (this.#workers.every(({ state }) => state === 'ended')) resolve()
    }
    for (const worker of this.#workers) {
      worker.retire()
      const { link } = worker
      if (link === null) worker.kill()
      else link.json(TO_WORKER.drain, shareOf(pace, this.#workers.length))
    }
    this.#onChange(OK)
    const kill = () => {
      this.#cut = true
      this.#killAll()
    }
    const { drainMsMax } = streamLimits
    const timer = setTimeout(kill, pace.ms + drainMsMax + workerLimits.endMsMax)
    await promise
    clearTimeout(timer)
    if (this.#timer !== null) clearInterval(this.#timer)
    return this.#cut
  }

  onUp(worker: WorkerProcess, link: Link): void {
    const { number, restarts, pid } = worker
    this.outlet.connect(number, link)
    if (!this.#isReady) link.json(TO_WORKER.ready, false)
    if (this.#outdated.delete(worker)) link.json(TO_WORKER.settings, this.#workerConfig())
    if (restarts > 0) {
      const fields = { worker: number, pid: pid ?? 0 }
      this.#options.log.info('worker_restarted', `Worker ${number} takes streams again.`, fields)
    }
    this.#onChange(OK)
  }

  onDown(worker: WorkerProcess, why: string, restartMs: number | null): void {
    const streams = this.#connections.onDown(worker.number)
    this.#followed.removeWorker(worker.number)
    this.outlet.disconnect(worker.number)
    this.#limiter.forget(worker.number)
    if (worker.latest !== null) {
      // Of the same moment, so that what was opened is what was closed or lost.
      this.#past = addTotals(this.#past, worker.latest)
      this.#lost += worker.latest.open
      this.#usage.set(worker, this.#usageOf(worker))
      worker.latest = null
    }
    const isDrained = this.isDraining && this.#drained.has(worker)
    if (this.isDraining && !isDrained && streams > 0) this.#cut = true
    if (!isDrained) this.#logEnd(worker.number, streams, why, restartMs)
    this.#onChange(refused(why))
  }

  #logEnd(worker: number, streams: number, why: string, restartMs: number | null): void {
    const next = restartMs === null ? '' : `; it is started again in ${restartMs} ms`
    const text = `Worker ${worker} has ended with ${formatQuantity(streams, 'stream')}: ${why}${next}.`
    this.#options.log.warn('worker_ended', text, { worker, streams })
  }

  onRecord(worker: WorkerProcess, record: RecordBytes): void {
    const { number } = worker
    if (record.kind === TO_PARENT.ack) this.outlet.ack(number, record.view)
    else if (record.kind === TO_PARENT.opened) this.#connections.onAllOpened(number, record.view)
    else if (record.kind === TO_PARENT.closed) this.#connections.onAllClosed(number, record.view)
    else if (record.kind === TO_PARENT.followed) this.#followed.addAll(record.view, number)
    else if (record.kind === TO_PARENT.unfollowed) this.#followed.removeAll(record.view, number)
    else if (record.kind === TO_PARENT.begin) this.#begin(worker, record)
    else if (record.kind === TO_PARENT.change) this.#changeSubjects(worker, record)
    else if (record.kind === TO_PARENT.acquire)
      reply(worker, record, this.#limiter.acquire(number, jsonOf<StreamRequest>(record, 4)))
    else if (record.kind === TO_PARENT.release) this.#limiter.release(number, jsonOf(record))
    else if (record.kind === TO_PARENT.isRevoked)
      reply(worker, record, this.#limiter.isRevoked(jsonOf<RevocableToken>(record, 4)))
    else if (record.kind === TO_PARENT.redeem)
      this.#replyLater(worker, record, this.#options.tickets.redeem(jsonOf<string>(record, 4)))
    else if (record.kind === TO_PARENT.refreshKeys)
      this.#replyLater(worker, record, this.#options.refreshKeys())
    else if (record.kind === TO_PARENT.drained) this.#onDrained(worker, jsonOf(record))
    else throw new Error(`a worker sent a record of kind ${record.kind}`)
  }

  #begin(worker: WorkerProcess, record: RecordBytes): void {
    const request = readBeginRequest(record)
    const { link, number } = worker
    const { slot, user, sinceUs } = request
    const onBegin = () => this.#connections.onOpened(number, slot, user, sinceUs)
    // The process may be another one by the time of the answer.
    const isGone = () => worker.link !== link
    if (link !== null) answerBegin(link, request, this.#options.resumption, onBegin, isGone)
  }

  /** In one turn: from its answer on the worker gets what is published about the subjects. */
  #changeSubjects({ number, link }: WorkerProcess, record: RecordBytes): void {
    if (link === null) return
    answerSubjects(link, jsonOf(record), this.#options, (id) => this.#followed.add(id, number))
  }

  /** Answers once that is known, unless the process is another one by then. */
  async #replyLater(worker: WorkerProcess, { view }: RecordBytes, value: Promise<unknown>) {
    const request = view.getUint32(0, true)
    const { link } = worker
    const settled = await value
    if (link === worker.link) link?.reply(request, settled ?? null)
  }

  #onDrained(worker: WorkerProcess, { cut }: Drained): void {
    this.#cut ||= cut
    this.#drained.add(worker)
    worker.link?.close()
  }
}

function reply({ link }: WorkerProcess, { view }: RecordBytes, value: unknown): void {
  link?.reply(view.getUint32(0, true), value)
}
