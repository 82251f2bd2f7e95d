// A log of messages for tests: an array that keeps all, and knows nothing of changes.

import type {
  LoggedMessage,
  LogMessage,
  LogReader,
  MessageLog,
  Missed,
  MissedPage,
} from '../log/message-log.ts'

/** When the logs of tests began. */
export const EPOCH = 0x19ad_3f0c_2a1

export class ArrayLog implements MessageLog {
  readonly epoch = EPOCH
  readonly #messages: LogMessage[] = []
  /** Entries below it count as lost. */
  oldest = 1
  /** Messages of a page. */
  pageMax = 1_000

  /** When that one was added. */
  keptBytes = 0
  readonly keptBytesMax = 1_000

  get last(): number {
    return this.#messages.length
  }

  append(message: LogMessage): number {
    return this.#messages.push(message)
  }

  appendAll(messages: readonly LogMessage[]): number {
    return this.#messages.push(...messages)
  }

  keyedSince(): Iterable<never> {
    return []
  }

  appendFollow(): number {
    throw new Error('an array log has messages only')
  }

  readonly followsStamp = null

  readonly begunStamp = null

  setFollowsStamp(): void {
    // It has no changes.
  }

  beginFollows(): void {
    throw new Error('an array log has messages only')
  }

  endFollows(): void {
    throw new Error('an array log has messages only')
  }

  appendBarrier(): number {
    throw new Error('an array log has messages only')
  }

  missedBy(reader: LogReader, after: number): Missed {
    const numbers = this.#for(reader).filter((number) => number > after)
    return numbers.some((number) => number < this.oldest) ? { gap: 'lost' } : { numbers }
  }

  pageFor(reader: LogReader, after: number): MissedPage {
    const missed = this.missedBy(reader, after)
    if ('gap' in missed) return missed
    const numbers = missed.numbers.slice(0, this.pageMax)
    const isAll = numbers.length === missed.numbers.length
    return { numbers, upTo: isAll ? this.last : (numbers.at(-1) ?? after) }
  }

  newestFor(reader: LogReader, count: number): readonly number[] {
    return this.#for(reader)
      .filter((number) => number >= this.oldest)
      .slice(-count)
  }

  #for({ user, follows, subjects }: LogReader): number[] {
    const about = new Set([user, ...follows, ...subjects])
    return this.#messages.flatMap(({ isAbout, target }, at) =>
      (isAbout ? about.has(target) : target === user || target === 0) ? [at + 1] : [],
    )
  }

  read(number: number): LoggedMessage {
    return { ...(this.#messages[number - 1] as LogMessage), number }
  }

  refersTo(id: number): boolean {
    return this.#messages.some(({ target }) => target === id)
  }

  maintain(): boolean {
    return false
  }

  onNameFreed(): void {
    // It keeps names for ever.
  }

  close(): void {
    // Empty.
  }
}
