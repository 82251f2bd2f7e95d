// Tells once that an epoll has events, by a descriptor that has something to read then: asking
// takes as long for a million descriptors as for one. By asynchronous I/O of Linux (io_submit(2),
// IOCB_CMD_POLL).

import { ptr } from 'bun:ffi'
import { type CLibrary, openCLibrary } from './libc.ts'

const SYMBOLS = {
  // The C library has no functions for asynchronous I/O of the kernel.
  syscall: { args: ['i64', 'i64', 'i64', 'i64', 'i64', 'i64'], returns: 'i32' },
  eventfd: { args: ['u32', 'i32'], returns: 'i32' },
  read: { args: ['i32', 'ptr', 'u64'], returns: 'i32' },
  close: { args: ['i32'], returns: 'i32' },
} as const

/** <asm/unistd.h> */
const SYSTEM_CALLS =
  process.arch === 'x64'
    ? { setup: 206, destroy: 207, events: 208, submit: 209 }
    : { setup: 0, destroy: 1, events: 4, submit: 2 }

// <sys/eventfd.h>
const EFD_CLOEXEC = 0o2000000
const EFD_NONBLOCK = 0o4000

// <linux/aio_abi.h>, <poll.h>
const IOCB_BYTES = 64
const IOCB = { opcode: 16, descriptor: 20, events: 24, flags: 56, signalled: 60 } as const
const IOCB_CMD_POLL = 5
const IOCB_FLAG_RESFD = 1
const IO_EVENT_BYTES = 32
const POLLIN = 1

/** Only one is under way. */
const REQUESTS_MAX = 1

export class PollSignal {
  /** Has something to read once the epoll has events. */
  readonly descriptor: number
  readonly #library: CLibrary<typeof SYMBOLS>
  readonly #context: number
  readonly #request = new Uint8Array(IOCB_BYTES)
  /** Pointers to requests, as `io_submit` takes them. */
  readonly #requests: BigUint64Array
  readonly #completed = new Uint8Array(IO_EVENT_BYTES * REQUESTS_MAX)
  readonly #count = new BigUint64Array(1)
  #isRequested = false
  #isClosed = false

  /** Null where the system has no such thing, or a sandbox forbids it. */
  static open(epoll: number): PollSignal | null {
    const library = openCLibrary(SYMBOLS)
    if (library === null) return null
    const { syscall, eventfd } = library.symbols
    const context = new BigUint64Array(1)
    if (syscall(SYSTEM_CALLS.setup, REQUESTS_MAX, ptr(context), 0, 0, 0) < 0) return null
    const descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
    const signal = new PollSignal(library, Number(context[0]), epoll, descriptor)
    // Kernels before 4.18 have asynchronous I/O, but not of this kind.
    if (descriptor >= 0 && signal.request()) return signal
    signal.close()
    return null
  }

  private constructor(
    library: CLibrary<typeof SYMBOLS>,
    context: number,
    epoll: number,
    descriptor: number,
  ) {
    this.#library = library
    this.#context = context
    this.descriptor = descriptor
    const view = new DataView(this.#request.buffer)
    view.setUint16(IOCB.opcode, IOCB_CMD_POLL, true)
    view.setUint32(IOCB.descriptor, epoll, true)
    view.setBigUint64(IOCB.events, BigInt(POLLIN), true)
    view.setUint32(IOCB.flags, IOCB_FLAG_RESFD, true)
    view.setUint32(IOCB.signalled, descriptor, true)
    this.#requests = new BigUint64Array([BigInt(ptr(this.#request))])
  }

  /**
   * Signals once there are events, or now if there are. Answers whether it will, as it does not
   * when the kernel is short of memory.
   */
  request(): boolean {
    if (this.#isRequested) return true
    const { syscall } = this.#library.symbols
    this.#isRequested =
      syscall(SYSTEM_CALLS.submit, this.#context, 1, ptr(this.#requests), 0, 0) === 1
    return this.#isRequested
  }

  /** It has signalled; the descriptor has nothing to read until the next request is over. */
  clear(): void {
    const { symbols } = this.#library
    const completed = ptr(this.#completed)
    const isOver = symbols.syscall(SYSTEM_CALLS.events, this.#context, 0, 1, completed, 0) === 1
    if (!isOver) return
    this.#isRequested = false
    symbols.read(this.descriptor, ptr(this.#count), this.#count.byteLength)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    const { symbols } = this.#library
    // Waits until the kernel has dropped the request.
    symbols.syscall(SYSTEM_CALLS.destroy, this.#context, 0, 0, 0, 0)
    if (this.descriptor >= 0) symbols.close(this.descriptor)
  }
}
