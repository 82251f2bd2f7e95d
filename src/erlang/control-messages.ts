// The control messages of the distribution protocol (ERTS User's Guide, "Protocol between Connected
// Nodes"): those that comet handles, and those that it sends.

import type { TermReader } from './term-reader.ts'
import { TAG } from './term-scanner.ts'
import type { TermWriter } from './term-writer.ts'

export type Operation =
  | 'sendToName'
  | 'sendToProcess'
  | 'link'
  | 'unlink'
  | 'unlinkId'
  | 'exit'
  | 'monitor'
  | 'demonitor'

/** What comet handles, by number, with the arity of the tuple. Those for tracing have a token
 * more. */
const HANDLED: ReadonlyMap<number, readonly [operation: Operation, arity: number]> = new Map([
  [1, ['link', 3]], // LINK
  [2, ['sendToProcess', 3]], // SEND
  [3, ['exit', 4]], // EXIT
  [4, ['unlink', 3]], // UNLINK, obsolete
  [6, ['sendToName', 4]], // REG_SEND
  [12, ['sendToProcess', 4]], // SEND_TT
  [13, ['exit', 5]], // EXIT_TT
  [16, ['sendToName', 5]], // REG_SEND_TT
  [19, ['monitor', 4]], // MONITOR_P
  [20, ['demonitor', 4]], // DEMONITOR_P
  [22, ['sendToProcess', 3]], // SEND_SENDER
  [23, ['sendToProcess', 4]], // SEND_SENDER_TT
  [35, ['unlinkId', 4]], // UNLINK_ID
])

/** What comet sends. */
const SEND = 2
const EXIT = 3
const MONITOR_P_EXIT = 21
const ALIAS_SEND = 33
const UNLINK_ID_ACK = 36

/**
 * Reads the operation of a control message and stops before its first argument. Hot path: once per
 * message.
 *
 * @returns null for operations that comet ignores
 */
export function readOperation(reader: TermReader): Operation | null {
  const arity = reader.tuple()
  if (arity < 1 || reader.kind !== 'integer') return null
  const handled = HANDLED.get(reader.integer())
  return handled?.[1] === arity ? handled[0] : null
}

export function isPid(tag: number | undefined): boolean {
  return tag === TAG.newPid || tag === TAG.pid
}

/** Marks a packet without a distribution header, as nodes send it without an atom cache. */
export const PASS_THROUGH = 112

const LENGTH_BYTES = 4

/** Writes one packet with its length in front. */
export function writePacket(writer: TermWriter, write: (writer: TermWriter) => void): void {
  const at = writer.length
  writer.appendUint32(0).appendByte(PASS_THROUGH)
  write(writer)
  writer.setUint32(at, writer.length - at - LENGTH_BYTES)
}

/** Sends to a process; the message follows. */
export function writeSend(writer: TermWriter, to: Uint8Array): void {
  // The empty atom stands where the cookie once was.
  writer.version().tuple(3).integer(SEND).atom('').append(to).version()
}

/** Sends to an alias, which is inactive once its process no longer waits; the message follows. */
export function writeAliasSend(writer: TermWriter, from: Uint8Array, alias: Uint8Array): void {
  writer.version().tuple(3).integer(ALIAS_SEND).append(from).append(alias).version()
}

/** A monitor or a link from a process of another node, each part as a term. */
export interface Monitor {
  readonly from: Uint8Array
  /** The process or registered name that it is on. */
  readonly to: Uint8Array
  /** Null for a link. */
  readonly reference: Uint8Array | null
}

/** Reports that the process or name does not exist, or no longer does. */
export function writeExit(writer: TermWriter, monitor: Monitor, reason: string): void {
  const { from, to, reference } = monitor
  if (reference === null) writer.version().tuple(4).integer(EXIT).append(to).append(from)
  else {
    writer.version().tuple(5).integer(MONITOR_P_EXIT)
    writer.append(to).append(from).append(reference)
  }
  writer.atom(reason)
}

/** Acknowledges that a link is removed on this side too. */
export function writeUnlinkAck(
  writer: TermWriter,
  { id, from, to }: { id: Uint8Array; from: Uint8Array; to: Uint8Array },
): void {
  writer.version().tuple(4).integer(UNLINK_ID_ACK).append(id).append(to).append(from)
}
