// Which subjects tokens allow to read: patterns, of which one with `*` at its end stands for any
// rest. Open streams share those that are the same: most tokens of a server have the same ones.

import type { Subject } from '../core/user.ts'

/** Does one of them allow a subject? */
export function allows(patterns: readonly string[], subject: Subject): boolean {
  const text = String(subject)
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : text === pattern,
  )
}

interface Shared {
  readonly key: string
  readonly patterns: readonly string[]
  streams: number
}

/** Those of open streams, by slot. One that has none may read all. */
export class ReadPatterns {
  readonly #bySlot = new Map<number, Shared>()
  readonly #byKey = new Map<string, Shared>()

  /** Different ones. */
  get size(): number {
    return this.#byKey.size
  }

  set(slot: number, patterns: readonly string[]): void {
    // No pattern has a space.
    const key = patterns.join(' ')
    const shared = this.#byKey.get(key) ?? { key, patterns, streams: 0 }
    shared.streams++
    this.#byKey.set(key, shared)
    this.#bySlot.set(slot, shared)
  }

  allows(slot: number, subject: Subject): boolean {
    const shared = this.#bySlot.get(slot)
    return shared === undefined || allows(shared.patterns, subject)
  }

  delete(slot: number): void {
    const shared = this.#bySlot.get(slot)
    if (shared === undefined) return
    this.#bySlot.delete(slot)
    shared.streams--
    if (shared.streams === 0) this.#byKey.delete(shared.key)
  }
}
