// A connection over a real socket with a real router behind it, whose other node is the test.

import { type DeferredOutlet, TestChannel, type TestChannelOptions } from './channel.fixture.ts'
import { Connection } from './connection.ts'
import { framed, unframed } from './packet.fixture.ts'
import { PacketWriter } from './packets.ts'
import { SocketPair } from './socket.fixture.ts'

export interface TestConnectionOptions extends TestChannelOptions {
  readonly outlet?: DeferredOutlet
  readonly tickTimeMs?: number
}

export class TestConnection implements Disposable {
  readonly pair: SocketPair
  readonly outgoing: PacketWriter
  readonly test: TestChannel
  readonly connection: Connection
  readonly closed: string[] = []
  readonly bugs: unknown[] = []
  #unsent: Uint8Array[] = []
  #taken = 0

  private constructor(pair: SocketPair, { tickTimeMs, ...options }: TestConnectionOptions) {
    this.pair = pair
    this.outgoing = new PacketWriter(pair.near)
    this.test = new TestChannel({ ...options, packets: this.outgoing })
    const { channel, router } = this.test
    this.connection = new Connection({
      ...{ socket: pair.near, outgoing: this.outgoing, channel, router },
      // So long that no test sees a tick by chance.
      tickTimeMs: tickTimeMs ?? 60_000,
      onBug: (error) => this.bugs.push(error),
      onClosed: (why) => this.closed.push(why),
    })
    const [near, far] = [pair.near.data.owner, pair.far.data.owner]
    const data = (bytes: Uint8Array<ArrayBuffer>) => {
      this.#taken += bytes.length
      near.data(bytes)
    }
    pair.near.data.owner = { ...near, data }
    pair.far.data.owner = { ...far, drained: () => this.#write() }
  }

  static async open(options: TestConnectionOptions = {}): Promise<TestConnection> {
    return new TestConnection(await SocketPair.open(), options)
  }

  get channel() {
    return this.connection.channel
  }

  /**
   * Bytes that comet has read from the node; how many of the others have left the node depends on
   * the buffers of the kernel, which grow.
   */
  get taken(): number {
    return this.#taken
  }

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

  /** The packets that the node has received, without ticks, in hexadecimal. */
  get packets(): string[] {
    const packets = unframed(this.pair.receivedBytes())
    return packets.filter(({ length }) => length > 0).map((packet) => packet.toHex())
  }

  get ticks(): number {
    return unframed(this.pair.receivedBytes()).filter(({ length }) => length === 0).length
  }

  [Symbol.dispose](): void {
    this.connection.close('the test is over')
    this.pair[Symbol.dispose]()
  }
}
