// Sends random and damaged requests, pipelined and cut anywhere, to a real port, by clients that
// read slowly, close their half or leave, and reports answers that are wrong, missing or out of
// order, bugs, hangs, and connections that are left.
//
//   bun scripts/fuzz/http-connections.ts [--inputs 100000] [--seed N]  exits 1 at the first failure

import type { Socket } from 'bun'
import { settledWithin } from '../../src/core/deadline.ts'
import { type RandomBelow, randomFrom } from '../../src/core/random.ts'
import { cutAt } from '../../src/flood/pieces.fixture.ts'
import { listening } from '../../src/http/listener.fixture.ts'
import { answersIn, type RawAnswer } from '../support/answers.ts'
import { fuzz, INPUT_MS_MAX } from './fuzz.ts'
import { handle as handleByHead, isAborted, type Wanted, wantedOf } from './http-handlers.ts'
import { readNaively, type Seen } from './http-naive.ts'
import { inputOf as requestsOf } from './http-requests.ts'

/** Connections at the same time. */
const CONCURRENT = 20

type Leaving =
  /** Closes its half behind the last byte. */
  | 'half'
  /** Waits for its answers, and closes then. */
  | 'stays'
  /** Resets the connection at some byte. */
  | 'resets'

interface Input {
  readonly wire: Buffer
  readonly cuts: readonly number[]
  readonly leaving: Leaving
  /** Does it pause between two reads? */
  readonly isSlow: boolean
  /** Bytes that are sent before a reset. */
  readonly resetAt: number
}

function oneOf<T>(random: RandomBelow, choices: readonly T[]): T {
  return choices[random(choices.length)] as T
}

/** A request with a body of up to some hundred KiB. */
function longRequest(random: RandomBelow): string {
  const method = oneOf(random, ['GET', 'POST', 'POST', 'PUT', 'HEAD'])
  const head = `${method} /${random(1_000)} HTTP/1.1\r\nHost: x\r\n`
  const waits = random(8) === 0 ? 'Expect: 100-continue\r\n' : ''
  const bytes = oneOf(random, [0, 1, 100, 60_000, 65_536, 65_537, 100_000, 300_000])
  const body = oneOf(random, ['a', '\r\n', 'GET / HTTP/1.1\r\n']).repeat(bytes).slice(0, bytes)
  if (random(2) === 0) return `${head}${waits}Content-Length: ${bytes}\r\n\r\n${body}`
  const chunks: string[] = []
  for (let at = 0; at < bytes; ) {
    const chunk = body.slice(at, at + 1 + random(70_000))
    at += chunk.length
    chunks.push(`${chunk.length.toString(16)}\r\n${chunk}\r\n`)
  }
  return `${head}${waits}Transfer-Encoding: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`
}

function shortRequest(random: RandomBelow): string {
  const method = oneOf(random, ['GET', 'GET', 'HEAD', 'DELETE'])
  return `${method} /${random(1_000)} HTTP/1.1\r\nHost: x\r\n\r\n`
}

/** The input of a seed. */
export function inputOf(seed: number): Input {
  const random = randomFrom(seed)
  const kind = random(10)
  const many = (most: number, make: () => string) =>
    Array.from({ length: 1 + random(most) }, make).join('')
  const { wire, cuts } =
    kind < 5 ? requestsOf(seed) : { wire: Buffer.alloc(0), cuts: [] as readonly number[] }
  const mine =
    kind < 5
      ? wire
      : Buffer.from(
          kind < 8
            ? many(oneOf(random, [30, 30, 300]), () => shortRequest(random))
            : many(4, () => longRequest(random) + (random(2) === 0 ? shortRequest(random) : '')),
          'latin1',
        )
  return {
    wire: mine,
    cuts: kind < 5 ? cuts : Array.from({ length: random(8) }, () => random(mine.length + 1)),
    leaving: oneOf(random, ['half', 'half', 'stays', 'resets']),
    isSlow: random(4) === 0,
    resetAt: random(mine.length + 1),
  }
}

/** What came of a connection. */
interface Found {
  readonly text: string
  readonly end: 'closed' | 'reset' | 'hung'
}

