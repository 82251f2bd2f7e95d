// The connections of streams that stay sockets of Bun: with TLS, on Unix sockets, and on systems
// other than Linux.

import { streamLimits } from '../core/limits.ts'
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

export class SocketWire implements Wire {
  readonly owner: WireOwner
  readonly #onEnding: (socket: Socket) => void
  /** By slot. */
  readonly #sockets: (Socket | null)[] = []
  /** By slot, of the few clients that send anything. */
  readonly #dropped = new Map<number, number>()

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

  /** The client has sent bytes on its open stream, which have no meaning. */
  onDropped(slot: number, bytes: number): void {
    const dropped = (this.#dropped.get(slot) ?? 0) + bytes
    this.#dropped.set(slot, dropped)
    if (dropped > streamLimits.droppedBytesMax) this.cut(slot)
  }

  onClose(slot: number): void {
    this.#sockets[slot] = null
    this.#dropped.delete(slot)
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
    if (this.#slot !== 0) this.#wire.onDropped(this.#slot, bytes.length)
  }

  onDrain(): void {
    if (this.#slot !== 0) this.#wire.owner.onDrain(this.#slot)
  }

  onEnd(): void {
    if (this.#slot !== 0) this.#wire.owner.onEnd(this.#slot)
  }

  onClose(): void {
    const slot = this.#slot
    this.#slot = 0
    if (slot !== 0) this.#wire.onClose(slot)
  }
}
