// Reads random and damaged frames of WebSocket clients, of several streams at once and cut
// anywhere, with the reader of the server and with one that is too simple to be wrong, and reports
// where they differ, throw, take too long or keep something that they should not.
//
//   bun scripts/fuzz/websocket.ts [--inputs 100000] [--seed N]     exits 1 at the first failure

import { type RandomBelow, randomFrom } from '../../src/core/random.ts'
import {
  CLOSE,
  clientClose,
  clientFrame,
  type FrameParts,
  PING,
  PONG,
  readNaively,
  TEXT,
} from '../../src/public/websocket.fixture.ts'
import { type ClientFrame, ClientFrames } from '../../src/public/websocket-frames.ts'
import { bySeed, fuzz, INPUT_MS_MAX } from './fuzz.ts'

/** Bytes of the longest message, as the limits say. */
const MESSAGE_BYTES_MAX = 16_384

/** Some bytes of a stream. */
interface Piece {
  readonly slot: number
  readonly bytes: Uint8Array
}

interface Input {
  /** All that each stream sends; its slot is its place, from 1 on. */
  readonly wires: readonly Buffer[]
  /** The same in pieces, as they arrive. */
  readonly pieces: readonly Piece[]
}

function oneOf<T>(random: RandomBelow, choices: readonly T[]): T {
  return choices[random(choices.length)] as T
}

const TEXTS = ['', 'a', '{"subscribe":["room:1"]}', 'é', '€', '😀', '\uFEFF', '\0', 'x'.repeat(126)]

/** Text, or bytes that may be none. */
function payload(random: RandomBelow): Buffer {
  const kind = random(60)
  if (kind < 5) return Buffer.from(Array.from({ length: random(10) }, () => random(256)))
  const lengths = [
    125,
    126,
    127,
    300,
    MESSAGE_BYTES_MAX - 1,
    MESSAGE_BYTES_MAX,
    MESSAGE_BYTES_MAX + 1,
  ]
  if (kind === 5) return Buffer.alloc(oneOf(random, lengths), oneOf(random, ['a', 'é', '\xff']))
  return Buffer.from(Array.from({ length: random(4) }, () => oneOf(random, TEXTS)).join(''))
}

/** A message in as many fragments as chance has it, with control frames between them. */
function message(random: RandomBelow): Buffer {
  const bytes = payload(random)
  const parts: Buffer[] = []
  let at = 0
  do {
    const end = random(3) === 0 ? bytes.length : Math.min(bytes.length, at + random(20))
    const isLast = end === bytes.length && random(4) !== 0
    const opcode = parts.length === 0 ? TEXT : 0
    parts.push(frame(random, { opcode, payload: bytes.subarray(at, end), isFinal: isLast }))
    if (isLast) break
    if (random(3) === 0) parts.push(control(random))
    at = end
  } while (parts.length < 12)
  return Buffer.concat(parts)
}

function control(random: RandomBelow): Buffer {
  if (random(8) === 0) {
    const codes = [999, 1000, 1001, 1004, 1005, 1006, 1011, 1014, 1015, 2999, 3000, 4999, 5000]
    return clientClose(oneOf(random, codes), oneOf(random, ['', 'bye', 'é']))
  }
  const opcode = oneOf(random, [PING, PING, PONG, CLOSE])
  const bytes = payload(random)
  return frame(random, { opcode, payload: random(20) === 0 ? bytes : bytes.subarray(0, 125) })
}

function frame(random: RandomBelow, parts: FrameParts): Buffer {
  const mask = Array.from({ length: 4 }, () => random(256))
  const longer = random(10) === 0 ? { lengthBytes: oneOf(random, [2, 8] as const) } : {}
  return clientFrame({ ...parts, mask, ...longer })
}

/** Breaks a rule. */
function broken(random: RandomBelow): Buffer {
  return clientFrame({
    opcode: random(16),
    payload: payload(random),
    isFinal: random(2) === 0,
    reserved: random(3) === 0 ? oneOf(random, [0x10, 0x20, 0x40, 0x70]) : 0,
    mask: random(3) === 0 ? null : [random(256), 0, 255, random(256)],
    ...(random(4) === 0 && {
      lengthBytes: 8,
      length: oneOf(random, [0n, 1n, 16_384n, 65_536n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n]),
    }),
  })
}

