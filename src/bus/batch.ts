// Encodes and decodes a batch: what a node adds to the log in one turn of its loop, as one entry of
// the stream in Redis. The head describes each item; the body has the bytes of all items.

import { isUtf8 } from 'node:buffer'
import { type BusLimits, busLimits } from '../core/bus-limits.ts'
import { keyLimits } from '../core/history-limits.ts'
import { messageLimits } from '../core/limits.ts'
import { isEvent, isKey, isName } from '../core/name.ts'
import { type Result, refused, success } from '../core/result.ts'
import type { NamedUser } from '../core/user.ts'
import { userIdOf } from '../core/user.ts'
import { NOBODY } from '../log/heads.ts'
import { BARRIER, type LogItem, type Publication } from '../log/message-bus.ts'
import type { FollowChange, LogMessage } from '../log/message-log.ts'

export interface EncodedBatch {
  readonly count: number
  readonly head: string
  /**
   * A body that is valid UTF-8 is sent unchanged, because Bun decodes answers of Redis as UTF-8.
   * Any other is sent as base64; latin1 is not faster, and longer for such bytes.
   */
  readonly body: Uint8Array | string
  readonly isText: boolean
  /** About how many bytes it takes in Redis. */
  readonly byteCount: number
}

/** The handle of a name; null if there is no room for it. */
export type InternName = (name: string) => number | null

/*
 * Items of the head are separated by spaces. Each begins with a letter:
 *
 *   a, A   a text or JSON about a subject: target,bytes[,eEVENT][,kBYTES OF THE KEY][,r]
 *   t, T   the same, to one user
 *   e, E   the same, to everyone, without a target
 *   f, u   a user begins or ceases to follow a subject: user,subject
 *   b      a barrier
 *
 * A target is a number or a name; a name never consists of digits alone. The key of a message is in
 * the body, before its bytes. An `r` asks all nodes to report their delivery counts.
 */

const decoder = new TextDecoder()

/**
 * Hot path: once a batch, and in it once a message.
 *
 * @param publications of the items, in their order
 */
export function encodeBatch(
  items: readonly LogItem[],
  publications: readonly (Publication | null)[] = [],
): EncodedBatch {
  let head = ''
  let length = 0
  for (let at = 0; at < items.length; at++) {
    const item = items[at] as LogItem
    if (at > 0) head += ' '
    if (item === BARRIER) head += 'b'
    else if ('follows' in item) {
      head += `${item.follows ? 'f' : 'u'}${textOf(item.user)},${textOf(item.subject)}`
    } else {
      const { bytes, event, key } = item
      head += headOf(item)
      length += bytes.length
      if (event !== null) head += `,e${event}`
      if (key !== null) {
        const keyBytes = Buffer.byteLength(key)
        head += `,k${keyBytes}`
        length += keyBytes
      }
      if (publications[at]?.isForAllNodes === true) head += REPORTED
    }
  }
  const body = bodyOf(items, length)
  const isText = isUtf8(body)
  return {
    count: items.length,
    head,
    body: isText ? body : Buffer.from(body.buffer, body.byteOffset, length).toString('base64'),
    isText,
    byteCount: busLimits.entryBytes + head.length + (isText ? length : Math.ceil(length / 3) * 4),
  }
}

const REPORTED = ',r'

/** Which items of a batch ask all nodes for a report, by its head. Hot path: once a batch. */
export function reportedItems(head: string): readonly number[] {
  if (!head.includes(REPORTED)) return NO_ITEMS
  const found: number[] = []
  for (const [at, part] of head.split(' ').entries()) {
    if (/^[ate]/i.test(part) && part.endsWith(REPORTED)) found.push(at)
  }
  return found
}

const NO_ITEMS: readonly number[] = []

function headOf({ bytes, isAbout, isJson, target, name }: LogMessage): string {
  if (isAbout) return `${isJson ? 'A' : 'a'}${name ?? target},${bytes.length}`
  if (target === 0) return `${isJson ? 'E' : 'e'}${bytes.length}`
  return `${isJson ? 'T' : 't'}${name ?? target},${bytes.length}`
}

/** A user or subject in text, the same on all nodes. */
export function textOf({ id, name }: NamedUser): string {
  return name ?? String(id)
}

function bodyOf(items: readonly LogItem[], length: number): Uint8Array {
  const [only] = items
  if (items.length === 1 && only !== undefined && only !== BARRIER && 'bytes' in only) {
    if (only.key === null) return only.bytes
  }
  const body = new Uint8Array(length)
  let end = 0
  for (let at = 0; at < items.length; at++) {
    const item = items[at] as LogItem
    if (item === BARRIER || 'follows' in item) continue
    if (item.key !== null) end += encoder.encodeInto(item.key, body.subarray(end)).written
    body.set(item.bytes, end)
    end += item.bytes.length
  }
  return body
}

