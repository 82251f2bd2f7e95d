// What one turn of the event loop has for the streams: its messages, and for each stream a chain of
// those that are for it, so that they can be sent together. Arrays of numbers, used again in each
// turn.

import { deliveryLimits } from '../core/limits.ts'
import { grown } from '../core/typed-array.ts'
import type { Frame } from './frame.ts'
import type { DeliveryAck } from './receipt.ts'

const FIRST_ENTRIES = 256

/** An entry is one message for one stream; entries are numbered from 1 on, and 0 is none. */
export class Turn {
  /** Entries of this turn. */
  entries = 0
  /** By entry: the stream's slot if it is the first one for this stream, or else 0. */
  #slots = new Uint32Array(FIRST_ENTRIES)
  /** By entry: the index of its message. */
  #messages = new Uint32Array(FIRST_ENTRIES)
  /** By entry: the next one for the same stream. */
  #next = new Uint32Array(FIRST_ENTRIES)
  /** By slot: the last entry for the stream. */
  #last: Uint32Array
  #frames: Frame[] = []
  #acks: DeliveryAck[] = []
  /** By message: how many streams took it. */
  #delivered: number[] = []

  /** @param slots that there are, 0 included */
  constructor(slots: number) {
    this.#last = new Uint32Array(slots)
  }

  growTo(slots: number): void {
    this.#last = grown(this.#last, slots)
  }

  get messages(): number {
    return this.#frames.length
  }

  /** Has it so many messages that it should be over? */
  get isFull(): boolean {
    return this.#frames.length >= deliveryLimits.messagesPerTurnMax
  }

  /** Has it so many entries that they should be sent? */
  get isFullOfEntries(): boolean {
    return this.entries >= deliveryLimits.entriesPerTurnMax
  }

  /** Hot path: once a message. The entries that are added next are its. */
  begin(frame: Frame, ack: DeliveryAck): void {
    this.#frames.push(frame)
    this.#acks.push(ack)
    this.#delivered.push(0)
  }

  /** The message that was begun last is for this stream, too. Hot path: once a delivery. */
  add(slot: number): void {
    const entry = ++this.entries
    if (entry >= this.#slots.length) this.#growEntries()
    const last = this.#last[slot] as number
    this.#slots[entry] = last === 0 ? slot : 0
    this.#messages[entry] = this.#frames.length - 1
    this.#next[entry] = 0
    if (last !== 0) this.#next[last] = entry
    this.#last[slot] = entry
  }

  #growEntries(): void {
    const length = this.#slots.length * 2
    this.#slots = grown(this.#slots, length)
    this.#messages = grown(this.#messages, length)
    this.#next = grown(this.#next, length)
  }

  /** Are there entries for this stream that were not taken out? */
  has(slot: number): boolean {
    return this.#last[slot] !== 0
  }

  /** Takes out the stream whose first entry this is, if there is one: its slot, or 0. */
  takeOut(entry: number): number {
    const slot = this.#slots[entry] as number
    if (slot !== 0) this.#last[slot] = 0
    return slot
  }

  /** The next entry for the same stream. */
  after(entry: number): number {
    return this.#next[entry] as number
  }

  /** The number of an entry's message in this turn. */
  messageOf(entry: number): number {
    return this.#messages[entry] as number
  }

  frameOf(entry: number): Frame {
    return this.#frames[this.messageOf(entry)] as Frame
  }

  /** The stream has taken the message of the entry. */
  delivered(entry: number): void {
    const message = this.messageOf(entry)
    this.#delivered[message] = (this.#delivered[message] as number) + 1
  }

  /** Forgets all entries, which have been taken out, and keeps the messages. */
  clearEntries(): void {
    this.entries = 0
  }

  /** Answers for all messages, in their order. A receipt may begin the next turn. */
  settle(): void {
    const acks = this.#acks
    const delivered = this.#delivered
    this.#frames = []
    this.#acks = []
    this.#delivered = []
    for (let at = 0; at < acks.length; at++) acks[at]?.settle(delivered[at] as number, 0)
  }
}
