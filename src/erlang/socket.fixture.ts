// Both ends of a loopback connection: the near one is comet's, the far one records what arrives.

import { until } from '../core/time.fixture.ts'
import { connect, listen, NO_OWNER, type NodeSocket } from './socket.ts'
import { bytesOf } from './terms.fixture.ts'

export class SocketPair implements Disposable {
  readonly near: NodeSocket
  readonly far: NodeSocket
  /** What has arrived at the far end. */
  readonly received = { length: 0, parts: [] as Uint8Array[] }
  /** Whether the near end has closed the connection. */
  isClosed = false

  private constructor(near: NodeSocket, far: NodeSocket) {
    this.near = near
    this.far = far
    far.data.owner = {
      data: (bytes) => {
        this.received.parts.push(bytes)
        this.received.length += bytes.length
      },
      drained: () => undefined,
      closed: () => {
        this.isClosed = true
      },
    }
  }

  static async open(): Promise<SocketPair> {
    const accepted: NodeSocket[] = []
    const name = { full: 'comet@127.0.0.1', alive: 'comet', host: '127.0.0.1' }
    const port = listen(name, null, (socket) => accepted.push(socket))
    if (!port.ok) throw new Error(port.why)
    const connected = await connect('127.0.0.1', port.value.number)
    if (!connected.ok) throw new Error(connected.why)
    await until('the connection is accepted', () => accepted.length > 0)
    port.value.close()
    return new SocketPair(accepted[0] as NodeSocket, connected.value)
  }

  receivedBytes(): Uint8Array<ArrayBuffer> {
    return bytesOf(...this.received.parts)
  }

  [Symbol.dispose](): void {
    for (const socket of [this.far, this.near]) {
      socket.data.owner = NO_OWNER
      socket.end()
    }
  }
}
