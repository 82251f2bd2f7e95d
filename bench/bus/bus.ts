// The log that machines share, with three nodes and Redis on this machine: what a message costs
// each of them, how long it is under way, how many there may be, and how long a node takes to join.

import { ChildProcess, waitFor } from '../../scripts/support/child-process.ts'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import type { Case } from '../harness/case.ts'
import { cpuSeconds } from '../harness/proc.ts'
import type { NodeFigures, Task } from './bus-program.ts'

type Figure =
  | `${'engine' | 'publisher' | 'reader'}Micros`
  | `p${50 | 99}Millis`
  | 'saturated'
  | 'joinSeconds'

/** Milliseconds for an answer of a node: its task takes less. */
const ANSWER_MS_MAX = 60_000
const [COST, LATENCY, FULL] = [
  { perSecond: 16_666, seconds: 5 },
  { perSecond: 5_000, seconds: 5 },
  { perSecond: Number.MAX_SAFE_INTEGER, seconds: 3 },
]

export const bus: Case<Figure> = {
  name: 'bus',
  figures: {
    engineMicros: micros('Redis', 11),
    publisherMicros: micros('  the node that publishes', 8),
    readerMicros: micros('  a node that reads', 5),
    p50Millis: millis('from publishing to another node, p50', 1),
    p99Millis: millis('  p99', 8),
    saturated: {
      title: 'as fast as all take them',
      unit: 'messages/s',
      digits: 0,
      target: { atLeast: 300_000 },
    },
    joinSeconds: {
      title: 'until a node has 64 MiB',
      unit: 's',
      digits: 2,
      target: { atMost: 2 },
    },
  },
  open: async () => {
    if (process.platform !== 'linux') return { impossible: 'CPU time is read from /proc' }
    if (!HAS_REDIS) return { impossible: 'redis-server is not installed' }
    return { run, [Symbol.asyncDispose]: () => Promise.resolve() }
  },
}

function micros(title: string, atMost: number) {
  return { title: `CPU time a message: ${title.trim()}`, unit: 'µs', digits: 1, target: { atMost } }
}

function millis(title: string, atMost: number) {
  return { title, unit: 'ms', digits: 2, target: { atMost } }
}

/** A node in a process of its own. */
export class Node implements AsyncDisposable {
  readonly #child: ChildProcess

  /** @param batchMax messages of an entry, if not as many as the bus allows */
  constructor(url: string, batchMax?: number) {
    const program = `${import.meta.dir}/bus-program.ts`
    const most = batchMax === undefined ? [] : [String(batchMax)]
    this.#child = new ChildProcess([process.execPath, program, url, 'bench:', ...most], {
      name: 'bus-program.ts',
      stdin: 'pipe',
    })
  }

  get pid(): number {
    return this.#child.pid
  }

  get cpuSeconds(): number {
    return cpuSeconds(this.pid)
  }

  async answer<T>(): Promise<T> {
    const parsed = (line: string) => (line.startsWith('{') ? (JSON.parse(line) as T) : undefined)
    return await this.#child.line('an answer', parsed, ANSWER_MS_MAX)
  }

  async ask<T>(task: Task): Promise<T> {
    this.#child.send(JSON.stringify(task))
    return await this.answer<T>()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]()
  }
}

async function run(): Promise<Record<Figure, number>> {
  await using redis = await RedisServer.start()
  await using publisher = new Node(redis.url)
  await using left = new Node(redis.url)
  await using right = new Node(redis.url)
  const all = [publisher, left, right]
  await Promise.all(all.map((node) => node.answer()))
  // Compiled, and grown.
  await published(all, { perSecond: 16_666, seconds: 2 })
  const cpu = () => [cpuSeconds(redis.pid), publisher.cpuSeconds, left.cpuSeconds] as const
  const before = cpu()
  const { sent } = await published(all, COST)
  const after = cpu()
  const [engineMicros = 0, publisherMicros = 0, readerMicros = 0] = before.map(
    (seconds, at) => (((after[at] as number) - seconds) * 1e6) / sent,
  )
  const { latencies } = await published(all, LATENCY)
  const full = await published(all, FULL)
  await using joining = new Node(redis.url)
  const joined = await joining.answer<{ readyMs: number; entries: number }>()
  if (joined.entries < 100_000) throw new Error(`a node joined with ${joined.entries} entries`)
  return {
    engineMicros,
    publisherMicros,
    readerMicros,
    p50Millis: latencies[Math.floor(latencies.length / 2)] ?? 0,
    p99Millis: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
    saturated: full.sent / full.seconds,
    joinSeconds: joined.readyMs / 1_000,
  }
}

/** Has the first node publish, until all have had all of it. */
export async function published(
  nodes: readonly Node[],
  rate: { perSecond: number; seconds: number },
) {
  const [publisher, ...readers] = nodes as [Node, ...Node[]]
  const told = await publisher.ask<{ sent: number; seconds: number }>({ kind: 'publish', ...rate })
  const latencies: number[] = []
  for (const node of nodes) {
    let heard = 0
    await waitFor('a node to have had all messages', async () => {
      const figures = await node.ask<NodeFigures>({ kind: 'figures' })
      if (!figures.isInOrder || figures.gaps > 0) throw new Error('a node has missed something')
      if (readers.includes(node)) latencies.push(...figures.latenciesMs)
      heard += figures.heard
      return heard === told.sent
    })
  }
  return { ...told, latencies: latencies.sort((one, other) => one - other) }
}
