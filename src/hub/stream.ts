// What the store and the public port tell each other about a stream. A stream is a slot: a number
// from 1 on, at which tables of both have what they know of it; it is used again once the stream
// has ended and its connection is closed.

import type { Cursor } from '../core/cursor.ts'
import type { GapReason } from '../log/message-log.ts'
import type { Frame } from './frame.ts'
import type { CloseReason, EndReason } from './refusals.ts'
import type { SubjectsChange } from './subject-changes.ts'

/** What carries the bytes of streams; all streams with the same kind of connection share one. */
export interface Wire {
  /**
   * Hot path: one system call.
   *
   * @param length of the bytes that are to be sent, the first ones
   * @returns how many of them were taken, and −1 when the client has gone. After less than all of
   *   them `onDrain` is called once there is room for more.
   */
  write(slot: number, bytes: Uint8Array, length: number): number
  /** Closes the connection properly: the client gets all that was taken, and then the end. */
  end(slot: number): void
  /**
   * Sends the end behind all that was taken, and leaves the connection open: `onEnd` is called when
   * the client sends no more. A connection that is closed while bytes come is reset, and the client
   * may lose what it has not read.
   */
  halfClose(slot: number): void
  /** Resets the connection, and frees what was taken and not sent. */
  cut(slot: number): void
  /** The file descriptor of the connection; 0 if it is closed. */
  descriptorOf(slot: number): number
  /** The stream has ended; its connection is open until the client has taken the rest. */
  onEnding(slot: number): void
}

/** A wire reports to it what happens to its connections. */
export interface WireOwner {
  /** There is room to write again. Never called during a write. */
  onDrain(slot: number): void
  /** The client sends no more; all that it sent to a stream that reads was passed on before. */
  onEnd(slot: number): void
  /**
   * The connection is closed, or is no longer the stream's. The last call for every connection,
   * exactly once.
   *
   * @param reason why the stream ends, if it was open; `client` if it is left out
   */
  onClose(slot: number, reason?: CloseReason): void
  /** Streams that read what their clients send. */
  readonly readers: number
  /** Does the stream read? What the client of any other one sends is dropped. */
  reads(slot: number): boolean
  /**
   * Bytes that the client of a stream that reads has sent.
   *
   * @param bytes valid during the call
   */
  onData(slot: number, bytes: Uint8Array): void
}

/** Of a wire that no store has yet. */
export const NO_OWNER: WireOwner = {
  onDrain: () => undefined,
  onEnd: () => undefined,
  onClose: () => undefined,
  readers: 0,
  reads: () => false,
  onData: () => undefined,
}

/** What reads the bytes that the clients of some kind of streams send. */
export interface StreamInput {
  /**
   * A stream has its connection.
   *
   * @param readable see {@link StreamTerms}
   */
  onOpen(slot: number, readable: readonly string[] | null): void
  /** @param bytes valid during the call */
  onData(slot: number, bytes: Uint8Array): void
  /** Of a stream that ends: does its client say by these bytes that it sends nothing more? */
  isEnd(slot: number, bytes: Uint8Array): boolean
  /** The connection is closed. */
  onClose(slot: number): void
}

/** What many streams have in common: the wire, and what their bytes look like. */
export interface StreamKind {
  readonly wire: Wire
  /** Null if nothing is expected of their clients. */
  readonly input: StreamInput | null
  /** Can their clients come back behind their last message? */
  readonly hasCursor: boolean
  /** Can they be told of a gap while their streams are open? */
  readonly tellsGaps: boolean
  /**
   * The bytes before all messages, valid until the next call.
   *
   * @param start null for a kind whose clients are not told where they are in the log
   */
  opening(user: number, start: StreamStart | null): Uint8Array
  /** All that a stream begins with, for a kind that does not say it message by message. */
  readonly begin?: (slot: number, beginning: StreamBeginning) => BegunStream
  /** The bytes of one message. Hot path: once a delivery, so what it makes it keeps on a frame. */
  encode(frame: Frame): Uint8Array
  /** The bytes of a sign of life; may be empty. */
  readonly heartbeat: Uint8Array
  /** The bytes behind all messages when the stream ends properly; may be empty. */
  ending(end: StreamEnd): Uint8Array
}

export interface BegunStream {
  readonly bytes: Uint8Array
  /** Does the stream end with them? */
  readonly isOver: boolean
}

/**
 * Where in the log a client wants its stream to begin: with the next message, with the oldest one
 * that is kept, behind the last one that it had, or with the newest so many. A page begins behind
 * the last one, too, or with the oldest one for null; and has as many as fit, if they are too many.
 */
export type StreamFrom =
  | 'live'
  | 'oldest'
  | { readonly after: Cursor }
  | { readonly last: number }
  | { readonly page: Cursor | null }

/** What a client has missed and does not get. */
export interface Gap {
  /** Where it was, as it said. */
  readonly after: Cursor
  readonly reason: GapReason
}

/** Where a stream begins. */
export interface StreamStart {
  /** Its client has everything up to here, or it was told of the gap. */
  readonly cursor: Cursor
  readonly gap: Gap | null
}

/** What a stream begins with. */
export interface StreamBeginning {
  readonly start: StreamStart
  /** What its client has missed, in order. */
  readonly missed: readonly Frame[]
  /** Up to where the client then has everything: the log's last entry, */
  readonly upTo: Cursor
  /** unless this is a page, and others come behind it. */
  readonly isAll: boolean
}

/** Why a stream ends properly. */
export interface StreamEnd {
  readonly reason: EndReason
  /** What an operator says of it; null for nothing. */
  readonly note: string | null
}

export const DRAINED: StreamEnd = { reason: 'drained', note: null }
export const EXPIRED: StreamEnd = { reason: 'expired', note: null }
export const ANSWERED: StreamEnd = { reason: 'answered', note: null }

/** What counts towards a limit as long as the stream is there. */
export interface Lease {
  /** Called once, when the stream ends or fails to open. */
  release(): void
}

/** What a stream was admitted with. */
export interface StreamTerms {
  /** Null if it counts towards no limit. */
  readonly lease: Lease | null
  /** When it is to end, in seconds since 1970; 0 for never. */
  readonly expiresAtSeconds: number
  /** What it follows beside what its user does, each once. */
  readonly subjects: readonly number[]
  /** Patterns of what it may follow; null for everything. */
  readonly readable: readonly string[] | null
}

export const UNLIMITED: StreamTerms = {
  ...{ lease: null, expiresAtSeconds: 0, subjects: [], readable: null },
}

/**
 * Where the public port brings its streams. The store is one, when the router is in the same
 * process; in a worker a stream waits first until the router knows of it.
 */
export interface StreamRegistry {
  /**
   * Takes a new stream, whose connection is ready. It is welcomed once the router knows of it, now
   * or a moment later; so a client that has read its welcome gets everything that is published from
   * then on.
   *
   * @param from null for a stream that is not told where it is in the log
   */
  register(slot: number, from: StreamFrom | null): void
  /** Does what the client of an open stream asks for. */
  change(change: SubjectsChange): void
  /** Ends the streams that wait to be opened, properly and without a welcome. */
  drain(): void
}
