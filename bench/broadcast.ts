// Broadcast: messages about one subject that 10,000 streams follow, to comet over POST /messages
// and to a bare epoll server in C in turns. A turn of the loop has 1, 8 or 64 frames for each
// stream; the C server makes one write of as many. The clock stops with the last byte that arrives.

import type { ChildProcess } from '../scripts/support/child-process.ts'
import { compilePrograms, type Programs } from './deliveries/programs.ts'
import { receive, STEP_MS_MAX, startReceiver } from './deliveries/receiver.ts'
import type { Case, FigureSpec, Session } from './harness/case.ts'
import { type Server, startServer } from './harness/comet.ts'
import { cpuSeconds } from './harness/proc.ts'
import { numberAfter, startProgram } from './harness/process.ts'

const STREAMS = 10_000
const SUBJECT = 1
/** The 30 bytes of `CHUNK` in deliveries.h. */
const BODY = 'Fake message of thirty bytes.\n'

interface Size {
  /** That a turn of the loop has for each stream. */
  readonly frames: number
  /** That are timed at a time. */
  readonly turns: number
}

const SIZES = [
  { frames: 1, turns: 10 },
  { frames: 8, turns: 10 },
  { frames: 64, turns: 3 },
] as const satisfies readonly Size[]
type Figure = `${'comet' | 'floor' | 'ratio' | 'perSecond'}${(typeof SIZES)[number]['frames']}`

/** Each size is timed so often in a run, the two servers in turns. */
const ROUNDS = 2
/** Turns before the clock starts, so that comet's code is compiled and both ends are warm. */
const WARM: Size = { frames: 8, turns: 5 }

/** Milliseconds for the answer to one request, which promises up to 640,000 deliveries. */
const ANSWER_MS_MAX = 60_000

export const broadcast: Case<Figure> = {
  name: 'broadcast',
  figures: figures(),
  open,
}

function figures(): Record<Figure, FigureSpec> {
  const unit = 'a core-second'
  const specs = SIZES.flatMap(({ frames }): [Figure, FigureSpec][] => {
    const each = `${frames} ${frames === 1 ? 'frame' : 'frames'} a stream in a turn`
    const comet = { title: `deliveries to ${STREAMS} followers, ${each}`, unit, digits: 0 }
    return [
      [`comet${frames}`, frames < 8 ? comet : { ...comet, target: { atLeast: 1_000_000 } }],
      [`floor${frames}`, { title: '  of bare epoll in C, one write each', unit, digits: 0 }],
      [`ratio${frames}`, { title: '  ratio', unit: 'ratio', digits: 3 }],
      [`perSecond${frames}`, { title: '  of comet, a second', unit: 'a second', digits: 0 }],
    ]
  })
  return Object.fromEntries(specs) as Record<Figure, FigureSpec>
}

async function open(): Promise<Session<Figure> | { readonly impossible: string }> {
  const programs = await compilePrograms()
  if ('impossible' in programs) return programs
  return {
    run: () => run(programs),
    [Symbol.asyncDispose]: () => programs[Symbol.asyncDispose](),
  }
}

/** A server with its client. */
interface Side extends AsyncDisposable {
  readonly pid: number
  readonly client: ChildProcess
  /** Sends this; resolves once the server says that it has. */
  send(size: Size): Promise<void>
}

/** What turns of one size have taken. */
interface Taken {
  seconds: number
  cpuSeconds: number
}

async function run(programs: Programs): Promise<Record<Figure, number>> {
  await using floor = await startFloor(programs)
  await using comet = await startComet(programs)
  for (const side of [floor, comet]) await deliver(side, WARM)
  const measured: Record<string, number> = {}
  for (const size of SIZES) {
    const [ofFloor, ofComet] = [newTaken(), newTaken()]
    for (let round = 0; round < ROUNDS; round++) {
      add(ofFloor, await deliver(floor, size))
      add(ofComet, await deliver(comet, size))
    }
    const deliveries = ROUNDS * deliveriesOf(size)
    const { frames } = size
    measured[`comet${frames}`] = deliveries / ofComet.cpuSeconds
    measured[`floor${frames}`] = deliveries / ofFloor.cpuSeconds
    measured[`ratio${frames}`] = ofFloor.cpuSeconds / ofComet.cpuSeconds
    measured[`perSecond${frames}`] = deliveries / ofComet.seconds
  }
  return measured as Record<Figure, number>
}

