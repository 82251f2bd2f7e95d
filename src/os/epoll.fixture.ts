// A kernel for tests of what owns descriptors: sockets, their numbers, and an epoll with edges,
// with a fault for any of the calls. Numbers are used again at once, the lowest first, as in Linux.

import { type DescriptorCalls, EPOLL } from './epoll.ts'
import { ERRNO } from './libc.ts'

/** What becomes of a call: an error, or for `send` at most so many bytes. */
export type Fault = { readonly errno: number } | { readonly bytesMax: number }

type Call = 'duplicate' | 'close' | 'send' | 'drop' | 'receive' | 'shutdown' | 'watch'

/** Of one read: few, so that tests have streams with more. */
export const RECEIVE_BYTES = 16

export class FakeSocket {
  /** All that its peer has got, in order. */
  readonly sent: number[] = []
  /** How the peer sees the connection. */
  ending: 'open' | 'end' | 'reset' = 'open'
  /** Bytes that the kernel still takes. */
  room = Number.MAX_SAFE_INTEGER
  /** What the peer has sent and was not read. */
  unread: Uint8Array = new Uint8Array(0)
  descriptors = 0
  isPeerDone = false
  isGone = false
  isReset = false
}

interface Watched {
  readonly socket: FakeSocket
  readonly generation: number
  readonly mask: number
}

export class FakeKernel implements DescriptorCalls {
  readonly #eventsMax: number
  /** What the next calls meet, one each; those that are not named work. */
  readonly faults: { readonly call: Call; readonly fault: Fault }[] = []
  readonly #open = new Map<number, FakeSocket>()
  readonly #watched = new Map<number, Watched>()
  /** Descriptors with events, and which. */
  readonly #ready = new Map<number, number>()
  #events: { events: number; descriptor: number; generation: number }[] = []
  readonly received = new Uint8Array(RECEIVE_BYTES)

  constructor(eventsMax = 8) {
    this.#eventsMax = eventsMax
  }

  /** A new connection; answers its descriptor. */
  connect(): number {
    return this.#install(new FakeSocket())
  }

  socketOf(descriptor: number): FakeSocket {
    const socket = this.#open.get(descriptor)
    if (socket === undefined) throw new Error(`descriptor ${descriptor} is not open`)
    return socket
  }

  get descriptors(): number {
    return this.#open.size
  }

  /** The events that the socket is watched for. */
  watchedFor(socket: FakeSocket): number {
    return [...this.#watched.values()].find((watched) => watched.socket === socket)?.mask ?? 0
  }

  /** A file that is no socket takes the number, as if a library had closed it by mistake. */
  steal(descriptor: number): void {
    this.#open.delete(descriptor)
    this.#watched.delete(descriptor)
    this.#ready.delete(descriptor)
  }

  /** The peer reads: there is room again. */
  drain(socket: FakeSocket, bytes: number): void {
    socket.room += bytes
    this.#report(socket, EPOLL.out)
  }

  /** The peer sends bytes, or so many. */
  arrive(socket: FakeSocket, bytes: number | Uint8Array): void {
    const more = typeof bytes === 'number' ? new Uint8Array(bytes) : bytes
    socket.unread = new Uint8Array(Buffer.concat([socket.unread, more]))
    this.#report(socket, EPOLL.in)
  }

  /** The peer closes its half. */
  finish(socket: FakeSocket): void {
    socket.isPeerDone = true
    this.#report(socket, EPOLL.in | EPOLL.readHangUp)
  }

  /** The peer has gone. */
  reset(socket: FakeSocket): void {
    socket.isGone = true
    this.#report(socket, EPOLL.in | EPOLL.readHangUp | EPOLL.error | EPOLL.hangUp)
  }

  #install(socket: FakeSocket): number {
    let descriptor = 3
    while (this.#open.has(descriptor)) descriptor++
    this.#open.set(descriptor, socket)
    socket.descriptors++
    return descriptor
  }

  #report(socket: FakeSocket, events: number): void {
    for (const [descriptor, watched] of this.#watched) {
      const told = events & (watched.mask | EPOLL.error | EPOLL.hangUp)
      if (watched.socket !== socket || told === 0) continue
      this.#ready.set(descriptor, (this.#ready.get(descriptor) ?? 0) | told)
    }
  }

