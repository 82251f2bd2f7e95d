// To names: the server's CPU time for a message that says its receiver by name, beside one that
// says a number, one message a request. Both go to one server, in turns, and to open streams; the
// clock stops when no frame waits in the server.

import { randomFrom } from '../../src/core/random.ts'
import { type Case, nothingToClose } from '../harness/case.ts'
import { type Flood, type Server, startFlood, startServer, stopFlawless } from '../harness/comet.ts'
import { postMessages, publish } from '../publishing/publisher.ts'
import { timedPost } from '../publishing/publishing.ts'
import { nameOf } from './name-table.ts'

/** Of each kind. */
const STREAMS = 1_000
const LANES = 32
/**
 * Of each kind, each after the other. The first do not count: in them the server compiles what it
 * runs.
 */
const WARM_TURNS = 2
const TURNS = 6
const WARM_REQUESTS = 2_000
const TIMED_REQUESTS = 15_000
const BODY = 'Fake message of thirty bytes.'

const KINDS = ['numbers', 'names'] as const
type Kind = (typeof KINDS)[number]

/** The receiver as JSON has it. */
const RECEIVERS: Readonly<Record<Kind, (at: number) => string>> = {
  numbers: (at) => String(at),
  names: (at) => JSON.stringify(nameOf(at)),
}

type Figure = `${Kind}${'Micros' | 'Cores'}`

export const toNames: Case<Figure> = {
  name: 'to-names',
  figures: {
    numbersMicros: { title: 'CPU time a message to a number', unit: 'µs', digits: 1 },
    numbersCores: { title: '  cores busy in comet', unit: 'cores', digits: 2 },
    namesMicros: { title: 'CPU time a message to a name', unit: 'µs', digits: 1 },
    namesCores: { title: '  cores busy in comet', unit: 'cores', digits: 2 },
  },
  open: async () => ({ run, ...nothingToClose }),
}

async function run(): Promise<Record<Figure, number>> {
  await using server = await startServer()
  await using numbered = await opened(server, '{id}', STREAMS)
  await using named = await opened(server, 'user-{id}', 2 * STREAMS)
  const [numbers, names] = [new Turns('numbers'), new Turns('names')]
  for (const turns of [numbers, names]) await turns.check(server)
  for (let turn = 0; turn < WARM_TURNS + TURNS; turn++) {
    // Each kind is first as often as the other.
    const order = turn % 2 === 0 ? [numbers, names] : [names, numbers]
    for (const turns of order) await turns.take(server, turn >= WARM_TURNS)
  }
  await compareReceived(numbered, numbers.delivered)
  await compareReceived(named, names.delivered)
  return {
    numbersMicros: numbers.micros,
    numbersCores: numbers.cores,
    namesMicros: names.micros,
    namesCores: names.cores,
  }
}

/** Streams of the users from 1 on. */
async function opened(server: Server, user: string, openThen: number): Promise<Flood> {
  const url = `${server.publicUrl}/stream/${user}?format=raw`
  const flood = startFlood(url, STREAMS, { output: '--json' })
  try {
    await server.streamsOpen(openThen)
    return flood
  } catch (error) {
    await flood[Symbol.asyncDispose]()
    throw error
  }
}

/** The turns of one kind of receivers. */
class Turns {
  /** All deliveries so far. */
  delivered = 0
  #coreSeconds = 0
  #seconds = 0
  readonly #kind: Kind
  readonly #requests: readonly Uint8Array[]

  constructor(kind: Kind) {
    this.#kind = kind
    const random = randomFrom(1)
    this.#requests = Array.from({ length: 4_096 }, () => requestTo(kind, 1 + random(STREAMS)))
  }

  get micros(): number {
    return (this.#coreSeconds * 1e6) / (TURNS * TIMED_REQUESTS)
  }

  get cores(): number {
    return this.#coreSeconds / this.#seconds
  }

  /** Before the clock starts: a message to each user reaches one stream. */
  async check({ controlUrl }: Server): Promise<void> {
    const requests = Array.from({ length: STREAMS }, (_, at) => requestTo(this.#kind, at + 1))
    const delivered = await publish({ controlUrl, requests, count: STREAMS, lanes: LANES })
    if (delivered !== STREAMS) throw new Error(`${delivered} of ${STREAMS} were delivered`)
    this.delivered += delivered
  }

  async take(server: Server, counts: boolean): Promise<void> {
    const { perSecond, cores, delivered } = await timedPost(server, {
      requests: this.#requests,
      messagesEach: 1,
      lanes: LANES,
      warmRequests: WARM_REQUESTS,
      timedRequests: TIMED_REQUESTS,
    })
    this.delivered += delivered
    if (!counts) return
    const seconds = TIMED_REQUESTS / perSecond
    this.#seconds += seconds
    this.#coreSeconds += cores * seconds
  }
}

function requestTo(kind: Kind, at: number): Uint8Array {
  return postMessages('json', `{"to":${RECEIVERS[kind](at)},"body":"${BODY}"}`)
}

/** These streams have no welcome: what the server promised must have come, and nothing else. */
async function compareReceived(flood: Flood, promised: number): Promise<void> {
  const { received } = await stopFlawless(flood)
  if (received.chunks === promised) return
  throw new Error(`${promised} chunks were promised, ${received.chunks} came`)
}