function damaged(random: RandomBelow, wire: Buffer): Buffer {
  const bytes = Buffer.from(wire)
  if (bytes.length === 0) return bytes
  const at = random(bytes.length)
  const kind = random(4)
  if (kind === 0) bytes[at] = random(256)
  else if (kind === 1) bytes[at] = (bytes[at] as number) ^ (1 << random(8))
  else if (kind === 2)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(4))])
  else return bytes.subarray(0, at)
  return bytes
}

function wireOf(random: RandomBelow): Buffer {
  if (random(12) === 0) return Buffer.from(Array.from({ length: random(60) }, () => random(256)))
  const parts = Array.from({ length: random(8) }, () => {
    const kind = random(20)
    return kind === 0 ? broken(random) : kind < 6 ? control(random) : message(random)
  })
  const wire = Buffer.concat(parts)
  return random(3) === 0 ? damaged(random, wire) : wire
}

/** The input of a seed. */
export function inputOf(seed: number): Input {
  const random = randomFrom(seed)
  const wires = Array.from({ length: 1 + random(3) }, () => wireOf(random))
  const ats = wires.map(() => 0)
  const pieces: Piece[] = []
  // Byte by byte, in some pieces, or all at once.
  const lengthMax = oneOf(random, [1, 3, 20, 200, 40_000])
  while (wires.some((wire, at) => (ats[at] as number) < wire.length)) {
    const at = random(wires.length)
    const start = ats[at] as number
    const end = Math.min((wires[at] as Buffer).length, start + 1 + random(lengthMax))
    if (end > start)
      pieces.push({ slot: at + 1, bytes: (wires[at] as Buffer).subarray(start, end) })
    ats[at] = end
  }
  return { wires, pieces }
}

/** Each frame as a text. */
function told(frames: readonly ClientFrame[]): string[] {
  return frames.map((frame) => {
    if (frame.kind === 'text') return `text ${JSON.stringify(frame.text)}`
    if (frame.kind === 'invalid') return `invalid ${frame.code}`
    return `${frame.kind} ${Buffer.from(frame.payload).toString('hex')}`
  })
}

/** What the reader of the server makes of the pieces, by stream. */
export function readInPieces({ wires, pieces }: Input): string[][] {
  const reader = new ClientFrames((slot) => {
    throw new Error(`the part of stream ${slot} was dropped`)
  })
  const seen = wires.map((): ClientFrame[] => [])
  const isOver = (slot: number) =>
    ['close', 'invalid'].includes(seen[slot - 1]?.at(-1)?.kind ?? 'none')
  // Memory that is used again, as that of a socket is.
  const memory = new Uint8Array(65_536)
  for (const { slot, bytes } of pieces) {
    // The store passes on no more of a stream that has ended.
    if (isOver(slot)) continue
    memory.set(bytes)
    seen[slot - 1]?.push(...reader.read(slot, memory.subarray(0, bytes.length)))
    if (isOver(slot)) continue
    if (reader.incomplete > wires.length) throw new Error('it keeps parts of too many streams')
  }
  for (const [at] of wires.entries()) reader.forget(at + 1)
  if (reader.incomplete !== 0 || reader.keptBytes !== 0) throw new Error('it keeps what is over')
  return seen.map(told)
}

/** What is wrong with how an input is read; null if nothing is. */
export function failureOf(input: Input, read = readInPieces): string | null {
  const beganMs = performance.now()
  try {
    const expected = Bun.inspect(input.wires.map((wire) => told(readNaively(wire))))
    const found = Bun.inspect(read(input))
    if (found !== expected) return `read as ${found}\nand not as ${expected}`
  } catch (error) {
    return `threw ${Bun.inspect(error)}`
  }
  const tookMs = performance.now() - beganMs
  return tookMs > INPUT_MS_MAX ? `took ${Math.round(tookMs)} ms` : null
}

/** All that it takes to see a failure again. */
function described(seed: number, failure: string): string {
  const { wires, pieces } = inputOf(seed)
  const shown = wires.map((wire) => wire.toString('hex').slice(0, 4_000)).join('\n')
  const again = `bun scripts/fuzz/websocket.ts --inputs 1 --seed ${seed}`
  return `${failure}\nin ${pieces.length} pieces, of\n${shown}\nagain: ${again}`
}

export const firstFailure = bySeed((seed) => {
  const failure = failureOf(inputOf(seed))
  return failure === null ? null : described(seed, failure)
})

await fuzz(import.meta, firstFailure)
