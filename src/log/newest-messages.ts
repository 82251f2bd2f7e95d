// The newest messages for a reader: its chains are merged from their ends, as many as are wanted.

import { historyLimits } from '../core/history-limits.ts'
import { type Chains, EVERYONE_KEY } from './chains.ts'
import { bodyBytesOf, WORD } from './entry.ts'
import type { EntryRing } from './entry-ring.ts'
import type { Heads } from './heads.ts'
import type { LogReader } from './message-log.ts'

/** See {@link MessageLog.newestFor}. */
export function newestFor(
  ring: EntryRing,
  chains: Chains,
  { user, follows, subjects }: LogReader,
  count: number,
): readonly number[] {
  const ends = new Heap()
  const push = (heads: Heads, key: number) => {
    const number = heads.newest(key, ring.next)
    if (number >= ring.oldest) ends.push(number)
  }
  push(chains.to, user)
  push(chains.everyone, EVERYONE_KEY)
  for (const subject of new Set([user, ...subjects, ...follows])) push(chains.about, subject)
  const found: number[] = []
  let bodyBytes = 0
  const wanted = Math.min(count, historyLimits.messagesMax)
  while (found.length < wanted && ends.size > 0) {
    const number = ends.pop()
    const at = ring.placeOf(number)
    bodyBytes += bodyBytesOf(ring, at)
    if (bodyBytes > historyLimits.bodyBytesMax) break
    found.push(number)
    const distance = ring.words[at + WORD.distance] as number
    if (distance !== 0 && number - distance >= ring.oldest) ends.push(number - distance)
  }
  return found.reverse()
}

/** A binary heap, the highest number first. */
class Heap {
  readonly #numbers: number[] = []

  get size(): number {
    return this.#numbers.length
  }

  push(number: number): void {
    const numbers = this.#numbers
    let at = numbers.length
    numbers.push(number)
    while (at > 0) {
      const above = (at - 1) >>> 1
      if ((numbers[above] as number) >= number) break
      numbers[at] = numbers[above] as number
      at = above
    }
    numbers[at] = number
  }

  pop(): number {
    const numbers = this.#numbers
    const top = numbers[0] as number
    const last = numbers.pop() as number
    const { length } = numbers
    if (length === 0) return top
    let at = 0
    for (let below = 1; below < length; below = 2 * at + 1) {
      const other = below + 1
      if (other < length && (numbers[other] as number) > (numbers[below] as number)) below = other
      if ((numbers[below] as number) <= last) break
      numbers[at] = numbers[below] as number
      at = below
    }
    numbers[at] = last
    return top
  }
}
