// One end of the socket pair between parent and worker: gathers the records of one turn of the loop
// and sends them with one system call, and keeps what the socket does not take. What records mean,
// its owner knows.

import type { Socket } from 'bun'
import { type RecordBytes, RecordReader, RecordWriter } from './records.ts'

export interface LinkOwner {
  onRecord(record: RecordBytes): void
  /** The other end is gone. */
  onClose(): void
  /** This turn of the loop is over: what its owner has gathered can still be written. */
  beforeFlush?(): void
  /** The socket was full, and has now taken all that was written. */
  onSent?(): void
}

/** The types of Bun lack the open socket, which `Bun.connect` takes as `fd`. */
type ConnectOptions = Omit<Bun.TCPSocketConnectOptions<undefined>, 'hostname' | 'port'> & {
  readonly fd: number
}

export class Link {
  readonly out = new RecordWriter()
  readonly #owner: LinkOwner
  #socket: Socket<undefined> | null = null
  #isFlushDue = false
  /** The socket is full, and says when it is no longer. */
  #isFull = false
  #closed = false

  private constructor(owner: LinkOwner) {
    this.#owner = owner
  }

  /** Takes over an open socket; from then on the descriptor is the link's. */
  static async open(descriptor: number, owner: LinkOwner): Promise<Link> {
    const link = new Link(owner)
    const reader = new RecordReader((record) => owner.onRecord(record))
    const options: ConnectOptions = {
      fd: descriptor,
      socket: {
        data: (_, part) => reader.push(part),
        drain: () => {
          link.#isFull = false
          if (link.flush()) owner.onSent?.()
        },
        close: () => link.#end(),
        error: () => link.#end(),
      },
    }
    link.#socket = await Bun.connect(options as unknown as Bun.TCPSocketConnectOptions<undefined>)
    link.flush()
    return link
  }

  /** Sends what is in `out` when this turn of the loop is over. */
  flushSoon(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    setImmediate(() => {
      this.#isFlushDue = false
      this.#owner.beforeFlush?.()
      this.flush()
    })
  }

  /** Writes a record of numbers and then JSON. */
  json(kind: number, value: unknown, ...numbers: number[]): void {
    this.out.begin(kind)
    for (const number of numbers) this.out.number(number)
    this.out.bytes(Buffer.from(JSON.stringify(value)))
    this.out.end()
    this.flushSoon()
  }

  /** Sends what waits, as far as the socket takes it, and ends. */
  close(): void {
    this.flush()
    this.#socket?.end()
  }

  /** Sends what is in `out` now. Answers whether the socket has taken all of it. */
  flush(): boolean {
    const socket = this.#socket
    if (this.#isFull || socket === null || this.#closed) return false
    if (this.out.length === 0) return true
    const written = socket.write(this.out.waiting())
    // A socket that is gone takes nothing; its end is told by itself.
    this.out.sent(Math.max(0, written))
    this.#isFull = this.out.length > 0
    return !this.#isFull
  }

  #end(): void {
    if (this.#closed) return
    this.#closed = true
    this.#owner.onClose()
  }
}

/** Reads the JSON of a record, after as many bytes of numbers. */
export function jsonOf<T>({ bytes }: RecordBytes, start = 0): T {
  return JSON.parse(new TextDecoder().decode(bytes.subarray(start))) as T
}
