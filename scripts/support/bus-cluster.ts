// Servers that share one Redis, for end-to-end tests: starts, stops, kills, freezes and restarts
// them at the same ports. Each reaches Redis directly, or through a proxy of its own.

import { waitFor } from './child-process.ts'
import { ask, type CometServer, freePort, serve } from './comet.ts'
import { RedisServer, type RedisServerOptions } from './redis.ts'
import { TcpProxy } from './tcp-proxy.ts'
import { processState } from './workers.ts'

/** Milliseconds for a start at a port that another test may have taken meanwhile. */
const START_MS_MAX = 20_000

/** Milliseconds without a message after which none is under way: nodes have each in a few. */
const STILL_MS = 500

/** The longest time that a node takes to reconnect once Redis is back: three seconds until a
 * command fails, a pause of two, and the work itself. */
export const BACK_MS_MAX = 15_000

export interface BusClusterOptions {
  /** Three, unless said otherwise. */
  readonly nodes?: number
  readonly redis?: RedisServerOptions
  /** Arguments of each `comet serve`, or those of one node. */
  readonly args?: readonly string[] | ((node: number) => readonly string[])
  /** The executable, if not that of this build. */
  readonly program?: string
  /** Does each node reach Redis through a proxy of its own? */
  readonly isProxied?: boolean
}

interface Ports {
  readonly public: number
  readonly control: number
}

export class BusCluster implements AsyncDisposable {
  readonly redis: RedisServer
  /** Between nodes and Redis; empty if they reach it directly. */
  readonly links: readonly TcpProxy[]
  readonly ports: readonly Ports[]
  /** The executable of nodes started from now on; undefined for that of this build. */
  program: string | undefined
  readonly #argsOf: (node: number) => readonly string[]
  /** The nodes that run; null for one that does not. */
  readonly #nodes: (CometServer | null)[]
  readonly #cleanup: AsyncDisposableStack

  static async start(options: BusClusterOptions = {}): Promise<BusCluster> {
    const { nodes: count = 3, isProxied = false, args = [] } = options
    await using cleanup = new AsyncDisposableStack()
    const redis = cleanup.use(await RedisServer.start({ hasOwnAddress: true, ...options.redis }))
    const links: TcpProxy[] = []
    for (let at = 0; at < (isProxied ? count : 0); at++) {
      links.push(cleanup.use(await TcpProxy.start(redis.port, redis.host)))
    }
    const argsOf = typeof args === 'function' ? args : () => args
    const cluster = new BusCluster(redis, links, argsOf, count, cleanup.move())
    cluster.program = options.program
    try {
      await Promise.all(cluster.ports.map((_, at) => cluster.start(at)))
    } catch (error) {
      await cluster[Symbol.asyncDispose]()
      throw error
    }
    return cluster
  }

  private constructor(
    redis: RedisServer,
    links: readonly TcpProxy[],
    argsOf: (node: number) => readonly string[],
    count: number,
    cleanup: AsyncDisposableStack,
  ) {
    this.redis = redis
    this.links = links
    this.ports = Array.from({ length: count }, () => ({ public: freePort(), control: freePort() }))
    this.#argsOf = argsOf
    this.#nodes = this.ports.map(() => null)
    this.#cleanup = cleanup
  }

  /** The nodes that run. */
  get all(): CometServer[] {
    return this.#nodes.filter((node) => node !== null)
  }

  at(index: number): CometServer {
    const node = this.#nodes[index]
    if (node == null) throw new Error(`node ${index} does not run`)
    return node
  }

  /** Starts a node, for the first time or again. */
  async start(index: number, args: readonly string[] = []): Promise<CometServer> {
    const ports = this.ports[index] as Ports
    const bus = this.links[index]?.url ?? this.redis.url
    const command = [
      ...['--listen', `127.0.0.1:${ports.public}`, '--control', `127.0.0.1:${ports.control}`],
      ...['--bus', bus, '--node-name', `node-${index}`, ...this.#argsOf(index), ...args],
    ]
    const program = this.program === undefined ? {} : { program: this.program }
    let why: unknown
    const begin = () =>
      serve(command, program).catch((error: unknown) => {
        why = error
        return false as const
      })
    const options = { everyMs: 100 }
    const node = await waitFor('the node to start', begin, START_MS_MAX, options).catch((error) => {
      throw new Error(`${error}: ${why}`)
    })
    this.#nodes[index] = node
    return node
  }

  /** Ends a node. Answers its exit code, and what it has logged. */
  async end(index: number, signal: 'SIGTERM' | 'SIGKILL') {
    const node = this.at(index)
    const exitCode = await node.end(signal)
    this.#nodes[index] = null
    return { exitCode, stderr: node.stderr }
  }

  /** It keeps its connections, and does nothing until {@link resume}. */
  async pause(index: number): Promise<void> {
    const { pid } = this.at(index)
    process.kill(pid, 'SIGSTOP')
    await waitFor('the node to stop', () => processState(pid) === 'T')
  }

  resume(index: number): void {
    process.kill(this.at(index).pid, 'SIGCONT')
  }

  /** Waits until each node accepts a message: it is connected and has read the log. */
  async isWhole(ms = BACK_MS_MAX): Promise<void> {
    for (const { controlUrl } of this.all) {
      await waitFor('a message to be accepted', () => isTaking(controlUrl), ms, { everyMs: 50 })
    }
  }

  /** Waits until all nodes are at one place of the log, and nothing more comes. Returns it. */
  async isStill(): Promise<string> {
    let [place, sinceMs] = ['', performance.now()]
    return await waitFor('all nodes to be at one place', async () => {
      const stats = await Promise.all(this.all.map((node) => node.stats()))
      const places = new Set(stats.map(({ history }) => history.last))
      const [first = ''] = places
      if (places.size > 1 || first !== place) [place, sinceMs] = [first, performance.now()]
      return performance.now() - sinceMs > STILL_MS && place
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.all) {
      node.kill('SIGCONT')
      await node[Symbol.asyncDispose]()
    }
    await this.#cleanup.disposeAsync()
  }
}

async function isTaking(controlUrl: string): Promise<boolean> {
  const body = JSON.stringify({ to: 'nobody-at-all', body: 'test' })
  const response = await ask(controlUrl, '/messages', { method: 'POST', body })
  return response.ok
}

/** What a publisher is told of a message that was accepted. */
export interface Accepted {
  readonly id: string
  readonly delivered: number
  readonly restored?: boolean
}

/** Publishes a message, which has to be accepted. */
export async function publish(
  server: Pick<CometServer, 'ask'>,
  message: object,
): Promise<Accepted> {
  const response = await server.ask('/messages', { method: 'POST', body: JSON.stringify(message) })
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`)
  return (await response.json()) as Accepted
}
