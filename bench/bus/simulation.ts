// Where one log for all machines ends, on paper: by the costs that bus/engine-costs.ts has
// measured, for clusters too large for one machine. Prints the tables of results/bus-simulation.md.
//
//   bun bench/bus/simulation.ts [bytes of a body]

import { busLimits } from '../../src/core/bus-limits.ts'
import { markdownTable } from '../harness/table.ts'

/** Microseconds of CPU time, fitted to the rows of engine-costs.ts. */
const ENGINE = {
  /** To be woken by a node that adds something, while there is nothing else to do. */
  wake: 69,
  /** To add an entry, and each of its messages. */
  entry: 6.3,
  message: 0.26,
  /** To answer a reader once, with each entry and each message of 112 bytes. */
  read: 5.7,
  entryRead: 0.5,
  messageRead: 0.015,
  /** A second of a node that does nothing: its heartbeats. */
  node: 200,
} as const

/** The same of a node, for what it reads; `wake` is for an answer that it waits for. */
export const NODE = { wake: 47, read: 17.7, entry: 0.6, message: 0.78 } as const

/** Microseconds to look for the streams of 15 followers, as measured on 24 November (20bb9a7). */
const ROUTING = 0.46

/** Bytes to each reader: of an entry, and of a message besides its body. */
const BYTES = { entry: 162, message: 13 } as const
const BODY_BYTES_MEASURED = 100

/** Turns of a node's loop that add an entry, a second, if each has something. */
const TURNS = 850
/** Reads of each node a second, at least: a message waits 20 ms for one at most. */
const READS_MIN = 50

/** Parts of a core and of a network card of 10 Gbit/s that may be used up. */
const [ENGINE_PART, NODE_PART, NETWORK_PART] = [0.8, 0.5, 0.8]
const NETWORK_BYTES = 1.25e9

export interface Cluster {
  /** That read all of the log from one server. */
  readonly readers: number
  /** That add to it. */
  readonly publishers: number
  readonly bodyBytes: number
  /** Turns of a publisher that add an entry, a second. */
  readonly turns?: number
}

/** Entries a second. */
function entriesOf({ publishers, turns = TURNS }: Cluster, perSecond: number): number {
  return Math.min(perSecond, publishers * turns)
}

/** Reads a second of one reader, the fewest that do. */
function readsOf(entries: number): number {
  return Math.min(Math.max(entries, 1), Math.max(READS_MIN, entries / busLimits.readEntries))
}

/** What one reader was counted to do in a second. */
export interface NodeCounts {
  readonly messages: number
  readonly entries: number
  readonly reads: number
  readonly wakes: number
}

/** What was counted in a second; the reads are those of all readers. */
export interface EngineCounts extends NodeCounts {
  readonly readers: number
  readonly bodyBytes: number
}

/** Microseconds of CPU time of Redis for it. */
export function engineMicros(counted: EngineCounts): number {
  const { readers, messages, entries, reads, wakes, bodyBytes } = counted
  const copied = (bodyBytes + BYTES.message) / (BODY_BYTES_MEASURED + BYTES.message)
  return (
    wakes * ENGINE.wake +
    entries * (ENGINE.entry + readers * ENGINE.entryRead) +
    messages * (ENGINE.message + readers * ENGINE.messageRead * copied) +
    reads * ENGINE.read
  )
}

/** Microseconds of CPU time of a node for what it reads. */
export function nodeMicros({ messages, entries, reads, wakes }: NodeCounts): number {
  const read = reads * NODE.read + wakes * NODE.wake
  return read + entries * NODE.entry + messages * NODE.message
}

/** Cores of Redis at its end, where it is never woken and answers no more often than it must. */
function engineCores(cluster: Cluster, messages: number): number {
  const { readers, publishers, bodyBytes } = cluster
  const entries = entriesOf(cluster, messages)
  const reads = readers * readsOf(entries)
  const work = engineMicros({ readers, messages, entries, reads, wakes: 0, bodyBytes })
  return (work + Math.max(readers, publishers) * ENGINE.node) / 1e6
}

/** Cores of a node for messages that none of its streams wants. */
function nodeCores(cluster: Cluster, messages: number): number {
  const entries = entriesOf(cluster, messages)
  const reads = readsOf(entries)
  return (nodeMicros({ messages, entries, reads, wakes: reads }) + messages * ROUTING) / 1e6
}

