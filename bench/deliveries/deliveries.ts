// Deliveries: what comet adds to the one system call that a delivery needs. The same client takes
// the same messages for the same random users from a bare epoll server in C and from comet, in
// short turns, so that both meet the same machine; the ratio of the two is the figure.

import type { ChildProcess } from '../../scripts/support/child-process.ts'
import type { Case, Session } from '../harness/case.ts'
import { cpuSeconds } from '../harness/proc.ts'
import { compileBun, numberAfter, startProgram } from '../harness/process.ts'
import { compilePrograms, type Programs } from './programs.ts'
import { receive, STEP_MS_MAX, startReceiver } from './receiver.ts'

const STREAMS = 10_000
/** Timed in each turn, and turns of each server in a run. */
const MESSAGES = 100_000
const TURNS = 3
/** Sent before the clock starts, so that comet's code is compiled and both ends are warm. */
const WARM_MESSAGES = 100_000

/** A server with its client, and what its turns have taken. */
interface Side extends AsyncDisposable {
  readonly server: ChildProcess
  readonly client: ChildProcess
  seconds: number
  /** CPU time of the server; as much as the clock says if the server is the limit. */
  cpuSeconds: number
}

type Figure = 'ratio' | 'comet' | 'floor' | 'cometCores' | 'floorCores'

export const deliveries: Case<Figure> = {
  name: 'deliveries',
  figures: {
    ratio: {
      title: 'deliveries a second, comet to bare epoll in C',
      unit: 'ratio',
      digits: 3,
      target: { atLeast: 0.75 },
    },
    comet: { title: '  of comet', unit: 'a second', digits: 0 },
    floor: { title: '  of bare epoll in C', unit: 'a second', digits: 0 },
    cometCores: { title: '  cores busy in comet', unit: 'cores', digits: 2 },
    floorCores: { title: '  cores busy in bare epoll', unit: 'cores', digits: 2 },
  },
  // Short and noisy: a few more pairs steady the median.
  runsMin: 7,
  open,
}

async function open(): Promise<Session<Figure> | { readonly impossible: string }> {
  const programs = await compilePrograms()
  if ('impossible' in programs) return programs
  const comet = `${programs.folder}/delivery-server`
  await compileBun(`${import.meta.dir}/delivery-server.ts`, comet)
  return {
    run: () => run(programs, comet),
    [Symbol.asyncDispose]: () => programs[Symbol.asyncDispose](),
  }
}

async function run(programs: Programs, server: string): Promise<Record<Figure, number>> {
  await using floor = await startSide('floor', programs.floor, programs.receiver)
  await using comet = await startSide('delivery-server', server, programs.receiver)
  for (let turn = 1; turn <= TURNS; turn++) {
    await takeTurn(floor, turn)
    await takeTurn(comet, turn)
  }
  const perSecond = ({ seconds }: Side) => (TURNS * MESSAGES) / seconds
  return {
    ratio: perSecond(comet) / perSecond(floor),
    comet: perSecond(comet),
    floor: perSecond(floor),
    cometCores: comet.cpuSeconds / comet.seconds,
    floorCores: floor.cpuSeconds / floor.seconds,
  }
}

/** Opened, checked with one message a stream, and warm. */
async function startSide(name: string, program: string, receiver: string): Promise<Side> {
  const parts = new AsyncDisposableStack()
  try {
    const server = parts.use(startProgram(name, [program], { stdin: 'pipe' }))
    const port = await server.line('its port', numberAfter('listening'), STEP_MS_MAX)
    const client = parts.use(await startReceiver(receiver, port, STREAMS))
    await deliver(server, client, `each ${STREAMS}`, STREAMS)
    await deliver(server, client, `random ${WARM_MESSAGES} ${STREAMS} ${TURNS + 1}`, WARM_MESSAGES)
    return {
      server,
      client,
      seconds: 0,
      cpuSeconds: 0,
      [Symbol.asyncDispose]: () => parts.disposeAsync(),
    }
  } catch (error) {
    await parts.disposeAsync()
    throw error
  }
}

/** The turn is the seed: both servers send to the same users. */
async function takeTurn(side: Side, turn: number): Promise<void> {
  const { server, client } = side
  const cpuBefore = cpuSeconds(server.pid)
  side.seconds += await deliver(server, client, `random ${MESSAGES} ${STREAMS} ${turn}`, MESSAGES)
  side.cpuSeconds += cpuSeconds(server.pid) - cpuBefore
}

/** Tells both ends what to send and to expect; returns the seconds that it took. */
async function deliver(
  server: ChildProcess,
  client: ChildProcess,
  job: string,
  messages: number,
): Promise<number> {
  const seconds = await receive(client, job, () => server.send(job))
  const sent = await server.line('its count', numberAfter('sent'), STEP_MS_MAX)
  if (sent !== messages) throw new Error(`${server.name} counts ${sent} of ${messages} deliveries`)
  return seconds
}
