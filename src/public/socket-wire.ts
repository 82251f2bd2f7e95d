// The connections of streams that stay sockets of Bun: with TLS, on Unix sockets, and on systems
// other than Linux.

import { copyOf } from '../core/bytes.ts'
import { streamLimits, wireLimits } from '../core/limits.ts'
import type { Socket, SocketHolder } from '../http/exchange.ts'
import type { Wire, WireOwner } from '../hub/stream.ts'
import { descriptorOf } from '../os/bun-socket.ts'

/** Holds a socket of Bun that no stream holds, or not yet. */
export const UNHELD: SocketHolder = {
  onData: () => undefined,
  onDrain: () => undefined,
  onEnd: () => undefined,
  onClose: () => undefined,
}

/** What the client of a stream that reads has sent, beyond what one turn of the loop reads. */
interface Unread {
  readonly socket: Socket
  bytes: Uint8Array
  /** Does the client send no more? */
  isAll: boolean
}

export class SocketWire implements Wire {
  readonly owner: WireOwner
  readonly #onEnding: (socket: Socket) => void
  /** By slot. */
  readonly #sockets: (Socket | null)[] = []
  /** By slot, of the few clients that send anything. */
  readonly #dropped = new Map<number, number>()
  /** By slot, of those that are paused. */
  readonly #unread = new Map<number, Unread>()
  /** Bytes that may still be read until all others have had a turn. */
  #readable: number = wireLimits.receivedBytesPerTurn
  #isReadingLater = false

  /** @param onEnding the socket of a stream that has ended is open until the rest is sent */
  constructor(owner: WireOwner, onEnding: (socket: Socket) => void) {
    this.owner = owner
    this.#onEnding = onEnding
  }

  /** From now on the connection is that of the stream. */
  attach(slot: number, socket: Socket): void {
    while (this.#sockets.length <= slot) this.#sockets.push(null)
    this.#sockets[slot] = socket
    socket.data = new HeldSocket(this, slot)
  }

  /** Hot path: once a delivery. */
  write(slot: number, bytes: Uint8Array, length: number): number {
    const socket = this.#sockets[slot]
    if (socket === null || socket === undefined) return -1
    const taken = socket.write(bytes, 0, length)
    // Bun may have reported before that it closed the socket, or may still do.
    if (taken < 0) queueMicrotask(() => socket.data.onClose())
    return taken
  }

  end(slot: number): void {
    this.#sockets[slot]?.end()
  }

  halfClose(slot: number): void {
    this.#sockets[slot]?.shutdown()
  }

  cut(slot: number): void {
    this.#sockets[slot]?.terminate()
  }

  descriptorOf(slot: number): number {
    return descriptorOf(this.#sockets[slot]) ?? 0
  }

  onEnding(slot: number): void {
    const socket = this.#sockets[slot]
    if (socket !== null && socket !== undefined) this.#onEnding(socket)
  }

  /** The client has sent bytes on its open stream. */
  onData(slot: number, bytes: Uint8Array): void {
    const { owner } = this
    if (owner.readers > 0 && owner.reads(slot)) this.#read(slot, bytes)
    else this.#drop(slot, bytes.length)
  }

  /** They have no meaning. */
  #drop(slot: number, bytes: number): void {
    const dropped = (this.#dropped.get(slot) ?? 0) + bytes
    this.#dropped.set(slot, dropped)
    if (dropped > streamLimits.droppedBytesMax) this.cut(slot)
  }

  /** Passes on as much as may be read in this turn; the client has to wait with the rest. */
  #read(slot: number, bytes: Uint8Array): void {
    const unread = this.#unread.get(slot)
    if (unread !== undefined) {
      // It came before the socket was paused.
      unread.bytes = Buffer.concat([unread.bytes, bytes])
      if (unread.bytes.length > streamLimits.droppedBytesMax) this.cut(slot)
      return
    }
    const socket = this.#sockets[slot]
    const read = this.#pass(slot, bytes)
    if (read === bytes.length || socket === null || socket === undefined) return
    if (this.#sockets[slot] !== socket) return
    this.#unread.set(slot, { socket, bytes: copyOf(bytes, read, bytes.length), isAll: false })
    socket.pause()
    this.#readLater()
  }

  /** Answers how many of the bytes were read. */
  #pass(slot: number, bytes: Uint8Array): number {
    const read = Math.min(bytes.length, this.#readable)
    this.#readable -= read
    if (this.#readable === 0) this.#readLater()
    if (read > 0) this.owner.onData(slot, bytes.subarray(0, read))
    return read
  }

  #readLater(): void {
    if (this.#isReadingLater) return
    this.#isReadingLater = true
    setImmediate(() => this.#readRest())
  }

  #readRest(): void {
    this.#isReadingLater = false
    this.#readable = wireLimits.receivedBytesPerTurn
    for (const [slot, unread] of [...this.#unread]) {
      if (this.#readable === 0) return
      // Closed meanwhile.
      if (this.#unread.get(slot) !== unread) continue
      // The last one now, so that others have their turn.
      this.#unread.delete(slot)
      const read = this.#pass(slot, unread.bytes)
      if (this.#sockets[slot] !== unread.socket) continue
      if (read < unread.bytes.length) {
        unread.bytes = unread.bytes.subarray(read)
        this.#unread.set(slot, unread)
        continue
      }
      unread.socket.resume()
      if (unread.isAll) this.owner.onEnd(slot)
    }
  }

  onEnd(slot: number): void {
    const unread = this.#unread.get(slot)
    if (unread === undefined) this.owner.onEnd(slot)
    else unread.isAll = true
  }

  onClose(slot: number): void {
    this.#sockets[slot] = null
    this.#dropped.delete(slot)
    this.#unread.delete(slot)
    this.owner.onClose(slot)
  }
}

/** What Bun keeps with the socket of a stream. */
class HeldSocket implements SocketHolder {
  readonly #wire: SocketWire
  /** 0 once the connection is closed. */
  #slot: number

  constructor(wire: SocketWire, slot: number) {
    this.#wire = wire
    this.#slot = slot
  }

  onData(bytes: Uint8Array): void {
    if (this.#slot !== 0) this.#wire.onData(this.#slot, bytes)
  }

  onDrain(): void {
    if (this.#slot !== 0) this.#wire.owner.onDrain(this.#slot)
  }

  onEnd(): void {
    if (this.#slot !== 0) this.#wire.onEnd(this.#slot)
  }

  onClose(): void {
    const slot = this.#slot
    this.#slot = 0
    if (slot !== 0) this.#wire.onClose(slot)
  }
}
