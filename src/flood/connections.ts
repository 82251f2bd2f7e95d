// What carries the bytes of the streams of one process: two kinds of connections, which behave the
// same. socket-connections.ts has sockets of Bun; descriptor-connections.ts has descriptors.

import type { Blackhole } from '../os/blackhole.ts'
import type { LocalEnds } from './local-ends.ts'
import type { Target } from './plan.ts'
import type { RequestWriter } from './request.ts'

/** Each stream, named by its index, has one connection at most. */
export interface Connections {
  /** Connects and sends the request. What becomes of it is reported later. */
  begin(index: number): void
  /** Sends a few bytes more. */
  send(index: number, bytes: Uint8Array): void
  /** Reads no more, so that the server cannot send either. */
  pause(index: number): void
  /** Drops all that arrives from now on, in the kernel; returns whether the kernel does it. */
  blackhole(index: number): boolean
  /** Closes; nothing more is reported. Does nothing where there is no connection. */
  close(index: number): void
  /** Closes what the connections share. None of them is open. */
  stop(): void
}

export interface ConnectionListener {
  /** Hot path: the bytes before `end` have arrived; they are valid during the call. */
  onBytes(index: number, bytes: Uint8Array, end: number): void
  /** The connection has failed or ended, and is closed; `kind` says why. */
  onEnd(index: number, kind: string): void
  /** Milliseconds until the listener needs the event loop. */
  idleMs(): number
}

export interface ConnectionsOptions {
  /** Streams of this process. */
  readonly count: number
  readonly server: Pick<Target, 'address' | 'port' | 'tls'>
  /** Null where the kernel chooses. */
  readonly sources: LocalEnds | null
  readonly requests: RequestWriter
  /** Null where no connection is to vanish, or the kernel cannot do it. */
  readonly blackhole: Blackhole | null
  readonly listener: ConnectionListener
}

/** The kind of a connection that failed with an error code, or that could not be made at all. */
export function failureKind(code: string): string {
  return FAILURE_KINDS[code] ?? 'connect_failed'
}

const FAILURE_KINDS: Record<string, string> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ETIMEDOUT: 'connect_timeout',
  EADDRNOTAVAIL: 'local_address_not_available',
  EADDRINUSE: 'local_ports_in_use',
  EMFILE: 'too_many_open_files',
  ENETUNREACH: 'unreachable',
  EHOSTUNREACH: 'unreachable',
}

/** Errors for a local end in use; the second also for an address of another machine. */
export const BUSY_CODES: ReadonlySet<string> = new Set(['EADDRINUSE', 'EADDRNOTAVAIL'])

/** Bits of a stream's index in a token. */
const INDEX_BITS = 24
const INDEX_MASK = 2 ** INDEX_BITS - 1

/** Streams of one process at most. */
const STREAMS_MAX = 2 ** INDEX_BITS

/**
 * Tells the connections of a stream apart: what the last one has left in a queue must not be taken
 * for an event of the next one. A token is the stream's index and the number of its connection.
 */
export class Tokens {
  readonly #tokens: Uint32Array

  constructor(count: number) {
    if (count > STREAMS_MAX) throw new RangeError(`${count} streams in one process`)
    this.#tokens = new Uint32Array(count)
    for (let index = 0; index < count; index++) this.#tokens[index] = index
  }

  current(index: number): number {
    return this.#tokens[index] as number
  }

  /** The token of the stream's next connection; the last one is not valid any more. */
  renew(index: number): number {
    const token = (this.current(index) + STREAMS_MAX) >>> 0
    this.#tokens[index] = token
    return token
  }

  indexOf(token: number): number {
    return token & INDEX_MASK
  }

  isValid(token: number): boolean {
    return this.#tokens[token & INDEX_MASK] === token
  }
}