const encoder = new TextEncoder()

/** The least number of bytes that an item takes in a batch, for limits. */
export function byteCountOf(item: LogItem): number {
  return item === BARRIER || 'follows' in item ? ITEM_BYTES : ITEM_BYTES + item.bytes.length
}

const ITEM_BYTES = 16

/**
 * Reads a batch. Checks all of it, since other programs may write to Redis too. Hot path: once a
 * batch, and in it once a message.
 *
 * @param body the text, or base64
 */
export function decodeBatch(
  head: string,
  body: string,
  isText: boolean,
  intern: InternName,
  limits: BusLimits = busLimits,
): Result<LogItem[]> {
  const bytes = isText ? encoder.encode(body) : base64Of(body)
  if (bytes === null) return refused('its body is no base64')
  const parts = head.split(' ')
  if (parts.length > limits.batchMessagesMax) return refused('it has too many messages')
  const reader = new ItemReader(bytes, intern)
  const items: LogItem[] = []
  for (let at = 0; at < parts.length; at++) {
    const item = reader.read(parts[at] as string)
    if (item === null) return refused(`its item ${at} is none`)
    items.push(item)
  }
  return reader.isAtEnd ? success(items) : refused('its body is longer than its messages')
}

/** Null if the text is not canonical base64. */
function base64Of(text: string): Uint8Array | null {
  const buffer = Buffer.from(text, 'base64')
  return buffer.toString('base64') === text ? new Uint8Array(buffer) : null
}

class ItemReader {
  readonly #bytes: Uint8Array
  readonly #intern: InternName
  #at = 0

  constructor(bytes: Uint8Array, intern: InternName) {
    this.#bytes = bytes
    this.#intern = intern
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  /** Null if it is not a valid item. */
  read(part: string): LogItem | null {
    const letter = part[0]
    switch (letter) {
      case 'a':
      case 'A':
        return this.#addressed(part, true, letter === 'A')
      case 't':
      case 'T':
        return this.#addressed(part, false, letter === 'T')
      case 'e':
      case 'E':
        return this.#message(part, 1, { isAbout: false, isJson: letter === 'E' }, EVERYONE)
      case 'f':
      case 'u':
        return this.#change(part, letter === 'f')
      default:
        return part === 'b' ? BARRIER : null
    }
  }

  #addressed(part: string, isAbout: boolean, isJson: boolean): LogMessage | null {
    const comma = part.indexOf(',')
    const target = comma < 0 ? null : this.#user(part.slice(1, comma))
    return target === null ? null : this.#message(part, comma + 1, { isAbout, isJson }, target)
  }

  #message(
    part: string,
    start: number,
    { isAbout, isJson }: Pick<LogMessage, 'isAbout' | 'isJson'>,
    { id: target, name }: NamedUser,
  ): LogMessage | null {
    const comma = part.indexOf(',', start)
    const length = userIdOf(comma < 0 ? part.slice(start) : part.slice(start, comma))
    if (length < 1 || length > messageLimits.bodyBytesMax) return null
    let event: string | null = null
    let key: string | null = null
    if (comma >= 0) {
      const others = this.#others(part.slice(comma + 1))
      if (others === null) return null
      event = others.event
      key = others.key
    }
    const end = this.#at + length
    if (end > this.#bytes.length) return null
    // A copy, so that a message waiting for a slow client does not keep its whole batch in memory.
    const bytes = this.#bytes.slice(this.#at, end)
    this.#at = end
    return { bytes, isAbout, target, event, isJson, name, key }
  }

  #others(text: string): Pick<LogMessage, 'event' | 'key'> | null {
    const keyed = /^(?:e([^,]+))?(?:(?:^|,)k([1-9]\d{0,2}))?(?:(?:^|,)r)?$/.exec(text)
    if (keyed === null || text === '') return null
    const [, event = null, keyLength] = keyed
    if (event !== null && !isEvent(event)) return null
    if (keyLength === undefined) return { event, key: null }
    const end = this.#at + Number(keyLength)
    if (Number(keyLength) > keyLimits.lengthMax || end > this.#bytes.length) return null
    const key = decoder.decode(this.#bytes.subarray(this.#at, end))
    this.#at = end
    return isKey(key) ? { event, key } : null
  }

  #change(part: string, follows: boolean): FollowChange | null {
    const comma = part.indexOf(',')
    if (comma < 0) return null
    const user = this.#user(part.slice(1, comma))
    const subject = this.#user(part.slice(comma + 1))
    return user === null || subject === null ? null : { user, subject, follows }
  }

  #user(text: string): NamedUser | null {
    const id = userIdOf(text)
    if (id > 0) return id <= messageLimits.userIdMax ? { id, name: null } : null
    return isName(text) ? { id: this.#intern(text) ?? NOBODY, name: text } : null
  }
}

const EVERYONE: NamedUser = { id: 0, name: null }
