// Reads the messages that an Erlang process sends, one or a list of them, and hands them to the
// router.

import { type Failure, failed } from '../core/errors.ts'
import { identityLimits } from '../core/identity-limits.ts'
import { erlangLimits, messageLimits } from '../core/limits.ts'
import { isName } from '../core/name.ts'
import { OK, type Result, success } from '../core/result.ts'
import { checkUserId, type Subject } from '../core/user.ts'
import type { Backpressure } from '../hub/backpressure.ts'
import { bodyTooLarge, checkBody } from '../hub/body.ts'
import { failureOf } from '../hub/publish-failure.ts'
import type { Receipt } from '../hub/receipt.ts'
import type { Router } from '../hub/router.ts'
import type { TermReader } from './term-reader.ts'
import { TAG } from './term-scanner.ts'

/**
 * Skips `{User, Body}`, `{subject, User, Body}` or `{send, User, Body}` and routes the message. The
 * latter two go to the user and all followers, as the router of 2008 sent. Hot path: once per
 * message.
 *
 * @param receipt is settled once if the message was sent, now or later
 */
export function sendMessage(
  reader: TermReader,
  router: Router,
  receipt: Receipt,
): Result<void, Failure> {
  const begin = reader.at
  const sent = trySend(reader, router, receipt)
  if (!sent.ok) {
    reader.at = begin
    reader.skipTerm()
  }
  return sent
}

function trySend(reader: TermReader, router: Router, receipt: Receipt): Result<void, Failure> {
  const arity = reader.tuple()
  const isAbout = arity === 3 && (reader.isAtom('subject') || reader.isAtom('send'))
  if (!isAbout && arity !== 2) return failed('invalid_message', EXPECTED_MESSAGE)
  const user = readUser(reader, router.userIdMax)
  if (!user.ok) return user
  const body = readBody(reader)
  if (!body.ok) return body
  const published = router.sendTo(user.value, isAbout, body.value, receipt)
  return published.ok ? OK : published
}

const EXPECTED_MESSAGE = 'A message is {User, Body} or {subject, User, Body}, or a list of these.'

/**
 * Atoms that are no users, though binaries of the same letters are: the words of messages and
 * queries, so that `{subject, Body}`, whose user was forgotten, is not a message to `subject`; and
 * what Erlang and Elixir programs have where there is no value.
 */
const WORDS: ReadonlySet<string> = new Set([
  ...['subject', 'send', 'online', 'is_auth'],
  ...['undefined', 'nil'],
])

/** Skips a term that must be a user: an integer, or a name as an atom or a binary. Hot path: once
 * per message. */
export function readUser(reader: TermReader, userIdMax: number): Result<Subject, Failure> {
  const isAtom = reader.kind === 'atom'
  const text = reader.latin1(identityLimits.nameLengthMax)
  if (text === null) return checkUserId(reader.integer(), userIdMax, 'invalid_message')
  if (isAtom && WORDS.has(text)) {
    return failed('invalid_message', `The atom ${text} is no user; the binary <<"${text}">> is.`)
  }
  // What is no name is no number either: a number is an integer.
  return isName(text) ? success(text) : checkUserId(Number.NaN, userIdMax, 'invalid_message')
}

export const IMPROPER_LIST: Failure = {
  code: 'invalid_message',
  message: 'The list is improper: its tail is not a list. No message of it was sent.',
}

/** Whether the list ends in `[]`, without reading past it. The tail of an improper one has no
 * place. */
export function isProperList(reader: TermReader): boolean {
  const begin = reader.at
  for (let left = reader.list(); left > 0; left--) reader.skipTerm()
  const isNil = reader.kind === 'nil'
  reader.at = begin
  return isNil
}

/** The messages of a list that were refused. */
export interface RefusedMessages {
  /** The first ones, each with its place in the list, counted from 1. */
  readonly listed: { readonly place: number; readonly failure: Failure }[]
  count: number
}

/**
 * Skips a list of messages. Refuses the invalid ones by their place and sends the others.
 *
 * @param onLate is called for each that is refused after it was taken, which is listed, too
 */
