// The chains of the log: each entry points to the one before it about the same subject, to the same
// user, to everyone, or of what the same user follows. Here is where they begin.

import { type EntryKind, KIND } from './entry.ts'
import type { NameHash } from './gone-heads.ts'
import { Heads, NOBODY } from './heads.ts'

/** The key of the one chain of messages to everyone. */
export const EVERYONE_KEY = 1

/** Heads have 32 bits of their numbers: older ones are dropped long before these mean two. */
const FORGET_EVERY = 2 ** 30
const FORGET_AFTER = 2 ** 31

/** The chains that begin below the window, too. */
export const KEPT_CHAINS = ['about', 'to', 'everyone', 'changes'] as const

export interface ChainsOptions {
  /** Of a table. */
  readonly placesMax: number
  readonly hash: NameHash
  /** Of entries up to this number it is not known whose they were. */
  readonly floor?: number
  readonly expected?: ExpectedMessages
}

/** Messages that are going to be added at once: tables that have room need not grow meanwhile. */
export interface ExpectedMessages {
  readonly about: number
  readonly to: number
}

export class Chains {
  readonly about: Heads
  readonly to: Heads
  readonly everyone: Heads
  /** Of what a user follows. */
  readonly changes: Heads
  /** Names that are subjects of those, and in the last of which: see {@link isReferredTo}. */
  readonly #mentioned: Heads
  /** The newest barrier; 0 if there was none. */
  barrier = 0
  /** What {@link touch} answered: used, so that it is not left out. */
  touched = 0

  /** Of the names in the tables. */
  readonly hash: NameHash

  constructor({ expected, ...options }: ChainsOptions) {
    this.hash = options.hash
    this.about = new Heads({ ...options, expected: expected?.about ?? 0 })
    this.to = new Heads({ ...options, expected: expected?.to ?? 0 })
    this.everyone = new Heads(options)
    this.changes = new Heads(options)
    this.#mentioned = new Heads(options)
  }

  get byteLength(): number {
    const all = [this.about, this.to, this.everyone, this.changes, this.#mentioned]
    return all.reduce((sum, heads) => sum + heads.byteLength, 0)
  }

  /** Has the processor fetch what {@link add} is going to need. */
  touch(kind: EntryKind, target: number): number {
    return kind === KIND.about ? this.about.touch(target) : this.to.touch(target)
  }

  /**
   * Adds an entry. Hot path: once a message.
   *
   * @param oldest the oldest entry that is kept
   * @returns how far before it the entry before it in its chain is; 0 if none is known
   */
  add(kind: EntryKind, target: number, number: number, oldest: number): number {
    if (number % FORGET_EVERY === 0) this.#forget(number, oldest)
    switch (kind) {
      case KIND.about:
        return advance(this.about, target, number, oldest)
      case KIND.to:
        return advance(this.to, target, number, oldest)
      case KIND.everyone:
        return this.everyone.advance(EVERYONE_KEY, number, oldest)
      case KIND.barrier:
        this.barrier = number
        return 0
      case KIND.nothing:
        return 0
      default:
        return advance(this.changes, target, number, oldest)
    }
  }

  /** Undoes {@link add} of the newest entry. Which barrier is the newest is its owner's to say. */
  retreat(kind: EntryKind, target: number, number: number, distance: number): void {
    if (target === NOBODY || kind === KIND.barrier || kind === KIND.nothing) return
    if (kind === KIND.everyone) this.everyone.retreat(EVERYONE_KEY, number, distance)
    else if (kind === KIND.about) this.about.retreat(target, number, distance)
    else if (kind === KIND.to) this.to.retreat(target, number, distance)
    else this.changes.retreat(target, number, distance)
  }

  /** Of a name that was the subject of a change which is gone, the last one is not known. */
  unmention(subject: number, last: number, next: number): void {
    if (subject > NOBODY) this.#mentioned.lower(subject, last, next)
  }

  /** A change of who follows whom has this subject. */
  mention(subject: number, number: number, oldest: number): void {
    if (subject > NOBODY) this.#mentioned.advance(subject, number, oldest)
  }

  /** Does an entry from `oldest` on refer to the handle of a name? */
  isReferredTo(handle: number, next: number, oldest: number): boolean {
    return (
      this.about.newest(handle, next) >= oldest ||
      this.to.newest(handle, next) >= oldest ||
      this.changes.newest(handle, next) >= oldest ||
      this.#mentioned.newest(handle, next) >= oldest
    )
  }

  /** The handle may be another name's; its own name has it still. */
  free(handle: number, next: number): void {
    for (const heads of [this.about, this.to, this.changes]) heads.free(handle, next)
    this.#mentioned.remove(handle)
  }

  #forget(next: number, oldest: number): void {
    for (const heads of [this.about, this.to, this.everyone, this.changes, this.#mentioned]) {
      heads.dropUpTo(next - FORGET_AFTER, next, oldest)
    }
  }
}

/** Names that have no handle have no chain, and nobody can say what was theirs. */
function advance(heads: Heads, key: number, number: number, oldest: number): number {
  if (key !== NOBODY) return heads.advance(key, number, oldest)
  heads.raiseNamesFloor(number)
  return 0
}
