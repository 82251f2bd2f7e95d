// The bus on one pair of connections: reads all entries in order, and adds the batches of this node
// once it has read everything that was in the log.

import type { BusLimits } from '../core/bus-limits.ts'
import type { Clock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import { type Result, success } from '../core/result.ts'
import type { AppendRequest, ConditionalRequest } from './append-request.ts'
import type { BusKeys } from './bus-keys.ts'
import type { BusMeter } from './bus-meter.ts'
import { conditionOfEntry } from './condition.ts'
import type { BatchResolution, Resolved } from './conditional-script.ts'
import { type InboxEntry, parseInbox } from './inbox-entry.ts'
import type { Membership } from './membership.ts'
import type { OwnBatch, PublishQueue } from './publish-queue.ts'
import type { Argument, RedisFailure } from './redis-connection.ts'
import type { RedisSession } from './redis-link.ts'
import { type Appended, BusScripts, type Hello } from './scripts.ts'
import type { SharedWindow } from './shared-window.ts'
import { type BatchEntry, compareCursors, idText, parseEntries } from './stream-entry.ts'

export interface BusSessionOptions {
  readonly connections: RedisSession
  readonly keys: BusKeys
  readonly origin: string
  readonly limits: BusLimits
  readonly window: SharedWindow
  readonly queue: PublishQueue
  readonly clock: Clock
  readonly membership: Membership
  /** Called with what other nodes have sent. */
  readonly onInbox: (entries: readonly InboxEntry[]) => void
  /** Called each time that everything is read and batches can be added. */
  readonly onReady: () => void
  /** Counts what was read and added. */
  readonly meter: BusMeter
}

/**
 * `reading`: the log, up to its last entry when Redis was asked. `resending`: batches that may be
 * missing in the log. `ready`: new batches are sent.
 */
type Phase = 'reading' | 'resending' | 'ready'

export class BusSession {
  readonly #options: BusSessionOptions
  #scripts: BusScripts | null = null
  #phase: Phase = 'reading'
  /** The last entry of the log when Redis was asked; null before it has answered. */
  #target: Cursor | null = null
  /** The rest of that answer. */
  #known: Pick<Hello, 'batch' | 'logged' | 'forks'> = { batch: 0, logged: 0, forks: [] }
  /** Batches without an answer. */
  #underWay = 0
  /** Is the next batch the first one since then? Redis may not know the one before it. */
  #isFirst = true
  /** Did the last answer have all entries up to the end of the log? */
  #isAtTop = false
  /** Messages and changes not read yet when Redis was last asked; null if not asked. */
  #behind: number | null = null
  /** When Redis was asked for that. */
  #askedMs = Number.NEGATIVE_INFINITY
  /** How often Redis was asked for the state of the log since a batch was added. */
  #looks = 0
  /** Up to which entry the inbox was read. */
  #inboxAfter = '0-0'
  /** When the last entry of the log came. */
  #heardMs: number
  /** Forks and gaps of the window that were handled. */
  #changes = 0
  /** The number of the newest resending; earlier ones stop. */
  #resending = 0

  constructor(options: BusSessionOptions) {
    this.#options = options
    this.#heardMs = options.clock.elapsedMs()
  }

  get isReady(): boolean {
    return this.#phase === 'ready'
  }

  /** Messages and changes in the log that this node has not read yet; null if not known. */
  get behind(): number | null {
    if (this.#isAtTop) return 0
    return this.#phase === 'reading' ? this.#distanceTo(this.#target) : this.#behind
  }

  #distanceTo(top: Cursor | null): number | null {
    const { readAfter } = this.#options.window
    return top?.epoch === readAfter.epoch ? Math.max(0, top.number - readAfter.number) : null
  }

  /** Settles when the connections are lost or cannot be used. */
  async run(): Promise<void> {
    const { connections, keys, limits } = this.#options
    const loaded = await BusScripts.load(connections.writer, keys, limits.originSeconds)
    if (!loaded.ok) {
      connections.end(loaded.why.text)
      return
    }
    this.#scripts = loaded.value
    await this.#options.membership.start()
    await this.#look()
    while (!connections.reader.isClosed) await this.#read()
    this.#options.membership.stop()
  }

  /** The last entry of the log; null if Redis does not tell it now. */
  async top(): Promise<Cursor | null> {
    if (this.#phase !== 'ready') return null
    const { origin, window } = this.#options
    const hello = await this.#scripts?.hello(origin, window)
    return hello?.ok === true ? hello.value.top : null
  }

  send(command: string, args: readonly Argument[]): Promise<Result<unknown, RedisFailure>> {
    return this.#options.connections.writer.send(command, args)
  }

  /** Adds the batches that wait, if the phase allows it. */
  flush(): void {
    if (this.#phase !== 'ready') return
    const { queue, limits, window } = this.#options
    while (this.#underWay < limits.batchesUnderWayMax) {
      const batch = queue.nextBatch(window.cursor)
      if (batch === null) return
      // After the first one, the batch before each was sent on this connection.
      void this.#addOwn(batch, this.#isFirst ? queue.lastLogged : batch.batch - 1)
    }
  }

  async #read(): Promise<void> {
    const { connections, keys, limits, window, origin, membership } = this.#options
    const { readEntries, readBlockMs } = limits
    const inbox = keys.inboxOf(origin)
    const limitsOfRead = ['COUNT', String(readEntries), 'BLOCK', String(readBlockMs)]
    const places = [keys.log, inbox, idText(window.readAfter), this.#inboxAfter]
    const args = [...limitsOfRead, 'STREAMS', ...places]
    const answer = await connections.reader.send('XREAD', args, readBlockMs)
    if (!answer.ok) {
      connections.end(answer.why.text)
      return
    }
    const entries = parseEntries(answer.value, keys.log)
    const received = parseInbox(answer.value, inbox)
    if (entries === null || received === null) {
      connections.end('Redis gave an unexpected answer to XREAD.')
      return
    }
    this.#options.meter.read += entries.length
    this.#isAtTop = entries.length < readEntries
    if (this.#isAtTop) this.#behind = null
    else if (this.#phase === 'ready') this.#measure()
    for (const entry of entries) window.apply(entry)
    membership.onRead()
    // After the log: items of the inbox may be about entries that have just been read.
    this.#inboxAfter = received.last ?? this.#inboxAfter
    if (received.entries.length > 0) this.#options.onInbox(received.entries)
    if (entries.length > 0) {
      this.#heardMs = this.#options.clock.elapsedMs()
      this.#onRead()
    } else if (answer.value === null || this.#hasHeardNothing()) await this.#onSilence()
  }

  /** Checked by time too, because the inbox alone may keep the reader from being silent. */
  #hasHeardNothing(): boolean {
    const nowMs = this.#options.clock.elapsedMs()
    if (nowMs - this.#heardMs < this.#options.limits.readBlockMs) return false
    this.#heardMs = nowMs
    return true
  }

  /** Asks for the last entry of the log at intervals, for the figures. */
  #measure(): void {
    const { clock, limits } = this.#options
    const nowMs = clock.elapsedMs()
    if (nowMs - this.#askedMs < limits.topEveryMs) return
    this.#askedMs = nowMs
    void this.#askTop()
  }

  async #askTop(): Promise<void> {
    const { window, origin, connections } = this.#options
    const hello = await this.#scripts?.hello(origin, window)
    if (hello?.ok === false) connections.end(hello.why.text)
    else this.#behind = hello === undefined ? null : this.#distanceTo(hello.value.top)
  }

  #onRead(): void {
    const { forks, gaps } = this.#options.window.counts
    const isChanged = forks + gaps !== this.#changes
    this.#changes = forks + gaps
    // A part of the log was lost: the numbers of this node's batches in Redis may have changed.
    if (isChanged && this.#phase !== 'reading') this.#lookAgain()
    this.#tellRepeated()
    this.#checkTarget()
  }

  /** Tells of repetitions, except while the log may have lost the repeated entries. */
  #tellRepeated(): void {
    const { queue, window } = this.#options
    if (this.#phase !== 'reading') queue.onRead(window.readAfter)
  }

  /** Checks the log: XREAD waits for ever, without an error, after an id above the last one. */
  async #onSilence(): Promise<void> {
    const { window } = this.#options
    const isIdle = this.#underWay === 0
    if (this.#phase === 'ready' && isIdle && window.tail.length > 0) {
      window.giveUp()
      this.#lookAgain()
    } else if (this.#phase === 'reading') {
      // The entries up to the target are lost.
      if (isIdle && this.#target !== null) this.#lookAgain()
    } else {
      await this.#askTop()
    }
  }

  /** Adds nothing more until the log is read up to its present end. */
  #lookAgain(): void {
    this.#phase = 'reading'
    this.#target = null
    if (this.#underWay === 0) void this.#look()
  }

  /** Asks for the state of the log. No batch may be under way, so that the answer has all. */
  async #look(): Promise<void> {
    const { connections, origin, window, limits } = this.#options
    if (++this.#looks > limits.looksMax) {
      connections.end('Redis refuses the batches of this node.')
      return
    }
    const hello = await this.#scripts?.hello(origin, window)
    if (hello === undefined) return
    if (!hello.ok) {
      connections.end(hello.why.text)
      return
    }
    this.#known = hello.value
    this.#target = hello.value.top
    this.#checkTarget()
  }

  #checkTarget(): void {
    const { window } = this.#options
    if (this.#phase !== 'reading' || this.#target === null || this.#underWay > 0) return
    if (compareCursors(window.readAfter, this.#target) < 0) return
    if (window.cursor.epoch > this.#target.epoch) {
      // The log may have lost everything since.
      this.#lookAgain()
      return
    }
    window.goLive()
    this.#phase = 'resending'
    void this.#resend()
  }

  /** Adds batches again that the log may have lost: orphans, the tail, and own ones. */
  async #resend(): Promise<void> {
    const { window, queue, origin } = this.#options
    const resending = ++this.#resending
    const { batch: known, logged, forks } = this.#known
    window.checkLeft(forks)
    queue.forgetRepeated()
    // Resolved, but this node could not read them: removed before that, or skipped by a gap.
    queue.settleUpTo(known, window.cursor.epoch, logged)
    const orphans = [...window.orphans]
    const lost = [...orphans, ...window.tail]
    // From the answer of Redis, or read since: an old connection may have added more.
    const inLog = Math.max(known, window.batches.get(origin) ?? 0)
    const isKept = lost.some((entry) => {
      return entry.origin === origin && entry.previous <= inLog && entry.batch > inLog
    })
    if (window.isTailLost || (inLog < queue.lastLogged && !isKept)) {
      await this.#tellLost()
      return
    }
    this.#isFirst = true
    for (const [at, entry] of lost.entries()) {
      await this.#roomAfter(this.#addAgain(entry, at < orphans.length))
      if (this.#resending !== resending || this.#phase !== 'resending') return
    }
    let before = queue.lastLogged
    for (const own of queue.sent) {
      if (own.isSettled) continue
      await this.#roomAfter(this.#addOwn(own, before))
      before = Math.max(before, own.batch)
      if (this.#resending !== resending || this.#phase !== 'resending') return
    }
    // No batch was refused so far; the batches after them keep the order.
    this.#phase = 'ready'
    // The inbox may be lost, and its ids may start again.
    this.#inboxAfter = '0-0'
    this.#options.membership.onReady()
    this.#options.onReady()
    this.#tellRepeated()
    this.flush()
  }

  /** Waits until there is room for another batch under way. */
  async #roomAfter(added: Promise<unknown>): Promise<void> {
    if (this.#underWay >= this.#options.limits.batchesUnderWayMax) await added
  }

  async #tellLost(): Promise<void> {
    const { window, queue, origin } = this.#options
    const { epoch } = window.cursor
    this.#underWay++
    const answer = await this.#scripts?.lost(epoch, origin, queue.firstBatch - 1)
    this.#underWay--
    if (answer?.ok === false) this.#options.connections.end(answer.why.text)
    else this.#lookAgain()
  }

  /** @param isOrphan the log may have continued without it; then it is not added again */
  async #addAgain(entry: BatchEntry, isOrphan: boolean): Promise<void> {
    const { origin, batch, previous, at, head, body, count, isText } = entry
    const content = { head, body, count, isText }
    const mayBeFirst = !isOrphan || previous === 0
    const condition = conditionOfEntry(entry)
    const answer = await this.#resolve({
      ...{ origin, batch, previous, content, mayBeFirst, condition, again: at },
    })
    const resolution = answer?.resolution ?? null
    const { window } = this.#options
    // The log may have lost it again since: it is sent again later.
    if (this.#phase === 'reading' && isIn(resolution)) return
    if (resolution === 'nothing') window.drop(entry)
    const isWithout = resolution === 'order' || (isOrphan && resolution === 'gone')
    // A batch before it is missing, and this node does not have it.
    if (isWithout) window.giveUp()
    else if (isOrphan && entry === window.orphans.at(-1) && isIn(resolution)) window.clearOrphans()
  }

  /** @param previous the batches up to it are in the log, or were sent on this connection */
  async #addOwn(own: OwnBatch, previous: number): Promise<void> {
    const { batch, content, condition } = own
    const { origin } = this.#options
    const mayBeFirst = this.#isFirst
    this.#isFirst = false
    let resolution: BatchResolution | null
    if (condition === null && previous === batch - 1) {
      resolution = await this.#append({ origin, batch, content, mayBeFirst })
    } else {
      const request = { origin, batch, previous, content, mayBeFirst, condition, again: null }
      const answer = await this.#resolve(request, own)
      resolution = answer?.resolution ?? null
      if (answer !== null && this.#phase === 'ready') this.#tellRepeated()
    }
    // Redis misses batches that this node had in the log, and this node no longer has them.
    if (mayBeFirst && resolution === 'order') this.#options.window.giveUp()
  }

  /** Hot path: once a batch. */
  async #append(request: Omit<AppendRequest, 'epoch' | 'minId'>): Promise<Appended | null> {
    const { window } = this.#options
    const { epoch } = window.cursor
    this.#underWay++
    const answer = await this.#scripts?.append({ ...request, epoch, minId: window.minId })
    this.#underWay--
    if (answer !== undefined) this.#onAnswer(answer)
    return answer?.ok === true ? answer.value : null
  }

  /** @param own the batch, which gets the outcome; null for one that is added again */
  async #resolve(
    request: Omit<ConditionalRequest, 'epoch' | 'minId'>,
    own: OwnBatch | null = null,
  ): Promise<Resolved | null> {
    const { window, queue } = this.#options
    const { epoch } = window.cursor
    if (own !== null) own.askedIn = epoch
    this.#underWay++
    const answer = await this.#scripts?.resolve({ ...request, epoch, minId: window.minId })
    this.#underWay--
    if (answer === undefined) return null
    if (answer.ok && own !== null) queue.onResolved(own, answer.value)
    this.#onAnswer(answer.ok ? success(answer.value.resolution) : answer)
    return answer.ok ? answer.value : null
  }

  #onAnswer(answer: Result<BatchResolution, RedisFailure>): void {
    if (!answer.ok) {
      this.#options.connections.end(answer.why.text)
      return
    }
    if (isIn(answer.value)) {
      this.#looks = 0
      this.#options.meter.added++
    } else {
      // Redis has refused it, and will refuse all batches after it. They are sent again later.
      this.#phase = 'reading'
      this.#target = null
    }
    if (this.#phase === 'ready') this.flush()
    else if (this.#phase === 'reading' && this.#underWay === 0) {
      if (this.#target === null) void this.#look()
      else this.#checkTarget()
    }
  }
}

/** Is the batch resolved, so that it is not sent again? */
function isIn(resolution: BatchResolution | null): boolean {
  return resolution !== null && !NOT_NOW.includes(resolution)
}

const NOT_NOW: readonly BatchResolution[] = ['order', 'gone', 'fenced']