export async function sendMessages(
  reader: TermReader,
  router: Router,
  receipt: Receipt,
  backpressure: Backpressure,
  onLate: (failure: Failure) => void,
): Promise<RefusedMessages> {
  const refused: RefusedMessages = { listed: [], count: 0 }
  const refuse = (place: number, failure: Failure) => {
    if (refused.listed.length < messageLimits.rejectedListedMax) {
      refused.listed.push({ place, failure })
    }
  }
  const messages = reader.list()
  for (let place = 1; place <= messages; place++) {
    if (place % erlangLimits.sliceMessages === 0) await backpressure.next(receipt)
    const part = router.mayRefuseLater
      ? receipt.part((why) => {
          refuse(place, failureOf(why))
          onLate(failureOf(why))
        })
      : receipt
    const sent = sendMessage(reader, router, part)
    if (part !== receipt) part.whenSettled(() => receipt.add(part))
    if (sent.ok) continue
    refused.count++
    refuse(place, sent.why)
  }
  return refused
}

/**
 * Skips a term and returns the body that it is. Hot path: once per message.
 *
 * A binary is taken as it is. A list is bytes, as for `iolist_to_binary/1`, if these are UTF-8, and
 * otherwise characters, as for `unicode:characters_to_binary/1`. So `"Grüße"`, whose bytes in
 * Latin-1 are not UTF-8, arrives as it reads, and so does `binary_to_list(<<"Grüße"/utf8>>)`.
 */
export function readBody(reader: TermReader): Result<Uint8Array, Failure> {
  if (reader.tag === TAG.binary) return checkBody((reader.byteString() as Uint8Array).slice())
  const { at } = reader
  reader.skipTerm()
  const end = reader.at
  const readAs = (integers: Integers): Result<Uint8Array, Failure> => {
    reader.at = at
    const read = listBody.read(reader, integers)
    reader.at = end
    return read
  }
  const asBytes = readAs('bytes')
  if (asBytes.ok || asBytes.why.code === 'message_too_large') return asBytes
  return asBytes.why.code === 'message_empty' ? asBytes : readAs('characters')
}

/** What the integers in a list stand for. */
type Integers = 'bytes' | 'characters'

const encoder = new TextEncoder()

/** Flattens a list into one buffer. */
class ListBody {
  readonly #bytes = new Uint8Array(messageLimits.bodyBytesMax)
  /** Exceeds the buffer if the body does, so that the error can name its size. */
  #length = 0

  read(reader: TermReader, integers: Integers): Result<Uint8Array, Failure> {
    this.#length = 0
    if (!this.#addWhole(reader, integers)) {
      return failed('invalid_message', 'The body is not a binary, an iolist or a string.')
    }
    if (this.#length > this.#bytes.length) return bodyTooLarge(this.#length)
    return checkBody(this.#bytes.slice(0, this.#length))
  }

  /** Skips a term and adds its bytes. Stops with false at a term that a body cannot contain. */
  #add(reader: TermReader, integers: Integers): boolean {
    switch (reader.kind) {
      case 'integer':
        return this.#addInteger(reader.integer(), integers)
      case 'string':
        if (integers === 'bytes') return this.#append(reader.byteString() as Uint8Array)
        for (const byte of reader.byteString() as Uint8Array) this.#addInteger(byte, integers)
        return true
      case 'binary':
        return this.#append(reader.byteString() as Uint8Array)
      case 'list': {
        for (let left = reader.list(); left > 0; left--) {
          if (!this.#add(reader, integers)) return false
        }
        return this.#addWhole(reader, integers)
      }
      case 'nil':
        reader.skipTerm()
        return true
      default:
        return false
    }
  }

  /** A whole body or the tail of a list, which may be a binary but not a single integer. */
  #addWhole(reader: TermReader, integers: Integers): boolean {
    return reader.kind !== 'integer' && this.#add(reader, integers)
  }

  #addInteger(value: number, integers: Integers): boolean {
    if (integers === 'bytes') {
      return value >= 0 && value < 256 && this.#append(Uint8Array.of(value))
    }
    // A surrogate alone is not a character.
    const isCharacter = value >= 0 && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff)
    return isCharacter && this.#append(encoder.encode(String.fromCodePoint(value)))
  }

  #append(bytes: Uint8Array): true {
    if (this.#length + bytes.length <= this.#bytes.length) this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
    return true
  }
}

const listBody = new ListBody()
