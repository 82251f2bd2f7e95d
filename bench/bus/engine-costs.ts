// What Redis spends on the log that machines share, by how many read it and how full its entries
// are: CPU time, and bytes to the network. The costs of bus/simulation.ts are from here. Two of the
// readers are nodes, of which one publishes; the others make nothing of what they read.
//
//   bun bench/bus/engine-costs.ts [readers …]

import { readdirSync, readFileSync } from 'node:fs'
import { ChildProcess } from '../../scripts/support/child-process.ts'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { markdownTable } from '../harness/table.ts'
import { Node, published } from './bus.ts'

/** Messages a second, in entries of what a turn of the loop has; and of one message each, as of
 * many nodes of which each has little to add. */
const RATES = [500, 2_000, 16_666, 66_664]
const SINGLE_RATES = [2_000, 4_000, 8_000]
const SECONDS = 3
/** Milliseconds until all light readers are there. */
const READY_MS_MAX = 20_000

/** What Redis has counted since its start. */
interface Counts {
  readonly cpuSeconds: number
  readonly entries: number
  readonly reads: number
  readonly outBytes: number
  readonly inBytes: number
}

async function countsOf(redis: RedisServer): Promise<Counts> {
  const info = String(await redis.command('INFO', 'everything'))
  const figure = (pattern: RegExp) => Number(pattern.exec(info)?.[1] ?? 0)
  return {
    cpuSeconds: figure(/used_cpu_user:([\d.]+)/) + figure(/used_cpu_sys:([\d.]+)/),
    entries: figure(/cmdstat_xadd:calls=(\d+)/),
    reads: figure(/cmdstat_xread:calls=(\d+)/),
    outBytes: figure(/total_net_output_bytes:(\d+)/),
    inBytes: figure(/total_net_input_bytes:(\d+)/),
  }
}

function difference(after: Counts, before: Counts): Counts {
  const names = Object.keys(before) as (keyof Counts)[]
  const pairs = names.map((name) => [name, after[name] - before[name]])
  return Object.fromEntries(pairs) as unknown as Counts
}

/** CPU time of all threads, finer than the ticks of /proc/PID/stat. */
function threadSeconds(pid: number): number {
  const ns = readdirSync(`/proc/${pid}/task`).map((task) =>
    Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
  )
  return ns.reduce((sum, one) => sum + one, 0) / 1e9
}

/** @param batchMax messages of an entry, if not as many as the bus allows */
async function rowsOf(
  readers: number,
  rates: readonly number[],
  batchMax?: number,
): Promise<string[][]> {
  await using redis = await RedisServer.start()
  await using publisher = new Node(redis.url, batchMax)
  await using reader = new Node(redis.url)
  const nodes = [publisher, reader]
  await Promise.all(nodes.map((node) => node.answer()))
  const program = `${import.meta.dir}/light-readers.ts`
  const args = [redis.url, 'bench:log', String(readers - 2)]
  await using light = new ChildProcess([process.execPath, program, ...args])
  await light.line('all are there', (line) => line === '{}' || undefined, READY_MS_MAX)
  // Compiled.
  await published(nodes, { perSecond: 8_000, seconds: 1 })
  const rows: string[][] = []
  for (const perSecond of rates) {
    const before = await countsOf(redis)
    const cpuBefore = nodes.map(({ pid }) => threadSeconds(pid))
    const { sent, seconds } = await published(nodes, { perSecond, seconds: SECONDS })
    const spent = difference(await countsOf(redis), before)
    const cpu = nodes.map(({ pid }, at) => threadSeconds(pid) - (cpuBefore[at] as number))
    rows.push([
      String(readers),
      (sent / seconds).toFixed(0),
      (sent / spent.entries).toFixed(1),
      ((spent.entries * readers) / spent.reads).toFixed(2),
      (spent.cpuSeconds / seconds).toFixed(2),
      micros(spent.cpuSeconds / sent),
      micros(spent.cpuSeconds / spent.entries),
      ...cpu.map((one) => micros(one / sent)),
      (spent.inBytes / sent).toFixed(0),
      (spent.outBytes / sent / readers).toFixed(0),
    ])
  }
  return rows
}

function micros(seconds: number): string {
  return `${(seconds * 1e6).toFixed(2)} µs`
}

if (!HAS_REDIS) throw new Error('redis-server is not installed')
const HEAD = [
  ...['readers', 'messages/s', 'of an entry', 'entries a read', 'cores of Redis'],
  ...['Redis a message', 'an entry', 'publisher a message', 'reader a message'],
  ...['bytes in a message', 'bytes out a message and reader'],
]
const given = process.argv.slice(2).map(Number)
const rows: string[][] = []
for (const count of given.length > 0 ? given : [2, 3, 6, 12, 30]) {
  rows.push(...(await rowsOf(count, RATES)), ...(await rowsOf(count, SINGLE_RATES, 1)))
}
console.log(markdownTable([HEAD, ...rows]))
