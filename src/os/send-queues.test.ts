// Goal: the connections that can take no more are found, with exactly the bytes that the other end did
// not get. Method: real connections of this process; a client stops reading, and reads again.

import { describe, expect, test } from 'bun:test'
import { until } from '../core/time.fixture.ts'
import { type SendQueues, sendQueues } from './send-queues.ts'

/** Above any descriptor that a test has. */
const END = 10_000

function loaded(): SendQueues {
  const queues = sendQueues()
  if (queues === null) throw new Error('there is no C library')
  return queues
}

/** Both ends of a connection; the server's takes bytes until it is full. */
class Pair implements Disposable {
  sent = 0
  received = 0
  client: Bun.Socket | null = null
  #server: Bun.Socket | null = null
  readonly #listener = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open: (socket) => {
        this.#server = socket
      },
      data: () => undefined,
    },
  })

  static async open(): Promise<Pair> {
    const pair = new Pair()
    pair.client = await Bun.connect({
      hostname: '127.0.0.1',
      port: pair.#listener.port,
      socket: {
        data: (_, bytes) => {
          pair.received += bytes.length
        },
      },
    })
    await until('the connection is taken', () => pair.#server !== null)
    return pair
  }

  /** Writes until nothing more is taken, for longer than Linux delays an acknowledgement, 40 ms. */
  async fill(): Promise<void> {
    this.client?.pause()
    const bytes = new Uint8Array(1_000_000)
    for (let idle = 0; idle < 80; ) {
      const taken = Math.max(0, this.#server?.write(bytes) ?? 0)
      this.sent += taken
      idle = taken > 0 ? 0 : idle + 1
      await Bun.sleep(1)
    }
  }

  cut(): void {
    this.#server?.terminate()
  }

  [Symbol.dispose](): void {
    this.cut()
    this.client?.terminate()
    this.#listener.stop(true)
  }
}

describe.skipIf(process.platform !== 'linux')('the send queues', () => {
  test('are full for a client that does not read, and for no other', async () => {
    const queues = loaded()
    using idle = await Pair.open()
    expect(queues.full(END).size).toBe(0)
    using full = await Pair.open()
    await full.fill()
    expect([queues.full(END).size, idle.sent]).toEqual([1, 0])
    full.client?.resume()
    await until('all has come', () => full.received === full.sent)
    await until('nothing is left', () => queues.full(END).size === 0)
  })

  test('have exactly the bytes that the client never gets when it is cut', async () => {
    const queues = loaded()
    using full = await Pair.open()
    await full.fill()
    const [[descriptor, bytes] = expect.unreachable()] = queues.full(END)
    expect(queues.bytes(descriptor)).toBe(bytes)
    full.cut()
    expect(queues.bytes(descriptor)).toBeNull()
    full.client?.resume()
    await until('what was acknowledged has come', () => full.received >= full.sent - bytes)
    await Bun.sleep(20)
    expect(full.received + bytes).toBe(full.sent)
  })

  test('are looked at below the end alone', async () => {
    const queues = loaded()
    using full = await Pair.open()
    await full.fill()
    const [descriptor = 0] = queues.full(END).keys()
    expect(queues.full(descriptor).size).toBe(0)
    expect([...queues.full(descriptor + 1).keys()]).toEqual([descriptor])
  })

  test('are no matter of files and closed descriptors', () => {
    const queues = loaded()
    expect([queues.bytes(-1), queues.bytes(END), queues.full(0).size]).toEqual([null, null, 0])
  })
})