function newTaken(): Taken {
  return { seconds: 0, cpuSeconds: 0 }
}

function add(sum: Taken, { seconds, cpuSeconds }: Taken): void {
  sum.seconds += seconds
  sum.cpuSeconds += cpuSeconds
}

function deliveriesOf({ frames, turns }: Size): number {
  return frames * turns * STREAMS
}

async function deliver({ pid, client, send }: Side, size: Size): Promise<Taken> {
  const job = `all ${size.turns} ${size.frames} ${STREAMS}`
  const before = cpuSeconds(pid)
  const seconds = await receive(client, job, () => send(size))
  return { seconds, cpuSeconds: cpuSeconds(pid) - before }
}

async function startFloor({ floor, receiver }: Programs): Promise<Side> {
  const parts = new AsyncDisposableStack()
  try {
    const server = parts.use(startProgram('floor', [floor], { stdin: 'pipe' }))
    const port = await server.line('its port', numberAfter('listening'), STEP_MS_MAX)
    const client = parts.use(await startReceiver(receiver, port, STREAMS))
    const send = async (size: Size) => {
      server.send(`all ${size.turns} ${size.frames} ${STREAMS}`)
      const sent = await server.line('its count', numberAfter('sent'), STEP_MS_MAX)
      check('floor', sent, deliveriesOf(size))
    }
    return { pid: server.pid, client, send, [Symbol.asyncDispose]: () => parts.disposeAsync() }
  } catch (error) {
    await parts.disposeAsync()
    throw error
  }
}

async function startComet({ receiver }: Programs): Promise<Side> {
  const parts = new AsyncDisposableStack()
  try {
    const server = parts.use(await startServer())
    await followSubject(server)
    const port = Number(new URL(server.publicUrl).port)
    const client = parts.use(await startReceiver(receiver, port, STREAMS))
    return {
      pid: server.program.pid,
      client,
      send: (size) => publish(server, size),
      [Symbol.asyncDispose]: () => parts.disposeAsync(),
    }
  } catch (error) {
    await parts.disposeAsync()
    throw error
  }
}

/** All users but the subject follow it; a message about it goes to itself as well. */
async function followSubject({ controlUrl }: Server): Promise<void> {
  const followers = Array.from({ length: STREAMS - 1 }, (_, at) => `${at + 2} ${SUBJECT}\n`)
  const { changed } = await post<{ changed: number }>(
    `${controlUrl}/subscriptions`,
    'text/plain',
    followers.join(''),
  )
  check('followers of the subject', changed, followers.length)
}

/**
 * One request after the other, each with what one turn has for a stream: the next is sent when the
 * last is answered, so that no turn has the messages of two.
 */
async function publish({ controlUrl }: Server, size: Size): Promise<void> {
  const { frames, turns } = size
  const line = JSON.stringify({ subject: SUBJECT, body: BODY })
  const body = Array.from({ length: frames }, () => line).join('\n')
  const type = frames === 1 ? 'application/json' : 'application/x-ndjson'
  let delivered = 0
  for (let turn = 0; turn < turns; turn++) {
    delivered += (await post<{ delivered: number }>(`${controlUrl}/messages`, type, body)).delivered
  }
  check('comet', delivered, deliveriesOf(size))
}

async function post<Answer>(url: string, type: string, body: string): Promise<Answer> {
  const signal = AbortSignal.timeout(ANSWER_MS_MAX)
  const headers = { 'content-type': type }
  const response = await fetch(url, { method: 'POST', headers, body, signal })
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as Answer
}

function check(what: string, counted: number, wanted: number): void {
  if (counted !== wanted) throw new Error(`${what}: ${counted}, not ${wanted}`)
}
