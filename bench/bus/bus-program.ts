// A node of the bus in a process of its own, with nothing behind it. Each line that it reads is a
// task, and each that it prints what came of it, as JSON.
//
//   bun bench/bus/bus-program.ts URL PREFIX [messages of an entry at most]

import { createInterface } from 'node:readline'
import { RedisBus } from '../../src/bus/redis-bus.ts'
import { busLimits } from '../../src/core/bus-limits.ts'
import { systemClock } from '../../src/core/clock.ts'
import { historyLimits } from '../../src/core/history-limits.ts'
import { randomFrom } from '../../src/core/random.ts'
import { parseRedisUrl } from '../../src/core/redis-address.ts'
import type { LogItem, Publication } from '../../src/log/message-bus.ts'

const SUBJECTS = 1_000_000
const BODY_BYTES = 100
/** Digits of the time that a body begins with. */
const TIME_LENGTH = 20
/** One message in so many has its latency measured. */
const TIMED_EVERY = 50

/** What a node has had since the last time that it was asked. */
export interface NodeFigures {
  readonly heard: number
  readonly isInOrder: boolean
  readonly gaps: number
  /** Milliseconds from publishing to being heard here, sorted. */
  readonly latenciesMs: readonly number[]
}

export type Task =
  | { readonly kind: 'publish'; readonly perSecond: number; readonly seconds: number }
  | { readonly kind: 'figures' }

const [url = '', prefix = '', most] = process.argv.slice(2)
const address = parseRedisUrl(url)
if (!address.ok) throw new Error(address.why)

let figures = { heard: 0, isInOrder: true, gaps: 0, latenciesMs: [] as number[] }
let last = 0

/** The same for all processes, which `process.hrtime` is not: Bun counts it from their starts. */
const nowMs = systemClock.nowMs

const startedMs = performance.now()
const origin = crypto.randomUUID().replaceAll('-', '').slice(0, 16)
const bus = new RedisBus({
  address: address.value,
  prefix,
  historyBytes: historyLimits.bytesDefault,
  limits: { ...busLimits, batchMessagesMax: Number(most ?? busLimits.batchMessagesMax) },
  listener: { onItem, onGap: () => figures.gaps++ },
  intern: () => null,
  nameOf: String,
  clock: systemClock,
  random: Math.random,
  origin,
  node: { name: `node ${process.pid}`, address: 'none', version: 'bench', startedMs: nowMs() },
})
await bus.ready
const readyMs = performance.now() - startedMs
// Numbers have no holes once all nodes have joined.
while (bus.members.get(origin) === null) await new Promise((resolve) => setTimeout(resolve, 1))
print({ readyMs, entries: bus.window.last - bus.window.oldest + 1 })

function onItem(item: LogItem, { number }: { number: number }): void {
  figures.heard++
  if (last !== 0 && number !== last + 1) figures.isInOrder = false
  last = number
  if (figures.heard % TIMED_EVERY !== 0 || item === 'barrier' || 'follows' in item) return
  figures.latenciesMs.push(
    nowMs() - Number(Buffer.from(item.bytes.subarray(0, TIME_LENGTH)).toString()),
  )
}

const random = randomFrom(20_261_130)
const filling = 'x'.repeat(BODY_BYTES - TIME_LENGTH)
const encoder = new TextEncoder()

function publishOne(publication: Publication): boolean {
  const text = nowMs().toFixed(3).padStart(TIME_LENGTH, '0') + filling
  const other = { event: null, isJson: false, name: null, key: null }
  const target = 1 + random(SUBJECTS)
  const item = { bytes: encoder.encode(text), isAbout: true, target, ...other }
  return bus.publish(item, publication).ok
}

async function publish({ perSecond, seconds }: Task & { kind: 'publish' }): Promise<void> {
  let [sent, accepted] = [0, 0]
  const publication: Publication = {
    onAccepted: () => accepted++,
    onRepeated: () => {
      throw new Error('repeated')
    },
    onRefused: (why) => {
      throw new Error(why)
    },
    settle: () => undefined,
    late: () => undefined,
  }
  const beganMs = performance.now()
  for (;;) {
    const elapsed = Math.min(seconds, (performance.now() - beganMs) / 1_000)
    while (sent < elapsed * perSecond && publishOne(publication)) sent++
    if (elapsed === seconds) break
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  while (accepted < sent) await new Promise((resolve) => setTimeout(resolve, 1))
  print({ sent, seconds: (performance.now() - beganMs) / 1_000 })
}

function print(value: unknown): void {
  console.log(JSON.stringify(value))
}

for await (const line of createInterface({ input: process.stdin })) {
  const task = JSON.parse(line) as Task
  if (task.kind === 'publish') await publish(task)
  else {
    figures.latenciesMs.sort((left, right) => left - right)
    print(figures satisfies NodeFigures)
    figures = { heard: 0, isInOrder: true, gaps: 0, latenciesMs: [] }
  }
}
