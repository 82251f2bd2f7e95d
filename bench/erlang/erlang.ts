// Erlang: how many messages a second comet takes from an Erlang node, one each, a thousand a list,
// and by calls that wait for their answers, beside the same over `POST /messages` to the same
// server, while 1,000 streams receive them. Checked against what the streams received.

import { type ChildProcess, waitFor } from '../../scripts/support/child-process.ts'
import { freePort } from '../../scripts/support/comet.ts'
import { makeFolder } from '../../scripts/support/folder.ts'
import { withTimeout } from '../../src/core/deadline.ts'
import type { Case, FigureSpec, Session } from '../harness/case.ts'
import { openFlood, type Server, startServer } from '../harness/comet.ts'
import { startProgram } from '../harness/process.ts'
import {
  BATCH,
  checked,
  compareReceived,
  SINGLE,
  STREAMS,
  timed,
  timedPost,
} from '../publishing/publishing.ts'

const COOKIE = 'benchmark'
const COMET_NODE = 'comet_bench@localhost'
const SENDER_NODE = 'sender_bench@localhost'
const SOON_MS = 15_000
const COMPILE_MS_MAX = 60_000
const PUBLISH_MS_MAX = 120_000

/** How Erlang sends, in the words of comet_publisher.erl; `send` first warms up what all share. */
const METHODS = {
  send: { warm: 100_000, timed: 400_000 },
  batch: { warm: 100_000, timed: 400_000 },
  call: { warm: 32_000, timed: 96_000 },
} as const
type Method = keyof typeof METHODS

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
  const folder = await makeFolder()
  const compiled = Bun.$`erlc -o ${folder.path} ${import.meta.dir}/comet_publisher.erl`
  await withTimeout('erlc to compile the publisher', compiled, COMPILE_MS_MAX)
  return {
    run: () => run(folder.path),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

async function run(folder: string): Promise<Record<Figure, number>> {
  const env = {
    ERL_CRASH_DUMP_BYTES: '0',
    ERL_EPMD_PORT: String(freePort()),
    COMET_ERLANG_COOKIE: COOKIE,
  }
  await using _ = startProgram('epmd', ['epmd'], { env })
  await using server = await startServer({ env, args: ['--erlang-name', COMET_NODE] })
  await using flood = await openFlood(server, STREAMS)
  await registered(server)
  await using sender = await startSender(folder, env)
  let delivered = await checked(server)
  const figures: Partial<Record<Figure, number>> = {}
  for (const method of ['send', 'batch', 'call'] as const) {
    const { warm, timed: count } = METHODS[method]
    await publishFrom(sender, method, warm)
    const result = await timed(server, count, () => publishFrom(sender, method, count))
    figures[method] = result.perSecond
    figures[`${method}Cores`] = result.cores
    delivered += warm + count
  }
  const [single, batched] = [await timedPost(server, SINGLE), await timedPost(server, BATCH)]
  await compareReceived(flood, delivered + single.delivered + batched.delivered)
  return {
    ...(figures as Record<Figure, number>),
    postSingle: single.perSecond,
    postSingleCores: single.cores,
    postBatch: batched.perSecond,
    postBatchCores: batched.cores,
  }
}

async function startSender(folder: string, env: Record<string, string>): Promise<ChildProcess> {
  const command = [
    ...['erl', '-noshell', '-start_epmd', 'false', '-pa', folder],
    ...['-sname', SENDER_NODE, '-hidden', '-setcookie', COOKIE],
    ...['-run', 'comet_publisher', 'start', COMET_NODE],
  ]
  const sender = startProgram('erl', command, { env, stdin: 'pipe' })
  await sender.line('its connection', (line) => line === 'ready' || undefined, SOON_MS)
  return sender
}

/** epmd is started at the same time; Erlang cannot find comet before epmd knows it. */
async function registered(server: Server): Promise<void> {
  const look = async () => (await server.stats()).erlang?.registered
  await waitFor('the registration of comet', look, SOON_MS, { everyMs: 20 })
}

async function publishFrom(sender: ChildProcess, method: Method, count: number): Promise<void> {
  sender.send(`${method} ${count}`)
  await sender.line(
    `the end of ${method}`,
    (line) => line.startsWith('done ') || undefined,
    PUBLISH_MS_MAX,
  )
}
