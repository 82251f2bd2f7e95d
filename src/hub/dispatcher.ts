// Delivers messages from the log to streams: each message of any node goes to its receivers on this
// node. If this node could not read a part of the log, its streams get a gap.

import type { Cursor } from '../core/cursor.ts'
import {
  BARRIER,
  type BusGap,
  type BusListener,
  type LogItem,
  type Publication,
} from '../log/message-bus.ts'
import type { FollowChange } from '../log/message-log.ts'
import type { Followers } from '../subscriptions/subscriptions.ts'
import { EVERYONE, type Frame, frameOf, newGapFrame } from './frame.ts'
import type { Outlet } from './outlet.ts'
import { InputTotals, Receipt } from './receipt.ts'

const NO_FOLLOWERS = new Uint32Array(0)

export interface DispatcherOptions {
  readonly followers: Followers
  /** Called for each follow change, in the order of the log. */
  readonly onFollow?: (change: FollowChange) => void
  /** Called for each barrier: many subscriptions were changed at once. */
  readonly onBarrier?: () => void
}

export class Dispatcher implements BusListener {
  /** Lookups of the followers of a subject. */
  lookups = 0
  /** Followers found by all of them together. */
  followersFound = 0
  /** Gaps sent to open streams. */
  gapsTold = 0
  /** Totals of the messages that other nodes published. */
  readonly remote = new InputTotals()
  readonly #remoteReceipt = new Receipt(this.remote)
  readonly #followers: Followers
  readonly #onFollow: (change: FollowChange) => void
  readonly #onBarrier: () => void
  /** Null before there can be streams. */
  #outlet: Outlet | null = null

  constructor({
    followers,
    onFollow = () => undefined,
    onBarrier = () => undefined,
  }: DispatcherOptions) {
    this.#followers = followers
    this.#onFollow = onFollow
    this.#onBarrier = onBarrier
  }

  /** Delivers to this outlet from now on. Before that, messages are only counted. */
  open(outlet: Outlet): void {
    this.#outlet = outlet
  }

  /**
   * Hands a message to every connected stream of its receivers, before the next message; so two
   * from one publisher keep their order for every receiver. One about a subject is for the subject
   * and its subscribers: we are always subscribed to ourselves. Hot path: once a message.
   */
  onItem(item: LogItem, cursor: Cursor, publication: Publication | null): void {
    if (item === BARRIER) {
      this.#onBarrier()
      return
    }
    if ('follows' in item) {
      this.#onFollow(item)
      return
    }
    const frame = frameOf(item)
    frame.epoch = cursor.epoch
    frame.number = cursor.number
    this.#send(frame, publication ?? this.#remotePublication(cursor))
  }

  #send(frame: Frame, publication: Publication): void {
    const outlet = this.#outlet
    if (outlet === null) {
      publication.settle(0, 0)
      return
    }
    const followers = frame.isAbout ? this.#followersOf(frame.target) : NO_FOLLOWERS
    if (frame.target === EVERYONE) outlet.broadcast(frame, publication)
    else outlet.deliver(frame.target, followers, frame, publication)
  }

  #followersOf(subject: number): Uint32Array {
    const followers = this.#followers.subscribersOf(subject)
    this.lookups++
    this.followersFound += followers.length
    return followers
  }

  #remotePublication(cursor: Cursor): Publication {
    const receipt = this.#remoteReceipt
    receipt.pending++
    receipt.onAccepted(cursor, true)
    return receipt
  }

  onGap({ after, resume }: BusGap): void {
    this.#outlet?.broadcast(newGapFrame(after, resume), {
      settle: (told) => {
        this.gapsTold += told
      },
      late: (told) => {
        this.gapsTold += told
      },
    })
  }
}