class Client {
  readonly #socket: Promise<Socket<Client>>
  readonly #parts: Buffer[] = []
  readonly ended: Promise<void>
  end: Found['end'] = 'hung'
  /** Called when more has come. */
  onMore: () => void = () => undefined
  #onDrain: () => void = () => undefined
  #onEnd: () => void = () => undefined

  constructor(port: number) {
    this.ended = new Promise((resolve) => {
      this.#onEnd = resolve
    })
    this.#socket = Bun.connect<Client>({
      ...{ hostname: '127.0.0.1', port, data: this },
      socket: {
        data: (_, bytes) => {
          this.#parts.push(Buffer.from(bytes))
          this.onMore()
        },
        drain: () => this.#onDrain(),
        close: (_, error) => this.#close(error === undefined ? 'closed' : 'reset'),
        error: () => this.#close('reset'),
      },
    })
  }

  get text(): string {
    return Buffer.concat(this.#parts).toString('latin1')
  }

  #close(end: Found['end']): void {
    if (this.end === 'hung') this.end = end
    this.#onDrain()
    this.#onEnd()
  }

  async run(input: Input, isEnough: (text: string) => boolean): Promise<Found> {
    const socket = await this.#socket
    if (input.isSlow) this.#readSlowly(socket)
    const { leaving, resetAt } = input
    const wire = leaving === 'resets' ? input.wire.subarray(0, resetAt) : input.wire
    for (const piece of cutAt(
      wire,
      input.cuts.filter((cut) => cut <= wire.length),
    )) {
      await this.#send(socket, piece)
      await new Promise(setImmediate)
    }
    if (leaving === 'half') socket.shutdown()
    else if (leaving === 'resets') socket.terminate()
    else {
      const check = () => {
        if (isEnough(this.text)) socket.end()
      }
      this.onMore = check
      check()
    }
    await settledWithin(this.ended, INPUT_MS_MAX)
    if (this.end === 'hung') socket.terminate()
    return { text: this.text, end: this.end }
  }

  async #send(socket: Socket<Client>, piece: Uint8Array): Promise<void> {
    let at = 0
    while (at < piece.length && this.end === 'hung') {
      const sent = socket.write(piece.subarray(at))
      if (sent < 0) return
      at += sent
      if (at === piece.length) return
      await settledWithin(
        new Promise<void>((resolve) => {
          this.#onDrain = resolve
        }),
        INPUT_MS_MAX,
      )
    }
  }

  #readSlowly(socket: Socket<Client>): void {
    const turn = () => {
      if (this.end !== 'hung') return
      socket.pause()
      setTimeout(() => {
        socket.resume()
        setTimeout(turn, 2)
      }, 3)
    }
    turn()
  }
}

/** What is wrong with what came of a connection; null if nothing is. */
export function failureOf(input: Input, seen: Seen, found: Found): string | null {
  const wanted = wantedOf(seen)
  if (found.end === 'hung') return `hung after ${shown(found.text)}`
  const methods = seen.requests.map(({ method }) => method)
  const { answers, rest } = answersIn(found.text, methods)
  let isEnd = false
  for (const [at, answer] of answers.entries()) {
    const want = wanted[at]
    if (want === undefined || isEnd) return `answer ${at} is too many: ${described(answer)}`
    isEnd = answer.fields.get('connection') === 'close'
    const isHead = methods[at] === 'HEAD'
    const interim = seen.requests[at]?.expectsContinue === true ? 1 : 0
    if (answer.interim.length > interim) return `answer ${at} has ${answer.interim} before it`
    const isPart = input.leaving === 'resets' && answer.isUntilClose
    if (isPart && want.body?.startsWith(answer.body) === true) continue
    const isRight = isAnswer(answer, want, isHead)
    if (!isRight && !(want.or !== undefined && isAnswer(answer, want.or, isHead))) {
      return `answer ${at} is ${described(answer)}\nand not ${shown(JSON.stringify(want))}`
    }
  }
  if (input.leaving === 'resets') return null
  const next = wanted[answers.length]
  if (next === undefined) return rest === '' && found.end === 'closed' ? null : remains(found, rest)
  if (next.isCut === true) return null
  if (answers.some((_, at) => wanted[at]?.mayEnd === true)) return null
  if (found.end === 'closed' && isWithinLine(input, seen, answers.length)) return null
  // Its client stayed, and the rest of the request did not come.
  if (input.leaving === 'stays' && isUnfinished(seen, answers.length)) return null
  return `answer ${answers.length} is missing: ${shown(JSON.stringify(next))}; ${remains(found, rest)}`
}

