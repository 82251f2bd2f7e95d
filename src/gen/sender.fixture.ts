// For tests of the sender: a publish function that records its messages, and short runs.

import { type Clock, systemClock } from '../core/clock.ts'
import { shareRate } from '../core/pacer.ts'
import { randomFrom } from '../core/random.ts'
import { success } from '../core/result.ts'
import { readStamp, type Stamp } from '../core/stamp.ts'
import { type Message, parseMessage } from '../hub/message.ts'
import { type BatchResult, lineOf } from './publisher.ts'
import { type GenRun, Sender, type SenderOptions } from './sender.ts'
import { uniform } from './subjects.ts'

export interface Sent {
  readonly message: Message
  readonly stamp: Stamp
}

/** Records every batch, and the highest number of requests under way. */
export class RecordingPublish {
  readonly batches: Sent[][] = []
  underWayMax = 0
  #underWay = 0

  /** The answer to a batch. */
  answer: (lines: readonly string[]) => BatchResult = (lines) =>
    success({ accepted: lines.length, delivered: 2 * lines.length })

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
  if (!('body' in parsed.value)) throw new Error(`no body: ${line}`)
  const bytes = Buffer.from(parsed.value.body)
  const stamp = { generator: 0, sequence: 0, dueMicros: 0 }
  if (!readStamp(bytes, 0, bytes.length, stamp)) throw new Error(`no stamp: ${line}`)
  return { message: parsed.value, stamp }
}

/** A thousand messages a second for 50 ms, from four generators in turn. */
export const OPTIONS: SenderOptions<string> = {
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

/** Options, or users and address in short. */
type RunRequest = Partial<SenderOptions<string>> & {
  readonly users?: number
  readonly address?: 'to' | 'subject'
}

export function start(
  to: RecordingPublish,
  { users = 10, address = 'to', ...options }: RunRequest = {},
  clock: Clock = systemClock,
): GenRun {
  const plain = { nextUser: uniform(users, randomFrom(1)), write: lineOf(address) }
  return new Sender({ ...OPTIONS, ...plain, ...options }, to.publish, clock)
}

/** The sequence numbers of messages, none missing and none repeated. */
export function oneTo(last: number): number[] {
  return Array.from({ length: last }, (_, at) => at + 1)
}
