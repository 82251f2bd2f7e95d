// Keeps this node among the members while it is connected to Redis: sends heartbeats, joins, and
// declares nodes dead that send none. On one pair of connections.

import type { NodeLimits } from '../core/bus-limits.ts'
import type { Clock } from '../core/clock.ts'
import { settledWithin } from '../core/deadline.ts'
import type { Result } from '../core/result.ts'
import type { BusKeys } from './bus-keys.ts'
import type { InboxSender } from './inbox-sender.ts'
import { descriptionText, type NodeDescription } from './member-entry.ts'
import type { Members } from './members.ts'
import { type Beat, type ChangeRequest, NodeScripts } from './node-scripts.ts'
import type { RedisFailure } from './redis-connection.ts'
import type { RedisSession } from './redis-link.ts'
import type { SharedWindow } from './shared-window.ts'

export interface MembershipOptions {
  readonly connections: RedisSession
  readonly keys: BusKeys
  readonly origin: string
  readonly node: NodeDescription
  readonly limits: NodeLimits
  readonly clock: Clock
  readonly members: Members
  readonly window: Pick<SharedWindow, 'cursor' | 'readAfter'>
  readonly sender: InboxSender
}

export class Membership {
  readonly #options: MembershipOptions
  readonly #description: string
  #scripts: NodeScripts | null = null
  #timer: Timer | null = null
  /** Is the whole log read? Before, the log may not exist. */
  #isReady = false
  #isStopped = false
  /** Heartbeats without an answer. */
  #beating = 0
  /** Since when all its heartbeats were in time. */
  #steadySinceMs: number

  constructor(options: MembershipOptions) {
    this.#options = options
    this.#description = descriptionText(options.node)
    this.#steadySinceMs = options.clock.elapsedMs()
  }

  /** Sends the first heartbeat, and then one every `beatEveryMs`. */
  async start(): Promise<void> {
    const { connections, keys, limits, origin, sender } = this.#options
    const loaded = await NodeScripts.load(connections.writer, keys, limits)
    if (!loaded.ok) {
      connections.end(loaded.why.text)
      return
    }
    const scripts = loaded.value
    this.#scripts = scripts
    // Questions from before this connection are past their time limit.
    await scripts.clearInbox(origin)
    sender.connect(async (to, text) => {
      const sent = await scripts.send(to, origin, text)
      return this.#isUsable(sent) && sent.value
    })
    void this.#beat()
    this.#timer = setInterval(() => {
      // One at a time, so that none pile up while Redis does not answer.
      if (this.#beating === 0) void this.#beat()
    }, limits.beatEveryMs)
  }

  /** Called when the connections are lost. */
  stop(): void {
    this.#isStopped = true
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#options.sender.connect(null)
  }

  /**
   * The whole log is read, for the first time or after a part of it was lost. Redis may have lost
   * the members and the inbox with it, so both are read again.
   */
  onReady(): void {
    this.#isReady = true
    void this.#scripts?.clearInbox(this.#options.origin)
    void this.#renew()
    void this.#beat()
  }

  /** Entries of the log were read. Hot path: once an answer of Redis. */
  onRead(): void {
    const { members, window } = this.#options
    members.reached(window.readAfter)
  }

  /** Called when the node stops: adds its leave to the log, within a time limit. */
  async leave(): Promise<void> {
    const { origin, limits } = this.#options
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    if (!this.#isReady || this.#isStopped) return
    this.#isStopped = true
    await settledWithin(this.#change('stopped', origin), limits.leaveMsMax)
  }

  async #beat(): Promise<void> {
    const { origin, members, limits, clock } = this.#options
    if (this.#isStopped || this.#scripts === null) return
    const watched = members.behind(origin, limits.watchedMax)
    const known = members.version
    this.#beating++
    const beat = await this.#scripts.beat(origin, this.#description, watched)
    this.#beating--
    if (!this.#isUsable(beat) || this.#isStopped) return
    if (!beat.value.wasAlive) this.#steadySinceMs = clock.elapsedMs()
    if (this.#isReady) this.#onBeat(beat.value, known)
  }

  /** @param known the version that this node knew when it was sent */
  #onBeat({ isMember, version, silent }: Beat, known: number): void {
    const { origin, members, limits, clock } = this.#options
    const isOther = version < known || version > members.version
    // Before it joins: if Redis has lost the members, this node is one of those it gets back.
    if (isOther && !members.isRenewing) void this.#renew()
    if (!isMember) void this.#change('join', origin)
    // A node whose own heartbeats were late cannot tell whether others sent theirs.
    if (clock.elapsedMs() - this.#steadySinceMs < limits.judgeAfterMs) return
    for (const one of silent) void this.#change('dead', one)
  }

  async #change(kind: ChangeRequest['kind'], origin: string): Promise<void> {
    const { epoch } = this.#options.window.cursor
    const description = kind === 'join' ? this.#description : ''
    const answer = await this.#scripts?.change({ kind, origin, description, epoch })
    // If it failed, the next heartbeat tries again.
    if (answer !== undefined) this.#isUsable(answer)
  }

  /** Asks Redis for all members. */
  async #renew(): Promise<void> {
    const { members, window } = this.#options
    if (this.#scripts === null) return
    const renewal = members.beginRenewal()
    const answer = await this.#scripts.members(members)
    const snapshot = this.#isUsable(answer) ? answer.value : null
    members.endRenewal(renewal, snapshot, window.readAfter)
  }

  /**
   * Whether the answer can be used. Ends the connections for failures that new ones may resolve.
   * Messages go on without members while Redis is out of memory, or another program has written to
   * their keys.
   */
  #isUsable<T>(answer: Result<T, RedisFailure>): answer is { ok: true; value: T } {
    if (answer.ok) return true
    const { kind, text } = answer.why
    if (kind === 'lost' || !/^(OOM|WRONGTYPE|BUSY) /.test(text)) this.#options.connections.end(text)
    return false
  }
}