/** Of a line that arrives in pieces, only the first piece is judged before its end. */
function isWithinLine({ wire }: Input, { requests }: Seen, at: number): boolean {
  const text = wire.toString('latin1')
  const lines = readNaively(text.slice(0, text.lastIndexOf('\n') + 1))
  return at === requests.length && lines.end === 'more' && lines.requests.length === at
}

function isUnfinished({ requests, end }: Seen, at: number): boolean {
  return end === 'more' && requests[at]?.isWhole === false
}

function isAnswer(answer: RawAnswer, want: Wanted, isHead: boolean): boolean {
  if (answer.status !== want.status) return false
  const isClosing = answer.fields.get('connection') === 'close'
  if (want.closes !== null && isClosing !== want.closes) return false
  if (want.isCut === true) return (want.body ?? '').startsWith(answer.body)
  return want.body === null || answer.body === (isHead ? '' : want.body)
}

function remains({ end }: Found, rest: string): string {
  return `${end}, with ${shown(rest)} at the end`
}

function described({ status, fields, body }: RawAnswer): string {
  return `${status} ${fields.get('connection') ?? 'kept'} ${shown(body)}`
}

function shown(text: string, lengthMax = 400): string {
  const short = text.replace(
    /(.{1,40}?)\1{3,}/gs,
    (all, unit) => `${unit}{${all.length / unit.length}}`,
  )
  return short.slice(0, lengthMax)
}

/** Runs the connection of one seed. */
async function run(seed: number, port: number): Promise<string | null> {
  const input = inputOf(seed)
  const seen = readNaively(input.wire.toString('latin1'))
  const wanted = wantedOf(seen)
  const isEnough = (text: string) => {
    const { answers } = answersIn(
      text,
      seen.requests.map(({ method }) => method),
    )
    const missing = wanted.slice(answers.length)
    if (answers.at(-1)?.isUntilClose === true) return false
    const isOver = missing.length === 0 || isUnfinished(seen, answers.length)
    return isOver || isWithinLine(input, seen, answers.length)
  }
  try {
    const found = await new Client(port).run(input, isEnough)
    return failureOf(input, seen, found)
  } catch (error) {
    return `threw ${Bun.inspect(error)}`
  }
}

function again(seed: number, failure: string): string {
  const { wire, cuts, leaving, isSlow } = inputOf(seed)
  const text = shown(JSON.stringify(wire.toString('latin1')), 4_000)
  const how = `${leaving}${isSlow ? ', reads slowly' : ''}, cut at ${cuts.join(' ')}`
  const command = `bun scripts/fuzz/http-connections.ts --inputs 1 --seed ${seed}`
  return `${failure}\n${how}, of latin1 ${text}\nagain: ${command}`
}

/** The first failure among so many inputs, one for each seed from the first on. */
export async function firstFailure(
  seed: number,
  inputs: number,
  onSign: (seed: number) => void = () => undefined,
): Promise<string | null> {
  const bugs: unknown[] = []
  const onBug = (error: unknown) => {
    if (!isAborted(error) && !/meant/.test(String(error))) bugs.push(error)
  }
  const port = listening({ handle: handleByHead, onBug })
  for (let at = seed; at < seed + inputs; at += CONCURRENT) {
    onSign(at)
    const seeds = Array.from({ length: Math.min(CONCURRENT, seed + inputs - at) }, (_, i) => at + i)
    const failures = await Promise.all(seeds.map((one) => run(one, port.port)))
    const failed = failures.findIndex((failure) => failure !== null)
    if (failed >= 0) return again(at + failed, failures[failed] ?? '')
    if (bugs.length > 0) return `a bug at one of the seeds ${seeds}: ${Bun.inspect(bugs)}`
  }
  return (await port.stop(INPUT_MS_MAX)) ? 'connections were left' : null
}

await fuzz(import.meta, firstFailure)
