// Packets as a node sends them, built byte by byte from OTP's documentation and without comet's own
// writer. The nodes and processes are those of the recording.

import { NODE_A, NODE_B } from './recorded.fixture.ts'
import {
  atomOf,
  binaryOf,
  bytesOf,
  integerOf,
  listOf,
  NIL,
  tupleOf,
  uint16,
  uint32,
} from './terms.fixture.ts'

export function fromHex(hex: string): Uint8Array {
  return Uint8Array.fromHex(hex)
}

export function list(...terms: readonly Uint8Array[]): Uint8Array {
  return terms.length === 0 ? NIL : listOf(terms)
}

/** `[Head | Tail]`. */
export function cons(head: Uint8Array, tail: Uint8Array): Uint8Array {
  return listOf([head], tail)
}

export function pid(node: string, id: number): Uint8Array {
  return bytesOf(88, atomOf(node), uint32(id), uint32(0), uint32(0xe389ab61))
}

/** A recorded process of node B. */
export function recordedPid(id: number): Uint8Array {
  return bytesOf(88, atomOf(NODE_B), uint32(id), uint32(0), uint32(0xe389ab62))
}

/** A reference, which may be an alias. */
export function reference(id: number): Uint8Array {
  return bytesOf(90, uint16(3), atomOf(NODE_A), uint32(0xe389ab61), ...[7, 8, id].map(uint32))
}

/** The process that calls. */
export const CALLER = pid(NODE_A, 0x55)
/** Comet's own process, unless a test uses a recorded one. */
export const OWN = pid(NODE_B, 1)
export const ALIAS = reference(1)
/** The tag of a call by `gen_server:call/2`. */
export const CALL_TAG = cons(atomOf('alias'), ALIAS)

/** A packet without its length. */
export function packet(control: Uint8Array, message?: Uint8Array): Uint8Array {
  return message === undefined
    ? bytesOf(112, 131, control)
    : bytesOf(112, 131, control, 131, message)
}

/** A message to a registered name. */
export function toName(message: Uint8Array, name = 'comet'): Uint8Array {
  return packet(tupleOf(integerOf(6), CALLER, atomOf(''), atomOf(name)), message)
}

/** A call by `gen_server:call/2`. */
export function call(request: Uint8Array, tag: Uint8Array = CALL_TAG): Uint8Array {
  return toName(tupleOf(atomOf('$gen_call'), tupleOf(CALLER, tag), request))
}

/** The reply to a call, to the alias of its tag. */
export function reply(value: Uint8Array, { tag = CALL_TAG, alias = ALIAS, own = OWN } = {}) {
  return packet(tupleOf(integerOf(33), own, alias), tupleOf(tag, value))
}

export function ok(delivered: number): Uint8Array {
  return tupleOf(atomOf('ok'), integerOf(delivered))
}

/** With the length in front, as on the wire. */
export function framed(...packets: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return bytesOf(...packets.flatMap((bytes) => [uint32(bytes.length), bytes]))
}

/** Splits bytes into whole packets without their lengths. Ticks are empty ones. */
export function unframed(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const packets: Uint8Array[] = []
  for (let at = 0; at + 4 <= bytes.length; ) {
    const end = at + 4 + view.getUint32(at)
    if (end > bytes.length) break
    packets.push(bytes.slice(at + 4, end))
    at = end
  }
  return packets
}

/** `{User, Body}`. */
export function message(user: number, body = 'x'): Uint8Array {
  return tupleOf(integerOf(user), binaryOf(body))
}

/** `{subject, User, Body}`. */
export function about(subject: number, body: string, word = 'subject'): Uint8Array {
  return tupleOf(atomOf(word), integerOf(subject), binaryOf(body))
}

/** `{Code, Text}`. */
function failure(code: string, text: string): Uint8Array {
  return tupleOf(atomOf(code), binaryOf(text))
}

/** The reply to a call whose message was refused. */
export function error(code: string, text: string): Uint8Array {
  return tupleOf(atomOf('error'), failure(code, text))
}

/** The reply to a call with a batch of which some messages were refused. */
export function partial(
  delivered: number,
  ...refused: readonly (readonly [place: number, code: string, text: string])[]
): Uint8Array {
  const places = refused.map(([place, code, text]) =>
    tupleOf(integerOf(place), failure(code, text)),
  )
  return tupleOf(atomOf('partial'), integerOf(delivered), list(...places))
}

/** Handshake messages with the length in front. */
export function handshakeFramed(...messages: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return bytesOf(...messages.flatMap((bytes) => [uint16(bytes.length), bytes]))
}

export const TICK = new Uint8Array(4)
