// A Redis of tests with a replica that can be held back and takes over, and the proxies of nodes.

import { waitFor } from '../../scripts/support/child-process.ts'
import { RedisServer } from '../../scripts/support/redis.ts'
import { TcpProxy } from '../../scripts/support/tcp-proxy.ts'
import { ReplicatedRedis } from './replicated-redis.fixture.ts'

export class RedisPair implements AsyncDisposable {
  /** The master and its replica before the failover. */
  readonly master: RedisServer
  readonly replica: RedisServer
  /** Of most nodes, and of one that can be cut off by itself; both lead to the current master. */
  readonly proxy: TcpProxy
  readonly other: TcpProxy
  readonly #servers: ReplicatedRedis

  static async start(): Promise<RedisPair> {
    const master = await RedisServer.start()
    const [proxy, other] = [await TcpProxy.start(master.port), await TcpProxy.start(master.port)]
    const servers = new ReplicatedRedis(master, [proxy, other])
    const replica = await servers.addReplica()
    return new RedisPair(servers, replica, [proxy, other])
  }

  private constructor(
    servers: ReplicatedRedis,
    replica: RedisServer,
    [proxy, other]: readonly [TcpProxy, TcpProxy],
  ) {
    this.#servers = servers
    this.master = servers.master
    this.replica = replica
    this.proxy = proxy
    this.other = other
  }

  /** Waits until the replica has the whole log of the master. */
  async isInStep(): Promise<void> {
    await waitFor('the replica to have everything', async () => {
      const lengths = [this.master, this.replica].map((one) => one.command('XLEN', 'comet:log'))
      const [left, right] = await Promise.all(lengths)
      return left === right
    })
  }

  /** The replica receives nothing from now on. */
  hold(): void {
    this.#servers.hold()
  }

  /** Kills the master; the replica takes over with what it has. */
  async failOver(): Promise<void> {
    await this.#servers.failOver()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of [this.proxy, this.other, this.#servers]) await one[Symbol.asyncDispose]()
  }
}
