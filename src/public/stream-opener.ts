// Opens the streams of the public port: gives each a place in the store, and the connection of its
// request, on a descriptor or on a socket of Bun.

import type { Exchange, Socket } from '../http/exchange.ts'
import {
  CHUNKED,
  encodeChunk,
  LAST_CHUNK,
  type Reply,
  responseHead,
  UNTIL_CLOSE,
} from '../http/response.ts'
import type { EndReason } from '../hub/refusals.ts'
import type { StreamStore } from '../hub/store.ts'
import {
  type BegunStream,
  type StreamBeginning,
  type StreamEnd,
  type StreamFrom,
  type StreamInput,
  type StreamKind,
  type StreamRegistry,
  type StreamTerms,
  UNLIMITED,
  type Wire,
} from '../hub/stream.ts'
import type { CorsHeaders } from './cors.ts'
import type { DescriptorWire } from './descriptor-wire.ts'
import { SocketWire, UNHELD } from './socket-wire.ts'
import { NO_BYTES, type Transport, type TransportBeginning } from './transport.ts'

export interface StreamOptions {
  readonly store: StreamStore
  /** The store itself, if the router is in this process. */
  readonly registry: StreamRegistry
  /** Null if streams stay on sockets of Bun. */
  readonly descriptors: DescriptorWire | null
  /** A stream has ended, and its socket is open until the client has taken the rest. */
  readonly onEnding: (socket: Socket) => void
}

/** Opens the streams of a transport. Hot paths: once a stream. */
export interface StreamOpener {
  /** Opens the stream of a user on the connection of a request that was admitted. */
  open(user: number, exchange: Exchange, request: OpenRequest): void
  /**
   * The same on a connection that Bun does not have. False if that is not possible; then the
   * connection is as it was.
   */
  openOn(user: number, minor: 0 | 1, descriptor: number, request: OpenOnRequest): boolean
}

export interface OpenOnRequest {
  readonly cors: CorsHeaders | null
  readonly from: StreamFrom
  /** What this stream alone begins with, of a transport that is an upgrade. */
  readonly head: Uint8Array | null
}

export interface OpenRequest extends OpenOnRequest {
  readonly terms: StreamTerms
}

/**
 * How the streams of a transport are opened.
 *
 * @param input reads what their clients send; null if that is nothing
 */
export function streamOpener(
  options: StreamOptions,
  transport: Transport,
  input: StreamInput | null = null,
): StreamOpener {
  const { store, registry, descriptors } = options
  const sockets = new SocketWire(store, options.onEnding)
  const onSockets = new Kinds(sockets, transport, input)
  const fromOf = (from: StreamFrom) => (transport.hasCursor ? from : null)
  const onDescriptors = descriptors === null ? onSockets : new Kinds(descriptors, transport, input)
  const onOpen = (slot: number, readable: StreamTerms['readable']) => {
    if (input === null) return
    input.onOpen(slot, readable)
    descriptors?.onReader()
  }
  return {
    open(user, exchange, { terms, cors, from, head }) {
      const { minor } = exchange.head
      const socket = exchange.takeOver(UNHELD)
      const slot = store.reserve(user, terms)
      if (descriptors?.adopt(slot, socket) === true)
        store.connect(slot, onDescriptors.of(minor, cors), head)
      else {
        sockets.attach(slot, socket)
        store.connect(slot, onSockets.of(minor, cors), head)
      }
      onOpen(slot, terms.readable)
      registry.register(slot, fromOf(from))
    },
    openOn(user, minor, descriptor, { cors, from, head }) {
      if (descriptors === null) return false
      const slot = store.reserve(user, UNLIMITED)
      // First: the store closes a stream by what it knows of its kind.
      store.connect(slot, onDescriptors.of(minor, cors), head)
      if (!descriptors.add(slot, descriptor)) {
        store.onClose(slot)
        store.forget(slot)
        return false
      }
      onOpen(slot, UNLIMITED.readable)
      registry.register(slot, fromOf(from))
      return true
    },
  }
}

/** By the minor version of HTTP: 1.0 has no chunks, so its streams end with their connection. */
type KindPair = readonly [StreamKind, StreamKind]

/** The kinds of streams that one wire carries: also by the page that a stream is for. */
class Kinds {
  readonly #make: (cors: CorsHeaders | null) => KindPair
  readonly #plain: KindPair
  /** There are as many as origins that pages of which may open streams. */
  readonly #byPage = new WeakMap<CorsHeaders, KindPair>()

