// From the bytes of a publisher to messages in the router: one JSON object, or many, a line
// each, taken as they come and never held whole.

import { type Static, Type } from '@sinclair/typebox'
import { ByteBuffer, type ByteRange, copyOf, latin1Of, rangeOf } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { cursorText } from '../core/cursor.ts'
import { type Failure, failed, TOO_MANY_NAMES } from '../core/errors.ts'
import { parseJson, rawItems } from '../core/json.ts'
import { messageLimits } from '../core/limits.ts'
import { LineSplitter } from '../core/lines.ts'
import { type Result, refused, success } from '../core/result.ts'
import type { Subject } from '../core/user.ts'
import { decodeUtf8 } from '../core/utf8.ts'
import { Backpressure } from '../hub/backpressure.ts'
import { checkBody } from '../hub/body.ts'
import { newFrame } from '../hub/frame.ts'
import { parseMessage } from '../hub/message.ts'
import { failureOf } from '../hub/publish-failure.ts'
import type { Receipt } from '../hub/receipt.ts'
import type { Router } from '../hub/router.ts'
import { NOBODY } from '../subscriptions/name-table.ts'
import { RejectedLines, rejectLine } from './answer.ts'
import { MissingNodes } from './other-nodes.ts'
import { readPlainMessage } from './plain-message.ts'
import type { Body } from './upload.ts'

const Skipped = Type.Optional(
  Type.Integer({
    minimum: 1,
    description:
      'Connections that were passed over, since the worker that holds them is too far behind. ' +
      'Absent when there were none.',
  }),
)

const Unknown = Type.Optional(
  Type.Integer({
    minimum: 1,
    description:
      'Connections that may have got it or not, since the worker that holds them did not answer ' +
      'within a second or has ended. Absent when there were none.',
  }),
)

/** The answer to one message. */
export const SingleReceipt = Type.Object({
  delivered: Type.Integer({
    description:
      'How many connections took the message; of one with a key, when it was published first.',
  }),
  id: Type.String({ description: 'Where the message is in the log, as its receivers see it.' }),
  skipped: Skipped,
  unknown: Unknown,
  missing: MissingNodes,
  restored: Type.Optional(
    Type.Literal(true, {
      description:
        'It was published with this key before a restart of the server, or on another node. How ' +
        'many connections took it is not known: `delivered` is 0. Otherwise absent.',
    }),
  ),
})
export type SingleReceipt = Static<typeof SingleReceipt>

/** The answer to many messages. */
export const BatchReceipt = Type.Object({
  accepted: Type.Integer({ description: 'How many lines were messages and went out.' }),
  delivered: Type.Integer({ description: 'How many connections took them, added up.' }),
  id: Type.Optional(
    Type.String({ description: 'Where the last of them is in the log. Absent if there is none.' }),
  ),
  skipped: Skipped,
  unknown: Unknown,
  missing: MissingNodes,
  restored: Type.Optional(
    Type.Integer({
      minimum: 1,
      description:
        'Lines that were published with their keys before a restart of the server, or on another ' +
        'node. How many connections took these is not known. Absent when there were none.',
    }),
  ),
  ...RejectedLines.properties,
})
export type BatchReceipt = Static<typeof BatchReceipt>

/** All of a body, part by part; null once it is longer than any message can be. */
export async function wholeBody(body: Body | null): Promise<Uint8Array | null> {
  const held = new ByteBuffer()
  for await (const part of body ?? []) {
    if (held.length + part.length > messageLimits.requestBytesMax) return null
    held.append(part)
  }
  return held.view()
}

/**
 * Publishes the one message that the bytes are, and answers once its receivers are counted.
 *
 * @param bytes null for more of them than any message can have
 * @param body who is gone meanwhile would not learn of it, so the message is not taken
 */
export async function publishOne(
  router: Router,
  bytes: Uint8Array | null,
  body: Pick<Body, 'isGone'> = {},
  publish: PublishBytes = publishBytes,
): Promise<Result<SingleReceipt, Failure>> {
  if (bytes === null) return tooLarge('request')
  const result = await beginOne(router, rangeOf(bytes), body, publish)
  if (!result.ok) return result
  const receipt = result.value
  await receipt.pendingBelow(0)
  const failure = failureIn(receipt)
  return failure === null ? success(countsOf(receipt)) : refused(failure)
}

/** Why the one message of a receipt that has settled is not in the log; null if it is. */
export function failureIn({ refusal }: Pick<Receipt, 'refusal'>): Failure | null {
  return refusal === null ? null : failureOf(refusal)
}

