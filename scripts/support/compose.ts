// The servers of scripts/operate/compose for end-to-end tests: Redis, two nodes and HAProxy, each
// with the options and the configuration that the files there have. Only addresses and places of
// files are changed.

import { readFileSync } from 'node:fs'
import { YAML } from 'bun'
import { ChildProcess, waitFor } from './child-process.ts'
import { ask, type CometServer, freePort, serve } from './comet.ts'
import { type Folder, makeFolder } from './folder.ts'
import { RedisServer } from './redis.ts'

export const COMPOSE_FOLDER = `${import.meta.dir}/../operate/compose`
const TOKEN = 'a token of the tests of compose'

export const NODES = ['comet-1', 'comet-2'] as const
export type NodeName = (typeof NODES)[number]

export interface ComposeService {
  readonly image: string
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly networks: readonly string[]
  readonly secrets?: readonly string[]
}

export interface ComposeFile {
  readonly services: Readonly<Record<'redis' | 'haproxy' | NodeName, ComposeService>>
  readonly networks: Readonly<Record<string, object>>
  readonly secrets: Readonly<Record<string, object>>
}

export function composeFile(): ComposeFile {
  return YAML.parse(readFileSync(`${COMPOSE_FOLDER}/compose.yaml`, 'utf8')) as ComposeFile
}

type Pairs = readonly (readonly [from: string, to: string])[]

export interface ComposeOptions {
  /** Further changes, of options and of HAProxy's file; each is of something that is there. */
  readonly options?: Pairs
  readonly proxy?: Pairs
}

/** Replaces what must be there. */
function replaced(text: string, pairs: Pairs): string {
  return pairs.reduce((whole, [from, to]) => {
    if (!whole.includes(from)) throw new Error(`there is no ${from} in ${whole}`)
    return whole.replaceAll(from, () => to)
  }, text)
}

/** The lines of a file for Redis that its arguments stand for. */
function redisSettings([, ...args]: readonly string[]): string[] {
  return args
    .join(' ')
    .split(' --')
    .map((line) => line.replace(/^--/, ''))
    .map((line) => (line === 'save ' ? 'save ""' : line))
}

interface Ports {
  readonly public: number
  readonly control: number
}

export class ComposedServers implements AsyncDisposable {
  readonly redis: RedisServer
  readonly #folder: Folder
  readonly #options: Pairs
  /** Of those that were started: a node keeps its own when it starts again. */
  readonly #ports = new Map<'haproxy' | NodeName, Ports>()
  readonly #nodes = new Map<NodeName, CometServer>()
  #proxy: ChildProcess | null = null

  static async start(options: ComposeOptions = {}): Promise<ComposedServers> {
    const { redis } = composeFile().services
    const started = await RedisServer.start({ settings: redisSettings(redis.command ?? []) })
    const servers = new ComposedServers(started, await makeFolder(), options)
    try {
      await Bun.write(`${servers.#folder.path}/control-token`, TOKEN)
      for (const name of NODES) await servers.startNode(name)
      await servers.#startProxy(options.proxy ?? [])
    } catch (error) {
      await servers[Symbol.asyncDispose]()
      throw error
    }
    return servers
  }

  private constructor(redis: RedisServer, folder: Folder, { options = [] }: ComposeOptions) {
    this.redis = redis
    this.#folder = folder
    this.#options = options
  }

  /** Of HAProxy, where clients connect. */
  get port(): number {
    return this.#portsOf('haproxy').public
  }

  #portsOf(name: 'haproxy' | NodeName): Ports {
    const ports = this.#ports.get(name)
    if (ports === undefined) throw new Error(`${name} was not started`)
    return ports
  }

  node(name: NodeName): CometServer {
    const node = this.#nodes.get(name)
    if (node === undefined) throw new Error(`${name} was not started`)
    return node
  }

  async startNode(name: NodeName): Promise<void> {
    const { command = [], environment = {} } = composeFile().services[name]
    const { public: publicPort, control } = this.#ports.get(name) ?? { public: 0, control: 0 }
    const [, ...args] = replaced(command.join('\n'), [
      ['redis://redis', this.redis.url],
      ['0.0.0.0:8001', `127.0.0.1:${control}`],
      ['/run/secrets', this.#folder.path],
      ['172.30.80.0/24', '127.0.0.1'],
      ...this.#options,
    ]).split('\n')
    // As the image has it in its environment.
    const listen = ['--listen', `127.0.0.1:${publicPort}`]
    const node = await serve([...args, ...listen], { env: environment })
    this.#nodes.set(name, node)
    this.#ports.set(name, { public: node.publicPort, control: node.controlPort })
  }

  async #startProxy(pairs: Pairs): Promise<void> {
    const text = readFileSync(`${COMPOSE_FOLDER}/haproxy.cfg`, 'utf8')
    const ports = { public: freePort(), control: freePort() }
    this.#ports.set('haproxy', ports)
    const own = NODES.flatMap((name) => [
      [`${name}:8000`, `127.0.0.1:${this.#portsOf(name).public}`] as const,
      [`${name}:8001`, `127.0.0.1:${this.#portsOf(name).control}`] as const,
    ])
    const path = `${this.#folder.path}/haproxy.cfg`
    const file = replaced(text, [
      ...own,
      ['bind :8000', `bind 127.0.0.1:${ports.public}`],
      ['bind :8001', `bind 127.0.0.1:${ports.control}`],
      ...pairs,
    ])
    await Bun.write(path, file)
    // As the image runs it.
    const command = ['haproxy', '-W', '-db', '-f', path]
    const env = { PATH: `${process.env['PATH']}:/usr/sbin` }
    this.#proxy = new ChildProcess(command, { env, killsDescendants: true })
    await waitFor('HAProxy to pass on', () => this.#passesOn())
  }

  async #passesOn(): Promise<boolean> {
    if (this.#proxy?.hasExited === true) throw this.#proxy.error('exited')
    try {
      const { ok } = await fetch(`http://127.0.0.1:${this.port}/health`)
      return ok && (await this.ask('/stats')).ok
    } catch {
      return false
    }
  }

  /** Asks the control port of HAProxy, or that of a node. */
  ask(path: string, request: RequestInit = {}, name: 'haproxy' | NodeName = 'haproxy') {
    const headers = { ...request.headers, authorization: `Bearer ${TOKEN}` }
    return ask(`http://127.0.0.1:${this.#portsOf(name).control}`, path, { ...request, headers })
  }

  /** Sends a message to a user on any node; how many connections of both nodes took it. */
  async publish(user: string, body: string): Promise<number> {
    const answer = await this.ask(`/users/${user}?receipt=all`, { method: 'POST', body })
    if (!answer.ok) throw new Error(`publishing failed: ${await answer.text()}`)
    return ((await answer.json()) as { delivered: number }).delivered
  }

  /** Streams that a node holds. */
  async streamsOf(name: NodeName): Promise<number> {
    const stats = await (await this.ask('/stats', {}, name)).json()
    return (stats as { streams: { open: number } }).streams.open
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proxy?.[Symbol.asyncDispose]()
    for (const node of this.#nodes.values()) await node[Symbol.asyncDispose]()
    await this.redis[Symbol.asyncDispose]()
    await this.#folder[Symbol.asyncDispose]()
  }
}
