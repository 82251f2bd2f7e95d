// Publishing: how many messages the control port accepts a second, one a request and a thousand a
// request, while 1,000 connected streams receive them. The CPU time of the server beside each
// figure says whether the server was the limit. Checked against what the streams received.

import { waitFor } from '../../scripts/support/child-process.ts'
import type { Stats } from '../../src/control/stats.ts'
import { randomFrom } from '../../src/core/random.ts'
import { type Case, nothingToClose } from '../harness/case.ts'
import { type Flood, openFlood, type Server, startServer, stopFlawless } from '../harness/comet.ts'
import { postMessages, publish } from './publisher.ts'

export const STREAMS = 1_000
/** Milliseconds until no frame waits in the server; a run takes seconds. */
const OUTBOX_MS_MAX = 10_000
const BODY = 'Fake message of thirty bytes.'

/** One way to publish. */
interface Method {
  readonly requests: readonly Uint8Array[]
  readonly messagesEach: number
  readonly lanes: number
  readonly warmRequests: number
  readonly timedRequests: number
}

const random = randomFrom(1)
const toRandomUser = () => message(1 + random(STREAMS))

export const SINGLE: Method = {
  requests: Array.from({ length: 4_096 }, () => postMessages('json', toRandomUser())),
  messagesEach: 1,
  lanes: 32,
  warmRequests: 10_000,
  timedRequests: 40_000,
}

export const BATCH: Method = {
  requests: Array.from({ length: 64 }, () => batch(Array.from({ length: 1_000 }, toRandomUser))),
  messagesEach: 1_000,
  lanes: 4,
  warmRequests: 50,
  timedRequests: 300,
}

export const publishing: Case<'single' | 'singleCores' | 'batch' | 'batchCores'> = {
  name: 'publishing',
  figures: {
    single: { title: 'messages accepted, one a request', unit: 'a second', digits: 0 },
    singleCores: { title: '  cores busy in comet', unit: 'cores', digits: 2 },
    batch: { title: 'messages accepted, 1,000 a request', unit: 'a second', digits: 0 },
    batchCores: { title: '  cores busy in comet', unit: 'cores', digits: 2 },
  },
  open: async () => ({ run, ...nothingToClose }),
}

async function run() {
  await using server = await startServer()
  await using flood = await openFlood(server, STREAMS)
  let delivered = await checked(server)
  const [single, batched] = [await timedPost(server, SINGLE), await timedPost(server, BATCH)]
  delivered += single.delivered + batched.delivered
  await compareReceived(flood, delivered)
  return {
    single: single.perSecond,
    singleCores: single.cores,
    batch: batched.perSecond,
    batchCores: batched.cores,
  }
}

/**
 * Before the clock starts: a message to each user reaches one stream, by either method.
 *
 * @returns all deliveries
 */
export async function checked({ controlUrl }: Server): Promise<number> {
  const each = Array.from({ length: STREAMS }, (_, at) => message(at + 1))
  const requests = each.map((text) => postMessages('json', text))
  const single = { controlUrl, requests, count: requests.length, lanes: SINGLE.lanes }
  const batched = { controlUrl, requests: [batch(each)], count: 1, lanes: 1 }
  for (const options of [single, batched]) {
    const delivered = await publish(options)
    if (delivered !== STREAMS) throw new Error(`${delivered} of ${STREAMS} were delivered`)
  }
  return 2 * STREAMS
}

/** Times a method of `POST /messages`, once it is warm. */
export async function timedPost(server: Server, method: Method) {
  const { controlUrl } = server
  const { requests, lanes, messagesEach, warmRequests, timedRequests } = method
  const warm = await publish({ controlUrl, requests, count: warmRequests, lanes })
  const messages = timedRequests * messagesEach
  const figures = await timed(server, messages, async () => {
    const delivered = await publish({ controlUrl, requests, count: timedRequests, lanes })
    if (delivered !== messages) throw new Error(`${delivered} of ${messages} were delivered`)
  })
  return { ...figures, delivered: warm + messages }
}

/** Times so many messages, until no frame waits in the server any more. */
export async function timed(server: Server, messages: number, send: () => Promise<void>) {
  const before = await settledStats(server)
  const startedMs = performance.now()
  await send()
  const after = await settledStats(server)
  const seconds = (performance.now() - startedMs) / 1000
  const accepted = after.messages.accepted - before.messages.accepted
  const delivered = after.deliveries.delivered - before.deliveries.delivered
  if (accepted !== messages || delivered !== messages) {
    throw new Error(`${accepted} of ${messages} messages were accepted, ${delivered} delivered`)
  }
  return {
    perSecond: messages / seconds,
    cores: (after.process.cpuSeconds - before.process.cpuSeconds) / seconds,
  }
}

/** The server's figures once no frame waits in it. */
async function settledStats(server: Server): Promise<Stats> {
  const look = async () => {
    const stats = await server.stats()
    return stats.outbox.queuedBytes === 0 && stats
  }
  return waitFor('empty outboxes', look, OUTBOX_MS_MAX, { everyMs: 20 })
}

/** Everything that the server promised, and the welcomes, must have arrived, and nothing else. */
export async function compareReceived(flood: Flood, delivered: number): Promise<void> {
  const { received } = await stopFlawless(flood)
  const expected = STREAMS + delivered
  if (received.chunks !== expected) {
    throw new Error(`${expected} chunks were promised, ${received.chunks} came`)
  }
}

function message(user: number): string {
  return `{"to":${user},"body":"${BODY}"}`
}

function batch(messages: readonly string[]): Uint8Array {
  return postMessages('x-ndjson', messages.join('\n'))
}