/** Makes a message of bytes, and publishes it. */
export type PublishBytes = (
  router: Router,
  bytes: ByteRange,
  receipt: Receipt,
) => Result<Receipt, Failure>

/**
 * Publishes the one message that the bytes are: at once, unless workers must be asked. The receipt
 * settles at the end of this turn of the loop, or later. Hot path: once a request.
 */
export function beginOne(
  router: Router,
  bytes: ByteRange,
  body: Pick<Body, 'isGone'>,
  publish: PublishBytes = publishBytes,
): Result<Receipt, Failure> | Promise<Result<Receipt, Failure>> {
  const ready = router.ready()
  const synced = ready === null ? router.sync() : null
  if (ready === null && synced === null) return publish(router, bytes, router.receipt())
  // The memory of the bytes is the socket's, which uses it again.
  return beginLater(
    router,
    rangeOf(copyOf(bytes.bytes, bytes.start, bytes.end)),
    body,
    ready ?? synced,
    publish,
  )
}

async function beginLater(
  router: Router,
  bytes: ByteRange,
  body: Pick<Body, 'isGone'>,
  ready: Promise<void> | null,
  publish: PublishBytes,
): Promise<Result<Receipt, Failure>> {
  await ready
  await router.sync()
  if (body.isGone) return failed('body_unreadable', 'The connection ended before the answer.')
  return publish(router, bytes, router.receipt())
}

/** Publishes bytes as the body that they are. */
export function publishBody(
  subject: Subject,
  isAbout: boolean,
  key: string | null = null,
): PublishBytes {
  return (router, { bytes, start, end }, receipt) => {
    const body = checkBody(copyOf(bytes, start, end))
    if (!body.ok) return body
    if (key === null) return router.sendTo(subject, isAbout, body.value, receipt)
    const content = { key, isAbout, event: null, isJson: false, bytes: body.value }
    return router.sendOnce(subject, receipt, content)
  }
}

/**
 * Publishes a message a line, in order; a bad line is refused by its number, the others go out. A
 * batch, however long, leaves the loop to all others every few milliseconds, and waits for the
 * streams' workers when it is far ahead of them.
 */
export async function publishLines(
  router: Router,
  body: Body | null,
  clock: Clock,
): Promise<BatchReceipt> {
  const batch = new PublishedBatch(router)
  const { receipt } = batch
  const lines = new LineSplitter(messageLimits.requestBytesMax, (line, number) => {
    if (line !== null && isBlank(line)) return
    if (line === null) batch.reject(number, tooLarge('line').why)
    else batch.publish(number, (part) => publishBytes(router, line, part))
  })
  const backpressure = new Backpressure(router, clock)
  let hasBegun = false
  for await (const part of body ?? []) {
    await router.sync()
    for (let at = 0; at < part.length; at += messageLimits.sliceBytes) {
      // Between two slices, and not behind the last: a short batch is answered with its turn.
      if (hasBegun) await backpressure.next(receipt)
      hasBegun = true
      if (body?.isGone === true) break
      lines.push(part.subarray(at, at + messageLimits.sliceBytes))
    }
  }
  if (body?.isGone !== true && body?.isLate !== true) lines.end()
  return await batch.answer()
}

/**
 * Publishes the messages of a JSON array, in order; a bad one is refused by its place, counted from
 * 1 as lines are.
 *
 * @param json that begins with `[`
 * @param body of a publisher that may have gone meanwhile
 */
export async function publishArray(
  router: Router,
  json: string,
  clock: Clock,
  body: Pick<Body, 'isGone'>,
): Promise<Result<BatchReceipt, Failure>> {
  if (!parseJson(json).ok) return failed('invalid_json', 'This is not JSON.')
  await router.ready()
  await router.sync()
  const batch = new PublishedBatch(router)
  const backpressure = new Backpressure(router, clock)
  for (const [at, item] of rawItems(json).entries()) {
    if (at % ITEMS_PER_LOOK === 0 && at > 0) await backpressure.next(batch.receipt)
    // It would not learn of the rest.
    if (body.isGone) break
    const message = parseMessage(item)
    if (!message.ok) batch.reject(at + 1, message.why)
    else batch.publish(at + 1, (part) => router.publish(message.value, part))
  }
  return success(await batch.answer())
}

/** The messages of one request, each with its line or place. */
class PublishedBatch {
  /** Of all of them. */
  readonly receipt: Receipt
  readonly #router: Router
  readonly #rejected: RejectedLines = { rejected: [], rejectedCount: 0 }
  #taken = 0

