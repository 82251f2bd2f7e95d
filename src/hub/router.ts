// From a message to streams: who must get it, deliver it, count.

import { type Clock, systemClock } from '../core/clock.ts'
import { type Failure, TOO_MANY_NAMES } from '../core/errors.ts'
import { Histogram } from '../core/histogram.ts'
import { figureLimits } from '../core/limits.ts'
import { type Result, refused, success } from '../core/result.ts'
import { checkSubject, type Subject } from '../core/user.ts'
import type { MessageLog } from '../log/message-log.ts'
import type { NameTable } from '../subscriptions/name-table.ts'
import type { Followers } from '../subscriptions/subscriptions.ts'
import { encodeBody } from './body.ts'
import { EVERYONE, type Frame, newFrame } from './frame.ts'
import type { Message } from './message.ts'
import type { Outlet } from './outlet.ts'
import { DELIVERY_BOUNDS_SECONDS, type DeliveryTotals, Receipt, TimedReceipt } from './receipt.ts'
import type { Settings } from './settings.ts'

const NO_FOLLOWERS = new Uint32Array(0)

export interface RouterOptions {
  readonly outlet: Outlet
  readonly followers: Followers
  readonly names: Pick<NameTable, 'idOf' | 'intern' | 'findBytes'>
  readonly log: Pick<MessageLog, 'epoch' | 'append'>
  readonly settings: Settings<'userIdMax'>
  readonly clock?: Clock
}

export class Router implements DeliveryTotals {
  /** Messages accepted since the start. */
  accepted = 0
  dropped = 0
  deliveries = 0
  skipped = 0
  unknown = 0
  /** Times that the followers of a subject were asked for, and how many there were, added up. */
  lookups = 0
  followersFound = 0
  /** Seconds from taking a message to its streams having it, of one message in so many. */
  readonly deliverySeconds = new Histogram(DELIVERY_BOUNDS_SECONDS)

  readonly names: RouterOptions['names']
  readonly #log: RouterOptions['log']
  readonly #outlet: Outlet
  readonly #followers: Followers
  readonly #settings: Settings<'userIdMax'>
  readonly #clock: Clock
  /** Messages until the next one that is timed; the first one is. */
  #untimed = 1

  constructor({ outlet, followers, names, log, settings, clock = systemClock }: RouterOptions) {
    this.names = names
    this.#log = log
    this.#settings = settings
    this.#outlet = outlet
    this.#followers = followers
    this.#clock = clock
  }

  /** Highest user id that a message may name. */
  get userIdMax(): number {
    return this.#settings.current.userIdMax
  }

  /** What is to be awaited, if anything, before the messages of bytes just read are published. */
  sync(): Promise<void> | null {
    return this.#outlet.sync()
  }

  /** Settles when the streams keep up with those who publish; null if they do. */
  ready(): Promise<void> | null {
    const ready = this.#outlet.ready()
    return ready === null ? null : ready.then(() => this.ready() ?? undefined)
  }

  /** A receipt for the messages of one request. */
  receipt(): Receipt {
    return new Receipt(this)
  }

  /**
   * Encodes a message and sends it. Hot path: once a message.
   *
   * @param receipt is settled once for it, now or later, unless the message cannot be sent
   */
  publish(message: Message, receipt: Receipt): Result<Receipt, Failure> {
    const isAbout = 'subject' in message
    const receiver = isAbout ? message.subject : message.to
    const subject = receiver === '*' ? success('*') : checkSubject(receiver, this.userIdMax)
    if (!subject.ok) return subject
    const isJson = 'data' in message
    const event = message.event ?? null
    const body = encodeBody(isJson ? message.data : message.body)
    if (!body.ok) return body
    return this.sendTo(subject.value, isAbout, body.value, receipt, event, isJson)
  }

  /**
   * Sends a body to a user, or about a subject, both of which were checked. Hot path: once a
   * message.
   *
   * A name that nobody has used is kept as long as the log has the message.
   *
   * @param subject `*` for everyone who is connected
   */
  sendTo(
    subject: Subject,
    isAbout: boolean,
    body: Uint8Array,
    receipt: Receipt,
    event: string | null = null,
    isJson = false,
  ): Result<Receipt, Failure> {
    const isNumber = typeof subject === 'number'
    const target = subject === '*' ? EVERYONE : this.names.intern(subject)
    if (target === null) return refused(TOO_MANY_NAMES)
    const name = isNumber || subject === '*' ? null : subject
    this.send(newFrame(body, isAbout, target, event, isJson, name), receipt)
    return success(receipt)
  }

  /**
   * Hands a frame to every connected stream of its receivers, before the next frame; so two
   * messages from one publisher keep their order for every receiver. One about a subject is for the
   * subject and its subscribers: we are always subscribed to ourselves. Hot path: once a message.
   */
  send(frame: Frame, receipt: Receipt): void {
    const followers = frame.isAbout ? this.#followersOf(frame.target) : NO_FOLLOWERS
    frame.epoch = this.#log.epoch
    frame.number = this.#log.append(frame)
    receipt.epoch = frame.epoch
    receipt.number = frame.number
    this.accepted++
    receipt.pending++
    const settles = --this.#untimed > 0 ? receipt : this.#timed(receipt)
    if (frame.target === EVERYONE) this.#outlet.broadcast(frame, settles)
    else this.#outlet.deliver(frame.target, followers, frame, settles)
  }

  #followersOf(subject: number): Uint32Array {
    const followers = this.#followers.subscribersOf(subject)
    this.lookups++
    this.followersFound += followers.length
    return followers
  }

  #timed(receipt: Receipt): TimedReceipt {
    this.#untimed = figureLimits.timedEvery
    return new TimedReceipt(receipt, this.deliverySeconds, this.#clock)
  }
}

export type InputName = 'http' | 'erlang'

/**
 * One way in for messages. It has a router of its own, so that the router's counts are per input.
 */
export class Input {
  readonly name: InputName
  readonly router: Router
  /** Messages and lines refused. */
  rejected = 0

  constructor(name: InputName, router: Router) {
    this.name = name
    this.router = router
  }

  /** Counts refused messages. */
  readonly onRejected = (count: number): void => {
    this.rejected += count
  }
}
