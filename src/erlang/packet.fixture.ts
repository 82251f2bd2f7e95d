// Terms and packets as a node sends them, put together byte by byte from OTP's documentation, so that
// the tests do not take the writer's word for them. The nodes and processes are the recorded ones.

import { NODE_A, NODE_B } from './recorded.fixture.ts'

const encoder = new TextEncoder()

/** Bytes one after the other: numbers are one each, texts are their UTF-8. No Buffer: its `slice` is no copy. */
export function bytesOf(
  ...parts: readonly (number | string | Uint8Array)[]
): Uint8Array<ArrayBuffer> {
  const chunks = parts.map((part) => {
    if (typeof part === 'number') return Uint8Array.of(part)
    return typeof part === 'string' ? encoder.encode(part) : part
  })
  return new Uint8Array(Buffer.concat(chunks))
}

export function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value)
}

export function uint32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}

export function atom(name: string): Uint8Array {
  const text = encoder.encode(name)
  return bytesOf(119, text.length, text)
}

/** From 0 to 2^31 - 1. */
export function integer(value: number): Uint8Array {
  return value < 256 ? bytesOf(97, value) : bytesOf(98, uint32(value))
}

export function binary(body: string | Uint8Array): Uint8Array {
  const bytes = bytesOf(body)
  return bytesOf(109, uint32(bytes.length), bytes)
}

export function tuple(...terms: readonly Uint8Array[]): Uint8Array {
  return bytesOf(104, terms.length, ...terms)
}

export const NIL = Uint8Array.of(106)

export function list(...terms: readonly Uint8Array[]): Uint8Array {
  return terms.length === 0 ? NIL : bytesOf(108, uint32(terms.length), ...terms, NIL)
}

/** `[Head | Tail]`. */
export function cons(head: Uint8Array, tail: Uint8Array): Uint8Array {
  return bytesOf(108, uint32(1), head, tail)
}

export function pid(node: string, id: number): Uint8Array {
  return bytesOf(88, atom(node), uint32(id), uint32(0), uint32(0xe389ab61))
}

/** A reference, which an alias is too. */
export function reference(id: number): Uint8Array {
  return bytesOf(90, uint16(3), atom(NODE_A), uint32(0xe389ab61), ...[7, 8, id].map(uint32))
}

/** The process that calls. */
export const CALLER = pid(NODE_A, 0x55)
/** Comet's own process, unless a test takes a recorded one. */
export const OWN = pid(NODE_B, 1)
export const ALIAS = reference(1)
/** What `gen_server:call/2` marks a call with. */
export const MARK = cons(atom('alias'), ALIAS)

/** A packet without its length. */
export function packet(control: Uint8Array, message?: Uint8Array): Uint8Array {
  return message === undefined
    ? bytesOf(112, 131, control)
    : bytesOf(112, 131, control, 131, message)
}

/** A message to a name. */
export function toName(message: Uint8Array, name = 'comet'): Uint8Array {
  return packet(tuple(integer(6), CALLER, atom(''), atom(name)), message)
}

/** A call, as `gen_server:call/2` makes it. */
export function call(request: Uint8Array, mark: Uint8Array = MARK): Uint8Array {
  return toName(tuple(atom('$gen_call'), tuple(CALLER, mark), request))
}

/** What a call is answered with, by the alias of its mark. */
export function answer(value: Uint8Array, { mark = MARK, alias = ALIAS, own = OWN } = {}) {
  return packet(tuple(integer(33), own, alias), tuple(mark, value))
}

export function ok(delivered: number): Uint8Array {
  return tuple(atom('ok'), integer(delivered))
}

/** With the length before it, as it goes over a socket. */
export function framed(...packets: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return bytesOf(...packets.flatMap((bytes) => [uint32(bytes.length), bytes]))
}

export function fromHex(hex: string): Uint8Array {
  return Uint8Array.fromHex(hex)
}

/** `{User, Body}`. */
export function message(user: number, body = 'x'): Uint8Array {
  return tuple(integer(user), binary(body))
}

/** `{subject, User, Body}`, or with another word. */
export function about(subject: number, body: string, word = 'subject'): Uint8Array {
  return tuple(atom(word), integer(subject), binary(body))
}

/** `{Code, Text}`. */
function failure(code: string, text: string): Uint8Array {
  return tuple(atom(code), binary(text))
}

/** What a caller is told whose message was refused. */
export function error(code: string, text: string): Uint8Array {
  return tuple(atom('error'), failure(code, text))
}

/** What a caller is told some of whose messages were refused, each by its place. */
export function partial(
  delivered: number,
  ...bad: readonly (readonly [place: number, code: string, text: string])[]
): Uint8Array {
  const places = bad.map(([place, code, text]) => tuple(integer(place), failure(code, text)))
  return tuple(atom('partial'), integer(delivered), list(...places))
}

/** A message of the handshake with the length before it. */
export function greeted(...messages: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return bytesOf(...messages.flatMap((bytes) => [uint16(bytes.length), bytes]))
}

export const TICK = new Uint8Array(4)
