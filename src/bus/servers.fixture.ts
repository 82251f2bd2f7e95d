// A Redis of random faults, alone or with a replica that takes over, with what it has by then.

import { RedisServer } from '../../scripts/support/redis.ts'
import { TcpProxy } from '../../scripts/support/tcp-proxy.ts'

interface Replica {
  readonly server: RedisServer
  /** Between it and the master. */
  readonly between: TcpProxy
}

export class Servers implements AsyncDisposable {
  master: RedisServer
  #replica: Replica | null = null
  readonly #proxies: readonly TcpProxy[]
  readonly #old: AsyncDisposable[] = []

  /** @param proxies lead to the master, whichever it is */
  constructor(master: RedisServer, proxies: readonly TcpProxy[]) {
    this.master = master
    this.#proxies = proxies
  }

  get hasReplica(): boolean {
    return this.#replica !== null
  }

  async addReplica(): Promise<void> {
    const between = await TcpProxy.start(this.master.port)
    const server = await RedisServer.start({ replicaOf: between.port })
    await server.followsMaster()
    this.#replica = { server, between }
  }

  /** From now on the replica gets nothing. */
  hold(): void {
    this.#replica?.between.swallow('answers')
  }

  /** The master dies, its replica takes over, and another one follows that. */
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
