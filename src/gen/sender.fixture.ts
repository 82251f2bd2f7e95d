// For tests of the generator: a publish function that remembers what it was given, and short runs.

import { type Clock, systemClock } from '../core/clock.ts'
import { shareRate } from '../core/pacer.ts'
import { randomFrom } from '../core/random.ts'
import { readStamp, type Stamp } from '../core/stamp.ts'
import { type Message, parseMessage } from '../hub/message.ts'
import { type BatchResult, lineOf } from './publisher.ts'
import { type Gen, type GenOptions, startGen } from './sender.ts'
import { uniform } from './subjects.ts'

export interface Sent {
  readonly message: Message
  readonly stamp: Stamp
}

/** Takes every batch, remembers it, and says how many requests were under way at once. */
export class RecordingPublish {
  readonly batches: Sent[][] = []
  underWayMax = 0
  #underWay = 0

  /** What it answers to a batch. */
  answer: (lines: readonly string[]) => BatchResult = (lines) => ({
    ok: true,
    accepted: lines.length,
    delivered: 2 * lines.length,
  })

  readonly publish = async (lines: readonly string[]): Promise<BatchResult> => {
    this.underWayMax = Math.max(this.underWayMax, ++this.#underWay)
    this.batches.push(lines.map(read))
    // An answer takes at least a turn of the loop.
    await new Promise(setImmediate)
    this.#underWay--
    return this.answer(lines)
  }

  get sent(): Sent[] {
    return this.batches.flat()
  }

  sequencesOf(generator: number): number[] {
    const mine = this.sent.filter(({ stamp }) => stamp.generator === generator)
    return mine.map(({ stamp }) => stamp.sequence)
  }
}

function read(line: string): Sent {
  const parsed = parseMessage(line)
  if (!parsed.ok) throw new Error(`${parsed.why.message}: ${line}`)
  const bytes = Buffer.from(parsed.value.body)
  const stamp = { generator: 0, sequence: 0, dueMicros: 0 }
  if (!readStamp(bytes, 0, bytes.length, stamp)) throw new Error(`no stamp: ${line}`)
  return { message: parsed.value, stamp }
}

/** A thousand messages a second for 50 ms, from four generators who take turns. */
export const OPTIONS: GenOptions<string> = {
  schedules: shareRate(1000, 4),
  publishers: 4,
  nextUser: uniform(10, randomFrom(1)),
  nextBytes: null,
  write: lineOf('to'),
  durationMs: 50,
  messagesMax: null,
  batchMax: 1000,
  firstGenerator: 100,
}

/** What tests ask for: options, or users and address in plain words. */
export type Wish = Partial<GenOptions<string>> & {
  readonly users?: number
  readonly address?: 'to' | 'subject'
}

export function start(
  to: RecordingPublish,
  { users = 10, address = 'to', ...options }: Wish = {},
  clock: Clock = systemClock,
): Gen {
  const plain = { nextUser: uniform(users, randomFrom(1)), write: lineOf(address) }
  return startGen({ ...OPTIONS, ...plain, ...options }, to.publish, clock)
}

/** The sequence numbers of so many messages, none lost and none repeated. */
export function oneTo(last: number): number[] {
  return Array.from({ length: last }, (_, at) => at + 1)
}