/** Bytes a second out of Redis. */
function outBytes(cluster: Cluster, messages: number): number {
  const entries = entriesOf(cluster, messages)
  const { readers, bodyBytes } = cluster
  return readers * (messages * (bodyBytes + BYTES.message) + entries * BYTES.entry)
}

/** The most messages a second for which a growing cost is within a limit; 0 for none. */
export function highest(cost: (messages: number) => number, limit: number): number {
  let [low, high] = [0, 1e8]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (cost(middle) > limit) high = middle
    else low = middle
  }
  return low
}

/** Where each of the three ends. */
function endsOf(cluster: Cluster) {
  const engine = highest((messages) => engineCores(cluster, messages), ENGINE_PART)
  const node = highest((messages) => nodeCores(cluster, messages), NODE_PART)
  const network = highest((messages) => outBytes(cluster, messages), NETWORK_BYTES * NETWORK_PART)
  return { engine, node, network, first: Math.min(engine, node, network) }
}

/** Two digits count, at most. */
function rounded(value: number): string {
  const [number, exponent = '0'] = value.toExponential(1).split('e')
  return (Number(number) * 10 ** Number(exponent)).toLocaleString('en', {
    maximumFractionDigits: 2,
  })
}

function endRow(name: string, cluster: Cluster): string[] {
  const { engine, node, network, first } = endsOf(cluster)
  const ofEntry = first / entriesOf(cluster, first)
  return [
    ...[name, ...[engine, network, node].map(rounded), rounded(ofEntry)],
    `${rounded(100 * nodeCores(cluster, first))} %`,
    rounded(cluster.readers * nodeCores(cluster, first)),
    `${rounded((outBytes(cluster, first) * 8) / 1e9)} Gbit/s`,
  ]
}

function ends(bodyBytes: number): string {
  const head = [
    ...['nodes', 'end of the core of Redis', 'end of 10 Gbit/s', 'end of half a core of a node'],
    ...['messages an entry', 'a node then spends', 'all nodes, cores', 'out of Redis'],
  ]
  const rows = [10, 100, 1_000].flatMap((nodes) =>
    [nodes, 3].map((publishers) =>
      endRow(publishers === 3 ? `${nodes}, of which 3 publish` : `${nodes}, which all publish`, {
        readers: nodes,
        publishers,
        bodyBytes,
      }),
    ),
  )
  return markdownTable([head, ...rows])
}

/** Nodes that one message is for, of those where the streams of so many users are by chance. */
function nodesFor(users: number, nodes: number): number {
  return nodes * (1 - (1 - 1 / nodes) ** users)
}

/** Where Redis ends if each message goes to those nodes alone that have a stream for it. */
function routedEnd(nodes: number, users: number, bodyBytes: number): number {
  const readers = nodesFor(users, nodes)
  const cost = (messages: number) => {
    const counted = { messages, entries: messages, reads: messages * readers, wakes: 0 }
    return (engineMicros({ readers, ...counted, bodyBytes }) + nodes * ENGINE.node) / 1e6
  }
  return highest(cost, ENGINE_PART)
}

function remedies(bodyBytes: number): string {
  const rows = [100, 1_000].map((nodes) => {
    const whole = { readers: nodes, publishers: nodes, bodyBytes }
    const end = (change: Partial<Cluster>) => endsOf({ ...whole, ...change }).first
    // Each shard has its own core, and all nodes read all of them.
    const sharded = 10 * highest((messages) => engineCores(whole, messages), ENGINE_PART)
    return [
      ...[String(nodes), rounded(end({}))],
      rounded(end({ turns: 100 })),
      rounded(end({ publishers: 3 })),
      rounded(end({ readers: 50 })),
      rounded(sharded),
      ...[1, 15].map((users) => rounded(routedEnd(nodes, users, bodyBytes))),
    ]
  })
  const head = [
    ...['nodes', 'one log', 'entries of 10 ms', '3 nodes publish', 'replicas with 50 readers each'],
    ...['10 logs by subject', 'routed, to 1 user', 'routed, to 15 users'],
  ]
  return markdownTable([head, ...rows])
}

if (import.meta.main) {
  const bodyBytes = Number(process.argv[2] ?? BODY_BYTES_MEASURED)
  console.log(`Messages a second, with bodies of ${bodyBytes} bytes.\n`)
  console.log(`${ends(bodyBytes)}\n`)
  console.log(remedies(bodyBytes))
}
