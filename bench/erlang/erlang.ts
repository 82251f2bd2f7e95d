// Erlang: how many messages a second comet takes from an Erlang node, one each, a thousand a list, and
// by calls that wait for their answers, beside the same over `POST /messages` to the same server, while
// 1,000 streams receive them. Checked against what the streams received.

import { withTimeout } from '../../src/core/deadline.ts'
import type { Case, FigureSpec, Session } from '../harness/case.ts'
import { Child, temporaryFolder, until } from '../harness/child.ts'
import { type Comet, startComet, startFlood } from '../harness/comet.ts'
import {
  BATCH,
  checked,
  compareReceived,
  SINGLE,
  STREAMS,
  settledStats,
  timed,
} from '../publishing/publishing.ts'

const COOKIE = 'benchmark'
const COMET_NODE = 'comet_bench@localhost'
const SENDER_NODE = 'sender_bench@localhost'
const SOON_MS = 15_000
const COMPILE_MS_MAX = 60_000
const PUBLISH_MS_MAX = 120_000

/** How Erlang sends, in the words of comet_publisher.erl; `send` first warms up what all share. */
const WAYS = {
  send: { warm: 100_000, timed: 400_000 },
  batch: { warm: 100_000, timed: 400_000 },
  call: { warm: 32_000, timed: 96_000 },
} as const
type Way = keyof typeof WAYS

const perSecond = (title: string): FigureSpec => ({ title, unit: 'a second', digits: 0 })
const cores = (): FigureSpec => ({ title: '  cores busy in comet', unit: 'cores', digits: 2 })

const FIGURES = {
  send: perSecond('messages from Erlang, one each'),
  sendCores: cores(),
  batch: perSecond('messages from Erlang, 1,000 a list'),
  batchCores: cores(),
  call: perSecond('calls from Erlang, 32 processes that wait'),
  callCores: cores(),
  postSingle: perSecond('messages over POST, one a request, 32 connections'),
  postSingleCores: cores(),
  postBatch: perSecond('messages over POST, 1,000 a request'),
  postBatchCores: cores(),
} as const
type Figure = keyof typeof FIGURES

export const erlang: Case<Figure> = { name: 'erlang', figures: FIGURES, open }

async function open(): Promise<Session<Figure> | { impossible: string }> {
  const missing = ['erl', 'erlc', 'epmd'].find((name) => Bun.which(name) === null)
  if (missing !== undefined) return { impossible: `${missing} is not installed (erlang-base)` }
  const folder = await temporaryFolder()
  const compiled = Bun.$`erlc -o ${folder.path} ${import.meta.dir}/comet_publisher.erl`
  await withTimeout('erlc to compile the publisher', compiled, COMPILE_MS_MAX)
  return {
    run: () => run(folder.path),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

async function run(folder: string): Promise<Record<Figure, number>> {
  const environment = [
    'ERL_CRASH_DUMP_BYTES=0',
    `ERL_EPMD_PORT=${freePort()}`,
    `COMET_ERLANG_COOKIE=${COOKIE}`,
  ]
  await using _ = new Child('epmd', ['env', ...environment, 'epmd'])
  await using comet = await startComet({ environment, args: ['--erlang-name', COMET_NODE] })
  await using flood = await startFlood(comet, STREAMS)
  await registered(comet)
  await using sender = await startSender(folder, environment)
  let delivered = await checked(comet)
  const figures: Partial<Record<Figure, number>> = {}
  for (const way of ['send', 'batch', 'call'] as const) {
    const result = await timedFrom(sender, comet, way)
    figures[way] = result.perSecond
    figures[`${way}Cores`] = result.cores
    delivered += WAYS[way].warm + WAYS[way].timed
  }
  const [single, batched] = [await timed(comet, SINGLE), await timed(comet, BATCH)]
  await compareReceived(flood, delivered + single.delivered + batched.delivered)
  return {
    ...(figures as Record<Figure, number>),
    postSingle: single.perSecond,
    postSingleCores: single.cores,
    postBatch: batched.perSecond,
    postBatchCores: batched.cores,
  }
}

async function startSender(folder: string, environment: readonly string[]): Promise<Child> {
  const child = new Child('erl', [
    ...['env', ...environment, 'erl', '-noshell', '-start_epmd', 'false', '-pa', folder],
    ...['-sname', SENDER_NODE, '-hidden', '-setcookie', COOKIE],
    ...['-run', 'comet_publisher', 'start', COMET_NODE],
  ])
  await child.line('its connection', (line) => line === 'ready' || undefined, SOON_MS)
  return child
}

/** The port mapper is started at the same time; Erlang cannot find comet before it knows it. */
async function registered(comet: Comet): Promise<void> {
  const look = async () => (await comet.stats()).erlang?.registered || undefined
  await until('its registration', look, SOON_MS)
}

async function timedFrom(sender: Child, comet: Comet, way: Way) {
  await publishFrom(sender, way, WAYS[way].warm)
  const before = await settledStats(comet)
  const count = WAYS[way].timed
  const startedMs = performance.now()
  await publishFrom(sender, way, count)
  // The clock stops once no frame waits in the server any more, as it does for POST.
  const after = await settledStats(comet)
  const seconds = (performance.now() - startedMs) / 1000
  const accepted = after.messages.accepted - before.messages.accepted
  const handed = after.deliveries.delivered - before.deliveries.delivered
  if (accepted !== count || handed !== count) {
    throw new Error(`${accepted} of ${count} messages were taken, ${handed} delivered`)
  }
  return {
    perSecond: count / seconds,
    cores: (after.process.cpuSeconds - before.process.cpuSeconds) / seconds,
  }
}

async function publishFrom(sender: Child, way: Way, count: number): Promise<void> {
  sender.send(`${way} ${count}`)
  await sender.line(
    `the end of ${way}`,
    (line) => line.startsWith('done ') || undefined,
    PUBLISH_MS_MAX,
  )
}

function freePort(): number {
  using listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: () => undefined } })
  return listener.port
}
