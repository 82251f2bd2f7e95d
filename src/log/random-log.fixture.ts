// A log and its naive twin to which the same random things happen; the first difference is told.

import { existsSync, readFileSync, rmSync } from 'node:fs'
import { type HistoryLimits, historyLimits } from '../core/history-limits.ts'
import { type RandomBelow, randomFrom } from '../core/random.ts'
import { FakeClock } from '../core/time.fixture.ts'
import type { Subject } from '../core/user.ts'
import { NOBODY } from './heads.ts'
import { createLogFile } from './log-file.ts'
import type { LogMessage, LogReader } from './message-log.ts'
import { NaiveLog, type NaiveMissed, type NaiveReader } from './naive.fixture.ts'
import { openLog } from './open-log.ts'
import { memoryLog, type RingLog } from './ring-log.ts'

const NUMBERS = 8
const NAMES = ['a', 'bo', 'cat', 'dora', 'eve', 'f'.repeat(64), 'g', 'h']
/** Where numbers begin: around those at which bits run out, too. */
const FIRSTS = [1, 1, 2 ** 30 - 300, 2 ** 31 - 300, 2 ** 32 - 300, 2 ** 32 + 2 ** 31, 2 ** 47]
const LIMITS: HistoryLimits = {
  ...historyLimits,
  messagesMax: 40,
  bodyBytesMax: 900,
  changesMax: 12,
  pageEntriesMax: 70,
  scanSubjectsMin: 3,
  scanRatio: 12,
  headPlacesPerStep: 300,
}

/** The handles of names; those that are free are used again at once, unlike in a server. */
class Handles {
  readonly #handles = new Map<string, number>()
  readonly #free: number[] = []
  #last = NOBODY

  intern(name: string): number {
    const handle = this.#handles.get(name) ?? this.#free.pop() ?? ++this.#last
    this.#handles.set(name, handle)
    return handle
  }

  nameOf(handle: number): string {
    for (const [name, one] of this.#handles) if (one === handle) return name
    throw new Error(`nothing has the handle ${handle}`)
  }

  find(name: string): number | undefined {
    return this.#handles.get(name)
  }

  idOf(subject: Subject): number {
    return typeof subject === 'number' ? subject : this.intern(subject)
  }

  free(name: string): void {
    const handle = this.#handles.get(name)
    if (handle !== undefined) this.#free.push(handle)
    this.#handles.delete(name)
  }
}

export class RandomLog {
  readonly #random: RandomBelow
  readonly #path: string | null
  readonly #clock = new FakeClock()
  /** Kills after which it was known what had left the window. */
  keptOverKills = 0
  #bytes: number
  #bootId = 'boot 1'
  #handles = new Handles()
  #log: RingLog
  #naive: NaiveLog

  /** @param path where a file may be; null for a log in memory */
  constructor(seed: number, path: string | null) {
    this.#random = randomFrom(seed)
    this.#path = path
    this.#bytes = this.#oneOf([0, 600, 3_000, 3_000, 8_000, 20_000])
    const first = this.#oneOf(FIRSTS)
    this.#naive = new NaiveLog(first)
    if (path === null) {
      const nameOf = (handle: number) => this.#handles.nameOf(handle)
      const options = { bytes: this.#bytes, clock: this.#clock, nameOf }
      this.#log = memoryLog({ ...options, limits: LIMITS, first })
    } else {
      rmSync(path, { force: true })
      rmSync(`${path}-heads`, { force: true })
      const ringWords = Math.floor(this.#bytes / 4)
      const state = {
        epoch: 7,
        ringWords,
        bootId: this.#bootId,
        next: first,
        oldest: first,
        place: 0,
        stamp: null,
        begun: null,
      }
      createLogFile(path, state)
      this.#log = this.#opened()
      // It was made by hand, and not read again after others.
      this.#naive = new NaiveLog(first)
      this.#naive.forget()
    }
  }

  #oneOf<T>(all: readonly T[]): T {
    return all[this.#random(all.length)] as T
  }

  #subject(): Subject {
    return this.#random(3) === 0 ? this.#oneOf(NAMES) : 1 + this.#random(NUMBERS)
  }

  #opened(): RingLog {
    const { log, note } = openLog({
      path: this.#path,
      bytes: this.#bytes,
      intern: (name) => this.#handles.intern(name),
      nameOf: (handle) => this.#handles.nameOf(handle),
      clock: this.#clock,
      limits: LIMITS,
      bootId: this.#bootId,
    })
    if (note !== null && !note.includes('from now on')) throw new Error(note)
    return log
  }

