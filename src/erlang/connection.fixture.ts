// A connection over a real socket, with everything behind it, and the far end of it in the hands of the
// test: what the node there sends, when it reads, and the packets that it gets.

import { Talk, type TalkOptions } from './channel.fixture.ts'
import { Connection } from './connection.ts'
import { Outbound } from './outbound.ts'
import { framed } from './packet.fixture.ts'
import { SocketPair } from './socket.fixture.ts'

/** So long that no test sees a tick that it does not wait for. */
const TICK_TIME_MS = 60_000

export interface LinkedOptions extends TalkOptions {
  readonly tickTimeMs?: number
}

export class Linked implements Disposable {
  readonly pair: SocketPair
  readonly outbound: Outbound
  readonly talk: Talk
  readonly connection: Connection
  readonly closed: string[] = []
  readonly bugs: unknown[] = []
  /** What the node has still to send. */
  #unsent: Uint8Array[] = []

  private constructor(pair: SocketPair, options: LinkedOptions) {
    this.pair = pair
    this.outbound = new Outbound(pair.near)
    this.talk = new Talk({ ...options, outbound: this.outbound })
    const { conversation, router } = this.talk
    this.connection = new Connection({
      ...{ socket: pair.near, outbound: this.outbound, conversation, router },
      tickTimeMs: options.tickTimeMs ?? TICK_TIME_MS,
      onBug: (error) => this.bugs.push(error),
      onClosed: (why) => this.closed.push(why),
    })
    const { owner } = pair.far.data
    pair.far.data.owner = { ...owner, drained: () => this.#write() }
  }

  static async open(options: LinkedOptions = {}): Promise<Linked> {
    return new Linked(await SocketPair.open(), options)
  }

  /** Bytes that the node has not been able to send. */
  get unsent(): number {
    return this.#unsent.reduce((sum, { length }) => sum + length, 0)
  }

  /** The node sends bytes, as far as they are taken, and the rest when there is room. */
  sendBytes(bytes: Uint8Array): this {
    this.#unsent.push(bytes)
    if (this.#unsent.length === 1) this.#write()
    return this
  }

  send(...packets: readonly Uint8Array[]): this {
    return this.sendBytes(framed(...packets))
  }

  #write(): void {
    for (let [first] = this.#unsent; first !== undefined; [first] = this.#unsent) {
      const sent = Math.max(0, this.pair.far.write(first))
      if (sent < first.length) {
        this.#unsent[0] = first.subarray(sent)
        return
      }
      this.#unsent.shift()
    }
  }

  /** Whole packets that have come at the node, without their lengths, and how many ticks. */
  get came(): { readonly packets: Uint8Array[]; readonly ticks: number } {
    const bytes = this.pair.gotBytes()
    const view = new DataView(bytes.buffer)
    const packets: Uint8Array[] = []
    let ticks = 0
    for (let at = 0; at + 4 <= bytes.length; ) {
      const end = at + 4 + view.getUint32(at)
      if (end > bytes.length) break
      if (end === at + 4) ticks++
      else packets.push(bytes.slice(at + 4, end))
      at = end
    }
    return { packets, ticks }
  }

  get cameHex(): string[] {
    return this.came.packets.map((packet) => packet.toHex())
  }

  [Symbol.dispose](): void {
    this.connection.close('the test is over')
    this.pair[Symbol.dispose]()
  }
}
