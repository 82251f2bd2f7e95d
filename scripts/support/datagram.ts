// A Unix datagram socket for tests, as the service manager has one; Bun has none of its own. What
// comes on it is kept.

import { dlopen, ptr } from 'bun:ffi'

const AF_UNIX = 1
const SOCK_DGRAM = 2
const MSG_DONTWAIT = 0x40
const BYTES_MAX = 65_536
/** Taken in one call, so that a sender that never pauses does not keep it for ever. */
const TAKEN_MAX = 1_000

const { symbols: c } = dlopen('libc.so.6', {
  socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  bind: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
  recv: { args: ['i32', 'ptr', 'u64', 'i32'], returns: 'i64' },
  close: { args: ['i32'], returns: 'i32' },
})

export class Datagrams implements Disposable {
  readonly #descriptor: number
  readonly #all: string[] = []

  /** @param path of a file that is not there, or a name behind `@` */
  constructor(path: string) {
    this.#descriptor = c.socket(AF_UNIX, SOCK_DGRAM, 0)
    const name = Buffer.from(path)
    const address = new Uint8Array(2 + name.length)
    address[0] = AF_UNIX
    address.set(name, 2)
    if (path.startsWith('@')) address[2] = 0
    if (c.bind(this.#descriptor, ptr(address), address.length) !== 0) {
      throw new Error(`${path} cannot be bound`)
    }
  }

  /** All that has come, in order; the next call goes on where there was too much for one. */
  all(): readonly string[] {
    const bytes = new Uint8Array(BYTES_MAX)
    for (let taken = 0; taken < TAKEN_MAX; taken++) {
      const length = Number(c.recv(this.#descriptor, ptr(bytes), bytes.length, MSG_DONTWAIT))
      if (length < 0) break
      this.#all.push(Buffer.from(bytes.subarray(0, length)).toString())
    }
    return this.#all
  }

  [Symbol.dispose](): void {
    c.close(this.#descriptor)
  }
}