  constructor(router: Router) {
    this.#router = router
    this.receipt = router.receipt()
  }

  reject(line: number, why: Failure): void {
    rejectLine(this.#rejected, line, why)
  }

  /**
   * Hot path: once a message. Where one can be refused after it was taken, each has a receipt of
   * its own, which knows its line.
   */
  publish(line: number, publish: (receipt: Receipt) => Result<Receipt, Failure>): void {
    const { receipt } = this
    const part = this.#router.mayRefuseLater
      ? receipt.part((why) => this.reject(line, failureOf(why)))
      : receipt
    const result = publish(part)
    if (result.ok) this.#taken++
    else this.reject(line, result.why)
    if (part !== receipt) part.whenSettled(() => receipt.add(part))
  }

  /** Settles when all are accepted or refused, and their receivers counted. */
  async answer(): Promise<BatchReceipt> {
    const { receipt } = this
    await receipt.pendingBelow(0)
    const accepted = this.#taken - receipt.refused
    return { accepted, ...countsOfMany(receipt), ...this.#rejected }
  }
}

/** Items that are published between two looks at the clock. */
const ITEMS_PER_LOOK = 16

/** Does the body hold an array? */
export function isArray({ bytes, start, end }: ByteRange): boolean {
  let at = start
  while (at < end && isWhite(bytes[at] as number)) at++
  return bytes[at] === BRACKET
}

const BRACKET = 0x5b

/** White space of JSON (RFC 8259 section 2). */
function isWhite(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

/** What a publisher is told, once the receipt has settled. Hot path: once a request. */
export function countsOf(receipt: Receipt): SingleReceipt {
  const { delivered, skipped, unknown, restored, missing } = receipt
  const id = cursorText(receipt)
  if (skipped + unknown + restored + missing.length === 0) return { delivered, id }
  return {
    delivered,
    id,
    ...(skipped > 0 && { skipped }),
    ...(unknown > 0 && { unknown }),
    ...(missing.length > 0 && { missing: [...missing] }),
    ...(restored > 0 && { restored: true }),
  }
}

/** The same of many messages, of which perhaps none was accepted. */
function countsOfMany(receipt: Receipt): Omit<BatchReceipt, 'accepted' | keyof RejectedLines> {
  const { id, restored: _, ...counts } = countsOf(receipt)
  return {
    ...counts,
    ...(receipt.number > 0 && { id }),
    ...(receipt.restored > 0 && { restored: receipt.restored }),
  }
}

/** Hot path: once a message. */
function publishBytes(
  router: Router,
  bytes: ByteRange,
  receipt: Receipt,
): Result<Receipt, Failure> {
  const plain = readPlainMessage(bytes)
  if (plain === null || plain.user > router.userIdMax) return publishJson(router, bytes, receipt)
  const { isAbout, user, nameStart, nameEnd, bodyStart, bodyEnd } = plain
  // Of ASCII and of the right length, as it was read: nothing of it is to be checked again.
  const body = copyOf(bytes.bytes, bodyStart, bodyEnd)
  if (user !== 0) {
    const sent = router.send(newFrame(body, isAbout, user), receipt)
    return sent.ok ? success(receipt) : sent
  }
  const known = router.names.findBytes(bytes.bytes, nameStart, nameEnd)
  const name = latin1Of(bytes.bytes, nameStart, nameEnd)
  const target = known === NOBODY ? router.names.intern(name) : known
  if (target === null) return refused(TOO_MANY_NAMES)
  const sent = router.send(newFrame(body, isAbout, target, null, false, name), receipt)
  return sent.ok ? success(receipt) : sent
}

function publishJson(router: Router, bytes: ByteRange, receipt: Receipt): Result<Receipt, Failure> {
  const text = decodeUtf8(bytes)
  if (text === null) return failed('invalid_utf8', 'The message is not UTF-8.')
  const message = parseMessage(text)
  return message.ok ? router.publish(message.value, receipt) : message
}

/** The failure of what is longer than any message can be. */
function tooLarge(what: string) {
  return failed(
    'request_too_large',
    `The ${what} is over ${messageLimits.requestBytesMax} bytes, longer than any message can be.`,
  )
}

/** A line of white space only, which NDJSON lets a reader pass over. */
function isBlank({ bytes, start, end }: ByteRange): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]
    if (byte !== 0x20 && byte !== 0x0d && byte !== 0x09) return false
  }
  return true
}