  /** Does one thing. Answers what is wrong with what came of it; null for nothing. */
  step(): string | null {
    const failure = this.#happen()
    const [log, naive] = [this.#log, this.#naive]
    if (log.last !== naive.last) return `its last is ${log.last} and not ${naive.last}`
    if (log.oldest < naive.oldest) return `its oldest went back to ${log.oldest}`
    naive.oldest = log.oldest
    return failure
  }

  #happen(): string | null {
    const kind = this.#random(100)
    this.#clock.advance(this.#random(700))
    // In a part of them a step of a file is under way, or the file is old.
    for (let times = this.#random(4); times > 0; times--) this.#log.maintain()
    if (kind < 45) return this.#publish(1)
    if (kind < 50) return this.#publish(1 + this.#random(5))
    if (kind < 62) return this.#change()
    if (kind < 63) return this.#load()
    if (kind < 85) return this.#resume()
    if (kind < 90) return this.#newest()
    if (kind < 96) return this.#sweep()
    if (kind < 98) return this.#keyed()
    return this.#path === null ? this.#resume() : this.#restart(this.#random(2) === 0)
  }

  #publish(count: number): string | null {
    const messages = Array.from({ length: count }, () => this.#message())
    const number =
      count > 1 ? this.#log.appendAll(messages) : this.#log.append(messages[0] as LogMessage)
    return number === this.#naive.last ? null : `the message has the number ${number}`
  }

  #message(): LogMessage {
    const kind = this.#oneOf(['about', 'about', 'about', 'to', 'everyone'] as const)
    const subject = kind === 'everyone' ? 0 : this.#subject()
    const name = typeof subject === 'string' ? subject : null
    const length = this.#random(40) === 0 ? 700 : 1 + this.#random(this.#oneOf([5, 30, 60]))
    const text = {
      bytes: Buffer.from(`${this.#naive.last + 1}${' '.repeat(length)}`.slice(-length)),
      isAbout: kind === 'about',
      event: this.#random(5) === 0 ? this.#oneOf(['e', 'event', 'x'.repeat(64)]) : null,
      isJson: this.#random(2) === 0,
      name,
      key: this.#random(5) === 0 ? this.#oneOf(['k', 'clé', '🔑'.repeat(60)]) : null,
    }
    this.#naive.add(kind, subject, this.#seconds(), text)
    return { ...text, target: this.#handles.idOf(subject) }
  }

  #seconds(): number {
    return Math.floor(this.#clock.nowMs() / 1_000)
  }

  #named(subject: Subject) {
    return { id: this.#handles.idOf(subject), name: typeof subject === 'string' ? subject : null }
  }

  #change(): string | null {
    const [user, subject] = [this.#subject(), this.#subject()]
    if (user === subject) return null
    const before = this.#naive.graph.get(user) ?? new Set<Subject>()
    if (this.#random(3) > 0) return this.#follow(user, subject)
    const stamp = this.#random(2 ** 32)
    this.#log.beginFollows(stamp)
    const failure = this.#follow(user, subject) ?? this.#interrupt(user, subject)
    if (failure !== null) return failure
    if (this.#log.begunStamp !== stamp) return `the change has the stamp ${this.#log.begunStamp}`
    const isMade = this.#random(2) === 0
    if (!isMade) this.#takeBack(user, subject, before)
    this.#log.endFollows(isMade)
    if (this.#log.begunStamp !== null) return 'the change has not ended'
    return this.#log.followsStamp === stamp || !isMade ? null : 'the change was not recorded'
  }

  /** The user follows a subject, or ceases to. */
  #follow(user: Subject, subject: Subject): string | null {
    const follows = new Set(this.#naive.graph.get(user))
    const isNew = !follows.delete(subject)
    if (isNew) follows.add(subject)
    const number = this.#naive.add('change', user, this.#seconds(), null, subject)
    this.#naive.follow(user, follows, number)
    const [from, to] = [this.#named(user), this.#named(subject)]
    const real = this.#log.appendFollow(from, to, isNew)
    return real === number ? null : `the change has the number ${real}`
  }

  /** Kills the log between a change and its end, or while the change is taken back. */
  #interrupt(user: Subject, subject: Subject): string | null {
    if (this.#path === null || this.#random(2) === 0) return null
    if (this.#random(2) === 0) return this.#restart(false)
    return this.#follow(user, subject) ?? this.#restart(false)
  }

  /** All is as it was before the change. */
  #takeBack(user: Subject, subject: Subject, before: ReadonlySet<Subject>): void {
    const naive = this.#naive
    const isBack = naive.graph.get(user)?.has(subject) === before.has(subject)
    // What is not kept any more needs no opposite.
    const isKept = this.#log.oldest <= this.#log.last
    const number =
      isBack || !isKept ? naive.last : naive.add('change', user, this.#seconds(), null, subject)
    naive.follow(user, before, number)
  }

  #load(): string | null {
    const number = this.#naive.add('barrier', 0, this.#seconds())
    for (let users = this.#random(6); users > 0; users--) {
      const user = this.#subject()
      const follows = new Set(Array.from({ length: this.#random(6) }, () => this.#subject()))
      follows.delete(user)
      this.#naive.follow(user, follows, number)
      for (const one of [user, ...follows]) this.#handles.idOf(one)
    }
    return this.#log.appendBarrier() === number ? null : 'the barrier has another number'
  }

  #reader(): { reader: LogReader; naive: NaiveReader } {
    const user = this.#subject()
    const follows = [...(this.#naive.graph.get(user) ?? [])]
    const subjects = [...new Set(Array.from({ length: this.#random(4) }, () => this.#subject()))]
    if (this.#random(4) > 0) subjects.length = 0
    const reader = {
      user: this.#handles.idOf(user),
      follows: Uint32Array.from(follows.map((one) => this.#handles.idOf(one))),
      subjects: subjects.map((one) => this.#handles.idOf(one)),
    }
    return { reader, naive: { user, subjects } }
  }

  #resume(): string | null {
    const { first, last, oldest } = this.#naive
    const { reader, naive } = this.#reader()
    const low = Math.max(first - 1, this.#oneOf([oldest - 1, oldest - 30, last - 15, last - 300]))
    const after = Math.min(last, low + this.#random(last - low + 1))
    const wanted = this.#naive.missedBy(naive, after)
    const missed = this.#log.missedBy(reader, after)
    const isTooMuch =
      wanted.numbers.length > LIMITS.messagesMax ||
      wanted.bodyBytes > LIMITS.bodyBytesMax ||
      wanted.changes > LIMITS.changesMax
    const what = `${JSON.stringify(naive)} after ${after}`
    const paged = this.#pages(reader, after, wanted)
    if (paged !== null) return `${what}: ${paged}`
    if ('gap' in missed) {
      const isRight = missed.gap === 'lost' ? wanted.isLost : missed.gap === 'too_many' && isTooMuch
      return isRight ? null : `${what} has the gap ${missed.gap}, not ${JSON.stringify(wanted)}`
    }
    if (wanted.isLost || isTooMuch || !Bun.deepEquals(missed.numbers, wanted.numbers)) {
      return `${what} has missed ${missed.numbers}, not ${JSON.stringify(wanted)}`
    }
    return this.#readAll(missed.numbers)
  }

  /** In pages, too much is no gap, unless it is of changes. */
  #pages(reader: LogReader, after: number, wanted: NaiveMissed): string | null {
    const numbers: number[] = []
    for (let at = after; ; ) {
      const page = this.#log.pageFor(reader, at)
      if ('gap' in page) {
        const isRight = page.gap === 'lost' ? wanted.isLost : wanted.changes > LIMITS.changesMax
        return isRight ? null : `its page after ${at} has the gap ${page.gap}`
      }
      numbers.push(...page.numbers)
      if (page.upTo === this.#log.last) break
      if (page.upTo <= at) return `its page after ${at} ends at ${page.upTo}`
      at = page.upTo
    }
    if (!wanted.isLost && Bun.deepEquals(numbers, wanted.numbers)) return null
    return `its pages have ${numbers}, not ${JSON.stringify(wanted)}`
  }

  #readAll(numbers: readonly number[]): string | null {
    for (const number of numbers) {
      const { target, number: _, ...message } = this.#log.read(number)
      const entry = this.#naive.entries[number - this.#naive.first]
      if (
        entry === undefined ||
        !Bun.deepEquals(message, { ...entry.message, bytes: message.bytes })
      ) {
        return `entry ${number} is ${JSON.stringify(message)}, not ${JSON.stringify(entry)}`
      }
      if (!Buffer.from(message.bytes).equals(entry.message?.bytes as Buffer)) {
        return `entry ${number} has another body: ${Buffer.from(message.bytes)}`
      }
      const id = typeof entry.target === 'string' ? this.#handles.find(entry.target) : entry.target
      if (target !== id) return `entry ${number} is for ${target}, not ${id}`
    }
    return null
  }

  #newest(): string | null {
    const { reader, naive } = this.#reader()
    const count = this.#random(12)
    const numbers = this.#log.newestFor(reader, count)
    const wanted = this.#naive.newestFor(naive).slice(count === 0 ? Infinity : -count)
    const bytes = (of: readonly number[]) => {
      const { entries, first } = this.#naive
      return of.reduce((sum, one) => sum + (entries[one - first]?.message?.bytes.length ?? 0), 0)
    }
    const isCut = numbers.length < wanted.length && bytes(wanted) > LIMITS.bodyBytesMax
    const expected = isCut ? wanted.slice(wanted.length - numbers.length) : wanted
    if (bytes(numbers) <= LIMITS.bodyBytesMax && Bun.deepEquals(numbers, expected)) {
      return this.#readAll(numbers)
    }
    return `${JSON.stringify(naive)} has the newest ${numbers}, not ${wanted}`
  }

  /** Names that no one uses lose their handles. */
  #sweep(): string | null {
    for (const name of NAMES) {
      const handle = this.#handles.find(name)
      if (handle === undefined) continue
      const isReferred = this.#naive.refersTo(name)
      if (this.#log.refersTo(handle) !== isReferred) {
        return `it ${isReferred ? 'does not refer' : 'refers'} to ${name}`
      }
      const isFollowed = [...this.#naive.graph].some(([user, follows]) => {
        return follows.has(name) || (user === name && follows.size > 0)
      })
      if (isReferred || isFollowed || this.#random(2) === 0) continue
      this.#log.onNameFreed(handle)
      this.#handles.free(name)
      this.#naive.free(name)
    }
    return null
  }

  #keyed(): string | null {
    const since = this.#seconds() - this.#random(60)
    const wanted = this.#naive
      .kept()
      .filter(({ message, seconds }) => (message?.key ?? null) !== null && seconds >= since)
      .map(({ number, message, seconds }) => ({ number, key: message?.key, seconds }))
    const keyed = [...this.#log.keyedSince(since)]
    return Bun.deepEquals(keyed, wanted) ? null : `its keys are ${JSON.stringify(keyed)}`
  }

  #restart(isClean: boolean): string | null {
    if (isClean) this.#log.close()
    if (isClean && this.#random(4) === 0) this.#bootId = `boot ${this.#random(1_000)}`
    if (this.#random(4) === 0) this.#bytes = this.#oneOf([0, 600, 3_000, 8_000, 20_000])
    this.#handles = new Handles()
    for (let other = this.#random(5); other > 0; other--) this.#handles.intern(`other ${other}`)
    const { epoch, oldest } = this.#log
    const keptFrom = isClean ? Number.POSITIVE_INFINITY : keptFromOf(this.#path)
    this.#log = this.#opened()
    if (this.#log.epoch !== epoch) return `its epoch is ${this.#log.epoch}, not ${epoch}`
    if (this.#log.oldest < oldest) return `its oldest is ${this.#log.oldest}, and was ${oldest}`
    this.#naive.oldest = this.#log.oldest
    const isKnown = keptFrom >= this.#log.oldest
    if (isKnown && !isClean) this.keptOverKills++
    if (!isKnown) this.#naive.forget()
    return null
  }
}

/** From which entry on the file of heads does not have them; 0 if there is none. */
function keptFromOf(path: string | null): number {
  const heads = `${path}-heads`
  return existsSync(heads) ? readFileSync(heads).readDoubleLE(16) : 0
}
