// The control messages of the distribution protocol: what a packet between nodes asks for ("Protocol
// between Connected Nodes", ERTS User's Guide). Those that comet takes, and those that it sends.

import { TERM_VERSION } from './tags.ts'
import type { TermReader } from './term-reader.ts'
import type { TermWriter } from './term-writer.ts'

/** Each control message by its number, and how many terms its tuple has. */
const OP = {
  link: 1,
  send: 2,
  exit: 3,
  unlink: 4,
  regSend: 6,
  sendTraced: 12,
  exitTraced: 13,
  regSendTraced: 16,
  monitor: 19,
  demonitor: 20,
  monitorExit: 21,
  sendSender: 22,
  sendSenderTraced: 23,
  aliasSend: 33,
  unlinkId: 35,
  unlinkIdAck: 36,
} as const

/** What is asked for, by number; nothing else concerns comet. */
export type Act =
  | 'send to a name'
  | 'send to a process'
  | 'link'
  | 'unlink'
  | 'unlink, acknowledged'
  | 'exit'
  | 'monitor'
  | 'demonitor'

interface Meaning {
  readonly act: Act
  /** Terms of the tuple, the number included. */
  readonly terms: number
}

/** The traced ones have a token more, which is for tools that follow messages through nodes. */
const MEANINGS: ReadonlyMap<number, Meaning> = new Map([
  [OP.link, { act: 'link', terms: 3 }],
  [OP.send, { act: 'send to a process', terms: 3 }],
  [OP.exit, { act: 'exit', terms: 4 }],
  [OP.unlink, { act: 'unlink', terms: 3 }],
  [OP.regSend, { act: 'send to a name', terms: 4 }],
  [OP.sendTraced, { act: 'send to a process', terms: 4 }],
  [OP.exitTraced, { act: 'exit', terms: 5 }],
  [OP.regSendTraced, { act: 'send to a name', terms: 5 }],
  [OP.monitor, { act: 'monitor', terms: 4 }],
  [OP.demonitor, { act: 'demonitor', terms: 4 }],
  [OP.sendSender, { act: 'send to a process', terms: 3 }],
  [OP.sendSenderTraced, { act: 'send to a process', terms: 4 }],
  [OP.unlinkId, { act: 'unlink, acknowledged', terms: 4 }],
])

/**
 * Reads what a control message asks for, and stands before the term behind its number. Hot path: once
 * a message.
 *
 * @returns null for what comet has no part in
 */
export function readAct(reader: TermReader): Act | null {
  const terms = reader.tuple()
  if (terms < 1 || reader.kind !== 'integer') return null
  const meaning = MEANINGS.get(reader.integer())
  return meaning === undefined || meaning.terms !== terms ? null : meaning.act
}

/** Whatever is sent to the name of a process that is not on this node is passed through. */
export const PASS_THROUGH = 112

const LENGTH_BYTES = 4

/** Writes one packet: room for its length, then what `write` does, then the length. */
export function writePacket(writer: TermWriter, write: (writer: TermWriter) => void): void {
  const at = writer.length
  writer.uint32(0).byte(PASS_THROUGH)
  write(writer)
  writer.uint32At(at, writer.length - at - LENGTH_BYTES)
}

/** A message to a process; what it is follows. */
export function writeSend(writer: TermWriter, to: Uint8Array): void {
  // Where the cookie once was, there is an atom without letters.
  writer.version().tuple(3).integer(OP.send).atom('').raw(to).version()
}

/** A message to an alias, which is gone when its process does not want an answer any more. */
export function writeAliasSend(writer: TermWriter, from: Uint8Array, alias: Uint8Array): void {
  writer.version().tuple(3).integer(OP.aliasSend).raw(from).raw(alias).version()
}

/** The process or name that a process monitors is gone, or never was. */
export function writeMonitorExit(
  writer: TermWriter,
  { watched, by, reference }: { watched: Uint8Array; by: Uint8Array; reference: Uint8Array },
  reason: string,
): void {
  writer.version().tuple(5).integer(OP.monitorExit)
  writer.raw(watched).raw(by).raw(reference).atom(reason)
}

/** The same for a link. */
export function writeExit(
  writer: TermWriter,
  { watched, by }: { watched: Uint8Array; by: Uint8Array },
  reason: string,
): void {
  writer.version().tuple(4).integer(OP.exit).raw(watched).raw(by).atom(reason)
}

/** A link is undone on this side too. */
export function writeUnlinked(
  writer: TermWriter,
  { id, watched, by }: { id: Uint8Array; watched: Uint8Array; by: Uint8Array },
): void {
  writer.version().tuple(4).integer(OP.unlinkIdAck).raw(id).raw(watched).raw(by)
}

/** Is this byte what a term that stands alone begins with? */
export function isVersion(byte: number | undefined): boolean {
  return byte === TERM_VERSION
}