  constructor(wire: Wire, transport: Transport, input: StreamInput | null) {
    this.#make = (cors) => {
      if (transport.isUpgrade === true) {
        const kind = { ...kindOf(wire, transport, {}, false), input }
        return [kind, kind]
      }
      const headers = cors === null ? transport.headers : { ...transport.headers, ...cors }
      return [kindOf(wire, transport, headers, false), kindOf(wire, transport, headers, true)]
    }
    this.#plain = this.#make(null)
  }

  /** Hot path: once a stream. */
  of(minor: 0 | 1, cors: CorsHeaders | null): StreamKind {
    return (cors === null ? this.#plain : this.#for(cors))[minor]
  }

  #for(cors: CorsHeaders): KindPair {
    let pair = this.#byPage.get(cors)
    if (pair === undefined) {
      pair = this.#make(cors)
      this.#byPage.set(cors, pair)
    }
    return pair
  }
}

function kindOf(
  wire: Wire,
  transport: Transport,
  headers: Readonly<Record<string, string>>,
  isChunked: boolean,
): StreamKind {
  const opening = transport.isUpgrade === true ? null : new Opening(headers, isChunked)
  const endings = new Map<EndReason, Uint8Array>()
  const endingOf = (end: StreamEnd) => {
    const bytes = transport.ending(end, isChunked)
    return isChunked ? Buffer.concat([bytes, LAST_CHUNK]) : bytes
  }
  const refused = (reply: Reply): string => {
    const context = { isHead: false, keepAlive: false, minor: 1 } as const
    const framing = isChunked ? CHUNKED : UNTIL_CLOSE
    return responseHead({ ...reply, headers: { ...headers, ...reply.headers } }, framing, context)
  }
  const begunBy =
    (begin: (of: StreamBeginning) => TransportBeginning, opening: Opening) =>
    (_: number, of: StreamBeginning): BegunStream => {
      const { bytes, refusal, isOver } = begin(of)
      const body = refusal === null ? bytes : Buffer.from(refusal.body ?? NO_BYTES)
      const content = isChunked && body.length > 0 ? encodeChunk(body) : body
      if (refusal === null) {
        const isLong = content.length > OPENING_BYTES_KEPT
        return { bytes: isLong ? opening.withFields({}, content) : opening.before(content), isOver }
      }
      return { bytes: Buffer.concat([Buffer.from(refused(refusal), 'latin1'), content]), isOver }
    }
  return {
    wire,
    ...(transport.begin !== undefined &&
      opening !== null && { begin: begunBy(transport.begin, opening) }),
    input: null,
    hasCursor: transport.hasCursor,
    tellsGaps: transport.tellsGaps,
    opening: (user, start) => {
      const greeting = transport.greeting(user, isChunked, start)
      if (opening === null) return greeting
      return transport.headersOf === undefined || start === null
        ? opening.before(greeting)
        : opening.withFields(transport.headersOf(start), greeting)
    },
    encode: (frame) => transport.encode(frame, isChunked),
    heartbeat: transport.heartbeat(isChunked),
    ending: (end) => {
      if (end.note !== null) return endingOf(end)
      let bytes = endings.get(end.reason)
      if (bytes === undefined) {
        bytes = endingOf(end)
        endings.set(end.reason, bytes)
      }
      return bytes
    },
  }
}

/** A longer one is made anew each time. */
const OPENING_BYTES_KEPT = 4_096

/** What streams begin with: a response head, which is the same for a second, and a greeting. */
class Opening {
  readonly #headers: Readonly<Record<string, string>>
  readonly #isChunked: boolean
  #bytes = new Uint8Array(0)
  #headLength = 0
  #second = 0

  constructor(headers: Readonly<Record<string, string>>, isChunked: boolean) {
    this.#headers = headers
    this.#isChunked = isChunked
  }

  /** Valid until the next call. Hot path: once a stream. */
  before(greeting: Uint8Array): Uint8Array {
    // That of its date.
    const second = Math.floor(Date.now() / 1_000)
    if (second !== this.#second || this.#headLength + greeting.length > this.#bytes.length) {
      this.#second = second
      this.#renew(greeting.length)
    }
    this.#bytes.set(greeting, this.#headLength)
    return this.#bytes.subarray(0, this.#headLength + greeting.length)
  }

  /** The same with fields that are of one stream alone. */
  withFields(fields: Readonly<Record<string, string>>, greeting: Uint8Array): Uint8Array {
    const head = Buffer.from(this.#head({ ...this.#headers, ...fields }), 'latin1')
    return Buffer.concat([head, greeting])
  }

  #head(headers: Readonly<Record<string, string>>): string {
    const context = { isHead: false, keepAlive: this.#isChunked, minor: 1 } as const
    const framing = this.#isChunked ? CHUNKED : UNTIL_CLOSE
    return responseHead({ status: 200, headers }, framing, context)
  }

  #renew(greetingLength: number): void {
    const head = this.#head(this.#headers)
    this.#headLength = head.length
    this.#bytes = new Uint8Array(head.length + 2 * greetingLength)
    Buffer.from(this.#bytes.buffer).write(head, 'latin1')
  }
}
