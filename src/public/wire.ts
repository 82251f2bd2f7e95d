// What carries the bytes of streams: for each kind of connection one wire, which all its streams
// share. This file has that of Bun's sockets; descriptor-wire.ts has the other.

import { streamLimits } from '../core/limits.ts'
import type { Socket, SocketHolder } from '../http/exchange.ts'

/** @typeParam Handle what a stream keeps of its connection */
export interface Wire<Handle> {
  /** From now on the owner is told what happens to the connection; `onClose` is the last call. */
  attach(handle: Handle, owner: SocketHolder): void

  /**
   * Hot path: one system call.
   *
   * @returns how many of the bytes were taken, and −1 when the client has gone. After less than all
   *   of them the owner's `onDrain` is called once there is room for more.
   */
  write(handle: Handle, bytes: Uint8Array): number

  /** Closes the connection properly: the client gets all that was taken, and then the end. */
  end(handle: Handle): void

  /** Resets the connection, and frees what was taken and not sent. */
  cut(handle: Handle): void

  /** The stream has ended, and its connection stays open until the client has taken the rest. */
  onEnding(handle: Handle): void

  /** The client has sent bytes on its open stream, which have no meaning. */
  onDropped(handle: Handle, bytes: number): void
}

/** Holds a socket of Bun that no stream holds, or not yet. */
export const UNHELD: SocketHolder = {
  onData: () => undefined,
  onDrain: () => undefined,
  onEnd: () => undefined,
  onClose: () => undefined,
}

/** Sockets of Bun: with TLS, on Unix sockets, and on systems other than Linux. */
export class SocketWire implements Wire<Socket> {
  readonly onEnding: (socket: Socket) => void
  /** Of the few clients that send anything. */
  readonly #dropped = new WeakMap<Socket, number>()

  /** @param onEnding see {@link Wire.onEnding} */
  constructor(onEnding: (socket: Socket) => void) {
    this.onEnding = onEnding
  }

  attach(socket: Socket, owner: SocketHolder): void {
    socket.data = owner
  }

  write(socket: Socket, bytes: Uint8Array): number {
    return socket.write(bytes)
  }

  end(socket: Socket): void {
    socket.end()
  }

  cut(socket: Socket): void {
    socket.terminate()
  }

  onDropped(socket: Socket, bytes: number): void {
    const dropped = (this.#dropped.get(socket) ?? 0) + bytes
    this.#dropped.set(socket, dropped)
    if (dropped > streamLimits.droppedBytesMax) socket.terminate()
  }
}
