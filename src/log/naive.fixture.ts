// A log that is too simple to be wrong: it keeps every entry, and what each user followed after each
// change. What has left the window is told to it. Subjects are as people write them, no handles.

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

/** Chains of names end where a handle was freed; they are those of these kinds. */
const NAMED = ['about', 'to', 'change'] as const

export class NaiveLog {
  /** The oldest entry that the real log keeps. */
  oldest: number
  readonly first: number
  readonly entries: NaiveEntry[] = []
  readonly graph = new Map<Subject, ReadonlySet<Subject>>()
  /** What a user followed from an entry on. */
  readonly #history = new Map<Subject, { number: number; follows: ReadonlySet<Subject> }[]>()
  readonly #lives = new Map<Subject, number>()
  /** Rule: a cursor below the oldest entry at the last start is a gap. */
  #floor = 0
  /**
   * Rule: what a name had before its handle was freed is not known; so a reader to whom a chain of
   * that kind of any name matters, and that has had nothing of it, has a gap up to here.
   */
  readonly #floors = { about: 0, to: 0, change: 0 }

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

  /** The real log was read from its file. */
  restart(): void {
    this.#floor = this.oldest - 1
    for (const kind of NAMED) this.#floors[kind] = this.#floor
  }

  free(name: string): void {
    for (const kind of NAMED) {
      const newest = this.#known(kind, name).at(-1)?.number ?? 0
      this.#floors[kind] = Math.max(this.#floors[kind], newest)
    }
    this.#lives.set(name, (this.#lives.get(name) ?? 0) + 1)
  }

  refersTo(name: string): boolean {
    return this.kept().some(({ target, subject }) => target === name || subject === name)
  }

  kept(): NaiveEntry[] {
    return this.entries.slice(this.oldest - this.first)
  }

  /** Of its chain as the real log knows it. */
  #known(kind: Kind, name: string): NaiveEntry[] {
    const life = this.#lives.get(name) ?? 0
    return this.entries.filter((entry) => {
      return entry.kind === kind && entry.target === name && isOf(entry, life, this.#floor)
    })
  }

  /** The name has no entry up to this one, and may have had some before it was freed. */
  #isUnknown(kind: 'about' | 'to' | 'change', subject: Subject, after: number): boolean {
    if (typeof subject === 'number' || after >= this.#floors[kind]) return false
    return !this.#known(kind, subject).some(({ number }) => number <= after)
  }

  #followsAt(user: Subject, number: number): ReadonlySet<Subject> {
    const before = this.#history.get(user)?.filter((change) => change.number <= number)
    return before?.at(-1)?.follows ?? new Set()
  }

  missedBy({ user, subjects }: NaiveReader, after: number): NaiveMissed {
    const since = this.entries.filter(({ number }) => number > after)
    const barrier = since.findLast(({ kind }) => kind === 'barrier')?.number ?? 0
    const from = Math.max(after, barrier)
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
      after < this.#floor ||
      [...wanted, ...changes].some(({ number }) => number < this.oldest) ||
      this.#isUnknown('to', user, after) ||
      this.#isUnknown('change', user, from) ||
      [...own].some((subject) => this.#isUnknown('about', subject, after)) ||
      followed.some((one) => !changed.has(one) && this.#isUnknown('about', one, after)) ||
      [...changed].some((subject) => {
        if (own.has(subject) || !this.#isUnknown('about', subject, after)) return false
        return followsAt(this.#floors.about).has(subject)
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

function isOf({ life, number }: NaiveEntry, wanted: number, floor: number): boolean {
  return life === wanted && number > floor
}
