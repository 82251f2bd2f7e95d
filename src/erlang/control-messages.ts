// The control messages of the distribution protocol (ERTS User's Guide, "Protocol between Connected
// Nodes"): those that comet handles, and those that it sends.

import type { TermReader } from './term-reader.ts'
import { TAG } from './term-scanner.ts'
import type { TermWriter } from './term-writer.ts'

/** The numbers of control messages. */
const OPERATION = {
  link: 1,
  send: 2,
  exit: 3,
  unlink: 4,
  regSend: 6,
  sendTt: 12,
  exitTt: 13,
  regSendTt: 16,
  monitorP: 19,
  demonitorP: 20,
  monitorPExit: 21,
  sendSender: 22,
  sendSenderTt: 23,
  aliasSend: 33,
  unlinkId: 35,
  unlinkIdAck: 36,
} as const

export type Operation =
  | 'sendToName'
  | 'sendToProcess'
  | 'link'
  | 'unlink'
  | 'unlinkId'
  | 'exit'
  | 'monitor'
  | 'demonitor'

/** What comet handles, by number, and the arity of the tuple. `Tt` variants have a trace token more. */
const HANDLED: ReadonlyMap<number, { readonly operation: Operation; readonly arity: number }> =
  new Map([
    [OPERATION.link, { operation: 'link', arity: 3 }],
    [OPERATION.send, { operation: 'sendToProcess', arity: 3 }],
    [OPERATION.exit, { operation: 'exit', arity: 4 }],
    [OPERATION.unlink, { operation: 'unlink', arity: 3 }],
    [OPERATION.regSend, { operation: 'sendToName', arity: 4 }],
    [OPERATION.sendTt, { operation: 'sendToProcess', arity: 4 }],
    [OPERATION.exitTt, { operation: 'exit', arity: 5 }],
    [OPERATION.regSendTt, { operation: 'sendToName', arity: 5 }],
    [OPERATION.monitorP, { operation: 'monitor', arity: 4 }],
    [OPERATION.demonitorP, { operation: 'demonitor', arity: 4 }],
    [OPERATION.sendSender, { operation: 'sendToProcess', arity: 3 }],
    [OPERATION.sendSenderTt, { operation: 'sendToProcess', arity: 4 }],
    [OPERATION.unlinkId, { operation: 'unlinkId', arity: 4 }],
  ])

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
  return handled === undefined || handled.arity !== arity ? null : handled.operation
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
  writer.version().tuple(3).integer(OPERATION.send).atom('').append(to).version()
}

/** Sends to an alias, which is inactive once its process no longer waits; the message follows. */
export function writeAliasSend(writer: TermWriter, from: Uint8Array, alias: Uint8Array): void {
  writer.version().tuple(3).integer(OPERATION.aliasSend).append(from).append(alias).version()
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
  if (reference === null) writer.version().tuple(4).integer(OPERATION.exit).append(to).append(from)
  else {
    writer.version().tuple(5).integer(OPERATION.monitorPExit)
    writer.append(to).append(from).append(reference)
  }
  writer.atom(reason)
}

/** Acknowledges that a link is removed on this side too. */
export function writeUnlinkAck(
  writer: TermWriter,
  { id, from, to }: { id: Uint8Array; from: Uint8Array; to: Uint8Array },
): void {
  writer.version().tuple(4).integer(OPERATION.unlinkIdAck).append(id).append(to).append(from)
}
