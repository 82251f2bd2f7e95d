// From a publisher to the log: checks a message, encodes it, publishes it, and counts.

import { type Clock, systemClock } from '../core/clock.ts'
import { type Failure, TOO_MANY_NAMES } from '../core/errors.ts'
import { figureLimits } from '../core/limits.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { checkSubject, type Subject } from '../core/user.ts'
import type { MessageBus, Publication, PublishRefusal } from '../log/message-bus.ts'
import type { NameTable } from '../subscriptions/name-table.ts'
import { encodeBody } from './body.ts'
import { EVERYONE, type Frame, newFrame } from './frame.ts'
import type { Message } from './message.ts'
import type { Outlet } from './outlet.ts'
import type { KeyedContent, PublicationKeys } from './publication-keys.ts'
import { failureOf } from './publish-failure.ts'
import {
  AllNodesReceipt,
  type CollectCounts,
  InputTotals,
  Receipt,
  TimedReceipt,
} from './receipt.ts'
import type { Settings } from './settings.ts'

export interface RouterOptions {
  readonly outlet: Pick<Outlet, 'sync' | 'ready'>
  readonly names: Pick<NameTable, 'idOf' | 'intern' | 'findBytes'>
  readonly bus: Pick<MessageBus, 'publish' | 'isShared'>
  /** Of all inputs of the server. */
  readonly keys: PublicationKeys
  readonly settings: Settings<'userIdMax'>
  readonly clock?: Clock
  /** Collects the counts of the other nodes; absent for counts of this node only. */
  readonly collect?: CollectCounts | null
  /** What is published here counts there; default: in the router itself. */
  readonly totals?: InputTotals
}

export class Router extends InputTotals {
  readonly names: RouterOptions['names']
  readonly keys: PublicationKeys
  readonly #bus: RouterOptions['bus']
  readonly #outlet: RouterOptions['outlet']
  readonly #settings: Settings<'userIdMax'>
  readonly #clock: Clock
  readonly #collect: CollectCounts | null
  readonly #totals: InputTotals
  /** Messages until the next one that is timed; the first one is. */
  #untimed = 1

  constructor(options: RouterOptions) {
    super()
    const { outlet, names, bus, keys, settings, clock = systemClock, collect = null } = options
    this.names = names
    this.keys = keys
    this.#bus = bus
    this.#settings = settings
    this.#outlet = outlet
    this.#clock = clock
    this.#collect = collect
    this.#totals = options.totals ?? this
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

  /** May a message be refused after it was taken? */
  get mayRefuseLater(): boolean {
    return this.#bus.isShared
  }

  /**
   * A receipt for the messages of one request.
   *
   * @param onRefused is called for each message that is refused after it was taken
   */
  receipt(onRefused: ((why: PublishRefusal) => void) | null = null): Receipt {
    return new Receipt(this.#totals, onRefused)
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
    const sent = this.send(frame, receipt, delivery)
    return sent.ok ? success(receipt) : sent
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
    const sent = this.send(frame, receipt)
    return sent.ok ? success(receipt) : sent
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
   * Publishes a frame. Hot path: once a message.
   *
   * @param publication stands before the receipt
   */
  send(frame: Frame, receipt: Receipt, publication: Publication = receipt): Result<void, Failure> {
    const pending = receipt.pending++
    const isTimed = --this.#untimed === 0
    let whole = isTimed ? this.#timed(publication) : publication
    if (this.#collect !== null) {
      receipt.pending++
      whole = new AllNodesReceipt(whole, receipt, this.#collect)
    }
    const published = this.#bus.publish(frame, whole)
    if (published.ok) return OK
    receipt.pending = pending
    return refused(failureOf(published.why))
  }

  #timed(publication: Publication): TimedReceipt {
    this.#untimed = figureLimits.timedEvery
    return new TimedReceipt(publication, this.#totals.deliverySeconds, this.#clock)
  }
}

/** `bus`: messages that other nodes published. */
export type InputName = 'http' | 'erlang' | 'bus'

/** One way in for messages, with figures of its own: http and Erlang each have a router. */
export class Input<Totals extends InputTotals = InputTotals> {
  readonly name: InputName
  readonly router: Totals
  /** Messages and lines refused. */
  rejected = 0

  constructor(name: InputName, router: Totals) {
    this.name = name
    this.router = router
  }

  /** Counts refused messages. */
  readonly onRejected = (count: number): void => {
    this.rejected += count
  }
}
