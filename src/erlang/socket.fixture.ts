// Two ends of a real loopback connection, both in this process: the near one is comet's, the far one
// collects what comes and is driven by the test.

import { until } from '../core/time.fixture.ts'
import { bytesOf } from './packet.fixture.ts'
import { NOBODY, type Owned, type OwnedSocket, SOCKET_HANDLERS } from './socket.ts'

export class SocketPair implements Disposable {
  readonly near: OwnedSocket
  readonly far: OwnedSocket
  /** What has come at the far end. */
  readonly got = { length: 0, parts: [] as Uint8Array[] }
  /** Has the near end closed the connection? */
  isClosed = false

  private constructor(near: OwnedSocket, far: OwnedSocket) {
    this.near = near
    this.far = far
    far.data.owner = {
      data: (bytes) => {
        this.got.parts.push(bytes)
        this.got.length += bytes.length
      },
      drained: () => undefined,
      closed: () => {
        this.isClosed = true
      },
    }
  }

  static async open(): Promise<SocketPair> {
    const accepted: OwnedSocket[] = []
    const listener = Bun.listen<Owned>({
      ...{ hostname: '127.0.0.1', port: 0, data: { owner: NOBODY } },
      socket: {
        ...SOCKET_HANDLERS,
        open: (socket) => {
          socket.data = { owner: NOBODY }
          accepted.push(socket)
        },
      },
    })
    const { port } = listener
    const data: Owned = { owner: NOBODY }
    const far = await Bun.connect({ hostname: '127.0.0.1', port, data, socket: SOCKET_HANDLERS })
    await until('it is accepted', () => accepted.length > 0)
    listener.stop()
    const [near] = accepted
    if (near === undefined) throw new Error('nobody has connected')
    return new SocketPair(near, far)
  }

  gotBytes(): Uint8Array<ArrayBuffer> {
    return bytesOf(...this.got.parts)
  }

  gotHex(): string {
    return this.gotBytes().toHex()
  }

  [Symbol.dispose](): void {
    for (const socket of [this.far, this.near]) {
      socket.data.owner = NOBODY
      socket.end()
    }
  }
}
