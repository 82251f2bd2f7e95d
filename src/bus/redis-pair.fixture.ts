// Two Redis servers of tests: a replica that can be held back, and takes over from its master.

import { waitFor } from '../../scripts/support/child-process.ts'
import { RedisServer } from '../../scripts/support/redis.ts'
import { TcpProxy } from '../../scripts/support/tcp-proxy.ts'

/** A master and its replica, and the address that leads to one of them. */
export class RedisPair implements AsyncDisposable {
  readonly master: RedisServer
  readonly replica: RedisServer
  /** Of most nodes, and of one that can be cut off by itself. */
  readonly proxy: TcpProxy
  readonly other: TcpProxy
  /** Between the two servers. */
  readonly #between: TcpProxy

  static async start(): Promise<RedisPair> {
    const master = await RedisServer.start()
    const between = await TcpProxy.start(master.port)
    const replica = await RedisServer.start({ replicaOf: between.port })
    await replica.followsMaster()
    const [proxy, other] = [await TcpProxy.start(master.port), await TcpProxy.start(master.port)]
    return new RedisPair(master, replica, [proxy, other, between])
  }

  private constructor(
    master: RedisServer,
    replica: RedisServer,
    [proxy, other, between]: readonly [TcpProxy, TcpProxy, TcpProxy],
  ) {
    this.master = master
    this.replica = replica
    this.proxy = proxy
    this.other = other
    this.#between = between
  }

  /** The replica has all that the nodes have. */
  async isInStep(): Promise<void> {
    await waitFor('the replica to have everything', async () => {
      const lengths = [this.master, this.replica].map((one) => one.command('XLEN', 'comet:log'))
      const [left, right] = await Promise.all(lengths)
      return left === right
    })
  }

  /** From now on the replica gets nothing. A frozen one would have it in its socket. */
  hold(): void {
    this.#between.swallow('answers')
  }

  /** The master dies, and the replica takes over with what it has. */
  async failOver(): Promise<void> {
    await this.master.kill()
    for (const proxy of [this.proxy, this.other]) proxy.targetPort = this.replica.port
    await this.replica.command('REPLICAOF', 'NO', 'ONE')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of [this.proxy, this.other, this.#between, this.master, this.replica]) {
      await one[Symbol.asyncDispose]()
    }
  }
}
