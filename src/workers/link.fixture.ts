// A real socket pair with a link at each end, both in this process, so that a test decides when
// either of them reads.

import { closeSync } from 'node:fs'
import { FakeClock } from '../core/time.fixture.ts'
import { socketPair } from '../os/socket-pair.fixture.ts'
import { Link, type LinkOwner } from './link.ts'
import type { RecordBytes } from './records.ts'

/** An end that remembers what it was told. */
export class End implements LinkOwner {
  readonly records: [kind: number, text: string][] = []
  closes = 0
  sents = 0
  flushes = 0
  /** How many records had come each time that all of a read were passed on. */
  readonly reads: number[] = []
  /** Runs before each flush. */
  onFlush: () => void = () => undefined
  readonly clock = new FakeClock()
  #link: Link | null = null

  /** Begins to read and write. */
  static async of(descriptor: number, requestMsMax = 60_000): Promise<End> {
    const end = new End()
    end.#link = await Link.open(descriptor, end, { requestMsMax, clock: end.clock })
    return end
  }

  get link(): Link {
    if (this.#link === null) throw new Error('the link is not open')
    return this.#link
  }

  /** Writes a record, to be sent at the next flush. */
  write(kind: number, text: string): void {
    const { out } = this.link
    out.begin(kind)
    out.bytes(Buffer.from(text))
    out.end()
  }

  onRecord({ kind, bytes }: RecordBytes): void {
    this.records.push([kind, new TextDecoder().decode(bytes)])
  }

  afterRecords(): void {
    this.reads.push(this.records.length)
  }

  onClose(): void {
    this.closes++
  }

  onSent(): void {
    this.sents++
  }

  beforeFlush(): void {
    this.flushes++
    this.onFlush()
  }
}

/** A pair of which one end is open, and the other opens when a test says so. */
export class Pair implements Disposable {
  readonly #left: End
  /** The other end's descriptor, as long as no link has taken it over. */
  #descriptor: number | null
  #right: End | null = null

  private constructor(left: End, descriptor: number) {
    this.#left = left
    this.#descriptor = descriptor
  }

  static async open(): Promise<Pair> {
    const [one, other] = socketPair()
    return new Pair(await End.of(one), other)
  }

  get left(): End {
    return this.#left
  }

  async openRight(): Promise<End> {
    if (this.#descriptor === null) throw new Error('the other end is open already, or gone')
    const descriptor = this.#descriptor
    this.#descriptor = null
    this.#right = await End.of(descriptor)
    return this.#right
  }

  /** The other end goes away, as when its process has ended. */
  loseRight(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor)
    this.#descriptor = null
    this.#right?.link.close()
  }

  [Symbol.dispose](): void {
    this.loseRight()
    this.#left.link.close()
  }
}
