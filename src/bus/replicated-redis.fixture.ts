// A Redis of tests, alone or with a replica that can be held back and takes over.

import { RedisServer } from '../../scripts/support/redis.ts'
import { TcpProxy } from '../../scripts/support/tcp-proxy.ts'

interface Replica {
  readonly server: RedisServer
  /** Between it and the master. */
  readonly between: TcpProxy
}

export class ReplicatedRedis implements AsyncDisposable {
  master: RedisServer
  #replica: Replica | null = null
  readonly #proxies: readonly TcpProxy[]
  readonly #old: AsyncDisposable[] = []

  /** @param proxies are moved to the new master by each failover */
  constructor(master: RedisServer, proxies: readonly TcpProxy[]) {
    this.master = master
    this.#proxies = proxies
  }

  get hasReplica(): boolean {
    return this.#replica !== null
  }

  async addReplica(): Promise<RedisServer> {
    const between = await TcpProxy.start(this.master.port)
    const server = await RedisServer.start({ replicaOf: between.port })
    await server.followsMaster()
    this.#replica = { server, between }
    return server
  }

  /** The replica receives nothing from now on. A frozen one would have it in its socket. */
  hold(): void {
    this.#replica?.between.swallow('answers')
  }

  /** Kills the master; its replica takes over and gets a new replica. */
  async failOver(): Promise<void> {
    if (this.#replica === null) return
    const { server, between } = this.#replica
    await this.master.kill()
    for (const proxy of this.#proxies) proxy.targetPort = server.port
    await server.command('REPLICAOF', 'NO', 'ONE')
    this.#old.push(between, this.master)
    this.master = server
    this.#replica = null
    await this.addReplica()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { server, between } = this.#replica ?? {}
    for (const one of [between, this.master, server, ...this.#old]) {
      await one?.[Symbol.asyncDispose]()
    }
  }
}
