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
import type { KeyedContent, PublicationKeys } from './publication-keys.ts'
import {
  DELIVERY_BOUNDS_SECONDS,
  type DeliveryAck,
  type DeliveryTotals,
  Receipt,
  TimedReceipt,
} from './receipt.ts'
import type { Settings } from './settings.ts'

const NO_FOLLOWERS = new Uint32Array(0)

export interface RouterOptions {
  readonly outlet: Outlet
  readonly followers: Followers
  readonly names: Pick<NameTable, 'idOf' | 'intern' | 'findBytes'>
  readonly log: Pick<MessageLog, 'epoch' | 'append'>
  /** Of all inputs of the server. */
  readonly keys: PublicationKeys
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
  readonly keys: PublicationKeys
  readonly #log: RouterOptions['log']
  readonly #outlet: Outlet
  readonly #followers: Followers
  readonly #settings: Settings<'userIdMax'>
  readonly #clock: Clock
  /** Messages until the next one that is timed; the first one is. */
  #untimed = 1

  constructor(options: RouterOptions) {
    const { outlet, followers, names, log, keys, settings, clock = systemClock } = options
    this.names = names
    this.keys = keys
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
    const { key } = message
    return key === undefined
      ? this.sendTo(subject.value, isAbout, body.value, receipt, event, isJson)
      : this.sendOnce(subject.value, receipt, { key, isAbout, event, isJson, bytes: body.value })
  }

  /**
   * Sends what was checked, unless the same was sent before with its key: then the receipt gets the
   * answer of then.
   */
  sendOnce(
    subject: Subject,
    receipt: Receipt,
    content: Omit<KeyedContent, 'subject'>,
  ): Result<Receipt, Failure> {
    const keyed = { ...content, subject: subject === '*' ? EVERYONE : subject }
    const begun = this.keys.begin(keyed, receipt)
    if (!begun.ok) return begun
    const delivery = begun.value
    if (delivery === null) return success(receipt)
    const { bytes, isAbout, event, isJson, key } = content
    const frame = this.#frameFor(subject, isAbout, bytes, event, isJson, key)
    if (frame === null) return refused(TOO_MANY_NAMES)
    this.send(frame, receipt, delivery)
    delivery.onSent(frame.number)
    return success(receipt)
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
    const frame = this.#frameFor(subject, isAbout, body, event, isJson, null)
    if (frame === null) return refused(TOO_MANY_NAMES)
    this.send(frame, receipt)
    return success(receipt)
  }

  /** Null if there is no room for the name. */
  #frameFor(
    subject: Subject,
    isAbout: boolean,
    body: Uint8Array,
    event: string | null,
    isJson: boolean,
    key: string | null,
  ): Frame | null {
    const isNumber = typeof subject === 'number'
    const target = subject === '*' ? EVERYONE : this.names.intern(subject)
    if (target === null) return null
    const name = isNumber || subject === '*' ? null : subject
    return newFrame(body, isAbout, target, event, isJson, name, key)
  }

  /**
   * Hands a frame to every connected stream of its receivers, before the next frame; so two
   * messages from one publisher keep their order for every receiver. One about a subject is for the
   * subject and its subscribers: we are always subscribed to ourselves. Hot path: once a message.
   *
   * @param ack stands before the receipt
   */
  send(frame: Frame, receipt: Receipt, ack: DeliveryAck = receipt): void {
    const followers = frame.isAbout ? this.#followersOf(frame.target) : NO_FOLLOWERS
    frame.epoch = this.#log.epoch
    frame.number = this.#log.append(frame)
    receipt.epoch = frame.epoch
    receipt.number = frame.number
    this.accepted++
    receipt.pending++
    const settles = --this.#untimed > 0 ? ack : this.#timed(ack)
    if (frame.target === EVERYONE) this.#outlet.broadcast(frame, settles)
    else this.#outlet.deliver(frame.target, followers, frame, settles)
  }

  #followersOf(subject: number): Uint32Array {
    const followers = this.#followers.subscribersOf(subject)
    this.lookups++
    this.followersFound += followers.length
    return followers
  }

  #timed(receipt: DeliveryAck): TimedReceipt {
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