  #fault(call: Call): Fault | undefined {
    if (this.faults[0]?.call !== call) return undefined
    return this.faults.shift()?.fault
  }

  #errno(call: Call): number {
    const fault = this.#fault(call)
    return fault !== undefined && 'errno' in fault ? -fault.errno : 0
  }

  duplicate(descriptor: number): number {
    const error = this.#errno('duplicate')
    if (error !== 0) return error
    const socket = this.#open.get(descriptor)
    return socket === undefined ? -ERRNO.EBADF : this.#install(socket)
  }

  close(descriptor: number): number {
    const socket = this.#open.get(descriptor)
    if (socket === undefined) return -ERRNO.EBADF
    this.#open.delete(descriptor)
    this.#watched.delete(descriptor)
    this.#ready.delete(descriptor)
    socket.descriptors--
    if (socket.descriptors === 0 && socket.ending === 'open') {
      socket.ending = socket.isReset || socket.unread.length > 0 ? 'reset' : 'end'
    }
    return this.#errno('close')
  }

  send(descriptor: number, bytes: Uint8Array, length: number): number {
    const socket = this.#open.get(descriptor)
    if (socket === undefined) return -ERRNO.EBADF
    const fault = this.#fault('send')
    if (fault !== undefined && 'errno' in fault) {
      if (fault.errno === ERRNO.EBADF) this.steal(descriptor)
      return -fault.errno
    }
    if (socket.isGone) return -ERRNO.EPIPE
    const taken = Math.min(length, socket.room, fault?.bytesMax ?? length)
    if (taken === 0 && length > 0) return -ERRNO.EAGAIN
    socket.room -= taken
    socket.sent.push(...bytes.subarray(0, taken))
    return taken
  }

  drop(descriptor: number, bytesMax: number): number {
    const error = this.#errno('drop')
    if (error === -ERRNO.EBADF) this.steal(descriptor)
    if (error !== 0) return error
    const socket = this.#open.get(descriptor)
    if (socket === undefined) return -ERRNO.EBADF
    return this.#read(socket, bytesMax).length || (socket.isPeerDone ? 0 : -ERRNO.EAGAIN)
  }

  #read(socket: FakeSocket, bytesMax: number): Uint8Array {
    const read = socket.unread.subarray(0, bytesMax)
    socket.unread = socket.unread.subarray(read.length)
    return read
  }

  receive(descriptor: number): number {
    const fault = this.#fault('receive')
    if (fault !== undefined && 'errno' in fault) {
      if (fault.errno === ERRNO.EBADF) this.steal(descriptor)
      return -fault.errno
    }
    const socket = this.#open.get(descriptor)
    if (socket === undefined) return -ERRNO.EBADF
    if (socket.isGone) return -ERRNO.ECONNRESET
    const read = this.#read(socket, Math.min(this.received.length, fault?.bytesMax ?? Infinity))
    this.received.set(read)
    return read.length || (socket.isPeerDone ? 0 : -ERRNO.EAGAIN)
  }

  shutdown(descriptor: number): number {
    const socket = this.socketOf(descriptor)
    socket.ending = socket.isGone ? 'reset' : 'end'
    return this.#errno('shutdown')
  }

  resetOnClose(descriptor: number): number {
    this.socketOf(descriptor).isReset = true
    return 0
  }

  openEpoll(): number {
    return 2
  }

  watch(_: number, isNew: boolean, descriptor: number, generation: number, mask: number): number {
    const error = this.#errno('watch')
    if (error !== 0) return error
    const socket = this.#open.get(descriptor)
    if (socket === undefined) return -ERRNO.EBADF
    if (isNew === this.#watched.has(descriptor)) throw new Error('watched twice, or not at all')
    this.#watched.set(descriptor, { socket, generation, mask })
    // Edges begin with what is true already.
    if (socket.unread.length > 0) this.#report(socket, EPOLL.in)
    if (socket.isPeerDone) this.#report(socket, EPOLL.in | EPOLL.readHangUp)
    if (socket.isGone) this.#report(socket, EPOLL.error | EPOLL.hangUp)
    if (socket.room > 0) this.#report(socket, EPOLL.out)
    return 0
  }

  wait(): number {
    this.#events = []
    for (const [descriptor, events] of this.#ready) {
      if (this.#events.length === this.#eventsMax) break
      this.#ready.delete(descriptor)
      const generation = this.#watched.get(descriptor)?.generation ?? 0
      this.#events.push({ events, descriptor, generation })
    }
    return this.#events.length
  }

  eventsAt(at: number): number {
    return this.#events[at]?.events ?? 0
  }

  descriptorAt(at: number): number {
    return this.#events[at]?.descriptor ?? 0
  }

  generationAt(at: number): number {
    return this.#events[at]?.generation ?? 0
  }
}
