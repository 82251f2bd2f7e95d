// Which subjects open streams follow for themselves, beside those that their users follow: chains
// of entries in typed arrays, one by subject and one by stream. Nothing of it is made before the
// first stream that follows some.

import { IntegerTable } from '../core/table.ts'
import { grown } from '../core/typed-array.ts'

const FIRST_ENTRIES = 256
const FULL_RATIO = 0.7
const NUMBERS = 2 ** 32

/** What is told of each subject of each stream. */
export interface SubjectsOwner {
  onFollow(subject: number): void
  onUnfollow(subject: number): void
}

/** An entry is one subject of one stream; entries are numbered from 1 on, and 0 is none. */
export class StreamSubjects {
  /** Entries in use. */
  size = 0
  readonly #owner: SubjectsOwner | null
  /** Rows of a subject and the first entry of its chain. */
  #subjects = new IntegerTable({ width: 2, capacity: 1 })
  /** These by entry: its subject and the slot of its stream, */
  #subject = new Uint32Array(0)
  #slot = new Uint32Array(0)
  /** the next and the previous one of the subject, */
  #next = new Uint32Array(0)
  #previous = new Uint32Array(0)
  /** and the next one of the stream, or the next free entry. */
  #nextOfSlot = new Uint32Array(0)
  #firstFree = 0
  #last = 0
  /** By slot: the first entry of the stream, and the message that it has had already. */
  #firstOfSlot = new Uint32Array(0)
  #marks = new Uint32Array(0)
  /** The number of the message whose streams are being marked. */
  #message = 0

  constructor(owner: SubjectsOwner | null) {
    this.#owner = owner
  }

  /**
   * @param subjects each once, and none that the stream follows already
   * @param areCounted does the owner know of them already?
   */
  add(slot: number, subjects: readonly number[], areCounted = false): void {
    if (subjects.length === 0) return
    if (slot >= this.#firstOfSlot.length) this.#growSlots(slot)
    for (const subject of subjects) {
      const entry = this.#newEntry()
      this.#subject[entry] = subject
      this.#slot[entry] = slot
      this.#nextOfSlot[entry] = this.#firstOfSlot[slot] as number
      this.#firstOfSlot[slot] = entry
      this.#link(entry, subject)
      this.size++
      if (!areCounted) this.#owner?.onFollow(subject)
    }
  }

  /** The stream follows nothing for itself any more. */
  remove(slot: number): void {
    if (this.size === 0 || slot >= this.#firstOfSlot.length) return
    let entry = this.#firstOfSlot[slot] as number
    this.#firstOfSlot[slot] = 0
    // Another stream in its slot has had no message.
    this.#marks[slot] = 0
    while (entry !== 0) {
      const next = this.#nextOfSlot[entry] as number
      this.#free(entry)
      entry = next
    }
  }

  /** The stream does not follow this one for itself any more, if it did. */
  removeOne(slot: number, subject: number): void {
    let previous = 0
    let entry = this.#firstOfSlot[slot] ?? 0
    while (entry !== 0 && this.#subject[entry] !== subject) {
      previous = entry
      entry = this.#nextOfSlot[entry] as number
    }
    if (entry === 0) return
    const next = this.#nextOfSlot[entry] as number
    if (previous === 0) this.#firstOfSlot[slot] = next
    else this.#nextOfSlot[previous] = next
    this.#free(entry)
  }

  #free(entry: number): void {
    this.#unlink(entry)
    this.#nextOfSlot[entry] = this.#firstFree
    this.#firstFree = entry
    this.size--
    this.#owner?.onUnfollow(this.#subject[entry] as number)
  }

  /** What a stream follows for itself. */
  of(slot: number): number[] {
    const subjects: number[] = []
    let entry = this.#firstOfSlot[slot] ?? 0
    for (; entry !== 0; entry = this.#nextOfSlot[entry] as number) {
      subjects.push(this.#subject[entry] as number)
    }
    return subjects
  }

  /** The slots of the streams that follow a subject for themselves. */
  slotsOf(subject: number): number[] {
    const slots: number[] = []
    for (let entry = this.firstOf(subject); entry !== 0; entry = this.next(entry)) {
      slots.push(this.slotOf(entry))
    }
    return slots
  }

  /** The first entry of a subject; 0 if no stream follows it. Hot path: once a message. */
  firstOf(subject: number): number {
    const { rows } = this.#subjects
    const row = this.#subjects.find(subject)
    return rows[row] === 0 ? 0 : (rows[row + 1] as number)
  }

  next(entry: number): number {
    return this.#next[entry] as number
  }

  slotOf(entry: number): number {
    return this.#slot[entry] as number
  }

  /** The streams that are marked from now on are those of another message. */
  beginMarking(): void {
    this.#message++
    if (this.#message < NUMBERS) return
    this.#message = 1
    this.#marks.fill(0)
  }

  mark(slot: number): void {
    this.#marks[slot] = this.#message
  }

  /** Was the stream marked since {@link beginMarking}? Hot path: once a delivery. */
  isMarked(slot: number): boolean {
    return this.#marks[slot] === this.#message
  }

  #newEntry(): number {
    const free = this.#firstFree
    if (free !== 0) {
      this.#firstFree = this.#nextOfSlot[free] as number
      return free
    }
    const entry = ++this.#last
    if (entry >= this.#subject.length) this.#growEntries()
    return entry
  }

  #growEntries(): void {
    const length = Math.max(FIRST_ENTRIES, this.#subject.length * 2)
    this.#subject = grown(this.#subject, length)
    this.#slot = grown(this.#slot, length)
    this.#next = grown(this.#next, length)
    this.#previous = grown(this.#previous, length)
    this.#nextOfSlot = grown(this.#nextOfSlot, length)
  }

  #growSlots(slot: number): void {
    const length = Math.max(slot + 1, FIRST_ENTRIES, this.#firstOfSlot.length * 2)
    this.#firstOfSlot = grown(this.#firstOfSlot, length)
    this.#marks = grown(this.#marks, length)
  }

  #link(entry: number, subject: number): void {
    const table = this.#subjects
    if (table.size + 1 > table.capacity * FULL_RATIO) table.rebuild(table.capacity * 2)
    const row = table.find(subject)
    if (table.rows[row] === 0) table.occupy(row, subject)
    const first = table.rows[row + 1] as number
    if (first !== 0) this.#previous[first] = entry
    this.#next[entry] = first
    this.#previous[entry] = 0
    table.rows[row + 1] = entry
  }

  #unlink(entry: number): void {
    const next = this.#next[entry] as number
    const previous = this.#previous[entry] as number
    if (next !== 0) this.#previous[next] = previous
    if (previous !== 0) {
      this.#next[previous] = next
      return
    }
    const row = this.#subjects.find(this.#subject[entry] as number)
    if (next !== 0) this.#subjects.rows[row + 1] = next
    else this.#subjects.remove(row)
  }
}
