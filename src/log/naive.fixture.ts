// A log that is too simple to be wrong: it keeps every entry, and what each user followed after
// each change. What has left the window is told to it. Subjects are as people write them.

import type { Subject } from '../core/user.ts'
import type { LoggedMessage } from './message-log.ts'

type Kind = 'about' | 'to' | 'everyone' | 'change' | 'barrier'

interface NaiveEntry {
  readonly number: number
  readonly kind: Kind
  /** Whom it is for, or whose change it is; 0 for everyone and barriers. */
  readonly target: Subject
  /** Of a change. */
  readonly subject: Subject
  /** How often the name of the target had been freed by then. */
  readonly life: number
  readonly message: Omit<LoggedMessage, 'number' | 'target'> | null
  readonly seconds: number
}

export interface NaiveReader {
  readonly user: Subject
  readonly subjects: readonly Subject[]
}

export interface NaiveMissed {
  readonly isLost: boolean
  readonly numbers: readonly number[]
  readonly bodyBytes: number
  readonly changes: number
}

/** Of entries that point to the one before. */
const CHAINS = ['about', 'to', 'change', 'everyone'] as const
type Chain = (typeof CHAINS)[number]

export class NaiveLog {
  /** The oldest entry that the real log keeps. */
  oldest: number
  readonly first: number
  readonly entries: NaiveEntry[] = []
  readonly graph = new Map<Subject, ReadonlySet<Subject>>()
  /** What a user followed from an entry on. */
  readonly #history = new Map<Subject, { number: number; follows: ReadonlySet<Subject> }[]>()
  readonly #lives = new Map<Subject, number>()
  /**
   * Rule: if it was forgotten what had left the window, a reader to whom a chain matters has a gap
   * up to here, unless the chain says itself that it had nothing.
   */
  #floor = 0
  /** Entries from before that to which one that was kept pointed. */
  #linked: ReadonlySet<number> = new Set()

  constructor(first: number) {
    this.first = first
    this.oldest = first
  }

  get last(): number {
    return this.first - 1 + this.entries.length
  }

  add(
    kind: Kind,
    target: Subject,
    seconds: number,
    message: NaiveEntry['message'] = null,
    subject: Subject = 0,
  ): number {
    const life = this.#lives.get(target) ?? 0
    const number = this.last + 1
    this.entries.push({ number, kind, target, subject, life, message, seconds })
    return number
  }

  /** From an entry on. */
  follow(user: Subject, follows: ReadonlySet<Subject>, number: number): void {
    this.graph.set(user, follows)
    const history = this.#history.get(user) ?? []
    history.push({ number, follows })
    this.#history.set(user, history)
  }

  /**
   * The real log was read from its file, in which an entry points to the one before it, and knows
   * nothing else of those that have left the window.
   */
  forget(): void {
    const targets = new Set(this.kept().map(({ target }) => target))
    const linked = CHAINS.flatMap((kind) => {
      return [...targets].flatMap((target) => {
        const known = this.#known(kind, target)
        const at = known.findIndex(({ number }) => number >= this.oldest)
        const [before, first] = [known[at - 1], known[at]]
        // The first entry of a handle points to none.
        return before === undefined || before.life !== first?.life ? [] : [before.number]
      })
    })
    this.#linked = new Set(linked)
    this.#floor = this.oldest - 1
  }

  free(name: string): void {
    this.#lives.set(name, (this.#lives.get(name) ?? 0) + 1)
  }

  refersTo(name: string): boolean {
    return this.kept().some(({ target, subject }) => target === name || subject === name)
  }

  kept(): NaiveEntry[] {
    return this.entries.slice(this.oldest - this.first)
  }

  /** Of its chain as the real log knows it. */
  #known(kind: Kind, target: Subject): NaiveEntry[] {
    return this.entries.filter((entry) => {
      if (entry.kind !== kind || entry.target !== target) return false
      return entry.number > this.#floor || this.#linked.has(entry.number)
    })
  }

  /** No entry up to this one is known, and there may have been some behind it. */
  #isUnknown(chain: Chain, target: Subject, after: number): boolean {
    if (after >= this.#floor) return false
    return !this.#known(chain, target).some(({ number }) => number <= after)
  }

  #followsAt(user: Subject, number: number): ReadonlySet<Subject> {
    const before = this.#history.get(user)?.filter((change) => change.number <= number)
    return before?.at(-1)?.follows ?? new Set()
  }

  missedBy({ user, subjects }: NaiveReader, after: number): NaiveMissed {
    const since = this.entries.filter(({ number }) => number > after)
    const barrier = since.findLast(({ kind }) => kind === 'barrier')?.number ?? 0
    const from = Math.max(after, barrier > this.#floor ? barrier : 0)
    const own = new Set([user, ...subjects])
    // What was followed before a barrier is not known: what it was just after it counts.
    const followsAt = (number: number) => this.#followsAt(user, Math.max(number, barrier))
    const wanted = since.filter(({ kind, target, number }) => {
      if (kind === 'everyone') return true
      if (kind === 'to') return target === user
      return kind === 'about' && (own.has(target) || followsAt(number).has(target))
    })
    const changes = since.filter(({ kind, target, number }) => {
      return kind === 'change' && target === user && number > from
    })
    const changed = new Set(changes.map(({ subject }) => subject))
    const followed = [...this.#followsAt(user, this.last)]
    const isLost =
      [...wanted, ...changes].some(({ number }) => number < this.oldest) ||
      this.#isUnknown('everyone', 0, after) ||
      this.#isUnknown('to', user, after) ||
      this.#isUnknown('change', user, from) ||
      [...own].some((subject) => this.#isUnknown('about', subject, after)) ||
      followed.some((one) => !changed.has(one) && this.#isUnknown('about', one, after)) ||
      [...changed].some((subject) => {
        if (own.has(subject) || !this.#isUnknown('about', subject, after)) return false
        return followsAt(this.#floor).has(subject)
      })
    return {
      isLost,
      numbers: wanted.map(({ number }) => number),
      bodyBytes: wanted.reduce((sum, { message }) => sum + (message?.bytes.length ?? 0), 0),
      changes: changes.length,
    }
  }

  newestFor({ user, subjects }: NaiveReader): readonly number[] {
    const own = new Set([user, ...subjects, ...(this.graph.get(user) ?? [])])
    return this.kept()
      .filter(({ kind, target }) => {
        if (kind === 'everyone') return true
        return kind === 'to' ? target === user : kind === 'about' && own.has(target)
      })
      .map(({ number }) => number)
  }
}
