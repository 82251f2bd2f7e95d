// What one connected node says and is answered, packet by packet: messages go to the desk, processes
// that watch comet are remembered. It knows no sockets.

import { erlangLimits } from '../core/limits.ts'
import type { Backpressure } from '../hub/backpressure.ts'
import type { Receipt } from '../hub/receipt.ts'
import { type Caller, writeAnswerTo } from './caller.ts'
import {
  isVersion,
  PASS_THROUGH,
  readAct,
  writeExit,
  writeMonitorExit,
  writePacket,
  writeUnlinked,
} from './control-messages.ts'
import type { Desk, Line } from './mailbox.ts'
import type { Outbound } from './outbound.ts'
import { TAG } from './tags.ts'
import { TermReader } from './term-reader.ts'
import { Scanner } from './term-scanner.ts'
import type { TermWriter } from './term-writer.ts'
import { type Watcher, Watchers } from './watchers.ts'

export interface ConversationOptions {
  /** The name of the node at the other end. */
  readonly node: string
  /** Comet's one process, as a term. */
  readonly own: Uint8Array
  readonly desk: Desk
  readonly receipt: Receipt
  readonly pace: Backpressure
  /** Where answers are written. */
  readonly outbound: Pick<Outbound, 'writer' | 'flushSoon'>
}

export class Conversation implements Line {
  readonly node: string
  readonly receipt: Receipt
  readonly pace: Backpressure
  readonly own: Uint8Array
  /** Messages that came, batches as one. */
  messages = 0
  /** Calls that have not been answered. */
  calls = 0

  readonly #options: ConversationOptions
  readonly #scanner = new Scanner()
  readonly #watchers = new Watchers()
  /** Wakes the one who waits for fewer calls. */
  #onAnswered: (() => void) | null = null

  constructor(options: ConversationOptions) {
    this.#options = options
    this.node = options.node
    this.receipt = options.receipt
    this.pace = options.pace
    this.own = options.own
  }

  /**
   * Takes the packet that lies there. Hot path: once a message.
   *
   * @returns what is to be awaited before the next one, if anything; or why there must be none
   */
  take(bytes: Uint8Array, at: number, end: number): Promise<void> | string | null {
    if (bytes[at] !== PASS_THROUGH || !isVersion(bytes[at + 1]))
      return 'a packet is of no kind known'
    const controlAt = at + 2
    const controlEnd = this.#scanner.scan(bytes, controlAt, end)
    if (controlEnd < 0) return this.#malformed()
    const reader = new TermReader(this.#scanner, bytes, controlAt)
    if (controlEnd === end) {
      this.#control(reader)
      return null
    }
    const messageAt = controlEnd + 1
    if (!isVersion(bytes[controlEnd])) return 'a message is of no version known'
    const messageEnd = this.#scanner.scan(bytes, messageAt, end)
    if (messageEnd < 0) return this.#malformed()
    if (messageEnd < end) return 'a message goes on behind its end'
    if (!this.#isForComet(reader)) return null
    this.messages++
    reader.at = messageAt
    return this.#options.desk.take(reader, this)
  }

  /** Settles when few enough calls are unanswered; null if so. */
  room(): Promise<void> | null {
    if (this.calls < erlangLimits.callsMax) return null
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#onAnswered = resolve
    return promise
  }

  answer(caller: Caller, write: (writer: TermWriter) => void): void {
    this.#write((writer) => {
      writeAnswerTo(caller, this.own, writer)
      write(writer)
    })
  }

  later(answered: Promise<void>): void {
    this.calls++
    answered.finally(() => {
      this.calls--
      this.#onAnswered?.()
      this.#onAnswered = null
    })
  }

  /** Tells all that watch comet that it ends in order, as fast as the node takes it. */
  async end(room: () => Promise<void> | null = () => null): Promise<void> {
    for (const watcher of this.#watchers.takeAll()) {
      this.#tellGone(watcher, 'shutdown')
      const wait = room()
      if (wait !== null) await wait
    }
  }

  #malformed(): string {
    return this.#scanner.failure ?? 'a packet is no term'
  }

  /** Every name is comet's; of processes it has the one. */
  #isForComet(reader: TermReader): boolean {
    const act = readAct(reader)
    if (act === 'send to a name') return true
    if (act !== 'send to a process') return false
    reader.pass()
    return this.#isOwn(reader.raw())
  }

  #isOwn(process: Uint8Array): boolean {
    return Buffer.compare(process, this.own) === 0
  }

  #control(reader: TermReader): void {
    switch (readAct(reader)) {
      case 'monitor': {
        const [by, watched] = [reader.raw(), reader.raw()]
        this.#watch({ by, watched, reference: reader.raw() })
        break
      }
      case 'demonitor':
        reader.pass()
        reader.pass()
        this.#watchers.remove(reader.raw())
        break
      case 'link': {
        const by = reader.raw()
        this.#watch({ by, watched: reader.raw(), reference: null })
        break
      }
      case 'unlink':
      case 'exit':
        this.#watchers.remove(reader.raw())
        break
      case 'unlink, acknowledged': {
        const [id, by] = [reader.raw(), reader.raw()]
        this.#watchers.remove(by)
        const watched = reader.raw()
        this.#write((writer) => writeUnlinked(writer, { id, watched, by }))
        break
      }
      default:
      // Group leaders, exit signals and answers to what comet never asks: nothing to do.
    }
  }

  #watch(watcher: Watcher): void {
    const { watched } = watcher
    const isProcess = watched[0] === TAG.newPid || watched[0] === TAG.pid
    if (isProcess && !this.#isOwn(watched)) this.#tellGone(watcher, 'noproc')
    else if (!this.#watchers.add(watcher)) this.#tellGone(watcher, 'system_limit')
  }

  #tellGone(watcher: Watcher, reason: string): void {
    const { reference } = watcher
    this.#write((writer) => {
      if (reference === null) writeExit(writer, watcher, reason)
      else writeMonitorExit(writer, { ...watcher, reference }, reason)
    })
  }

  #write(write: (writer: TermWriter) => void): void {
    const { outbound } = this.#options
    writePacket(outbound.writer, write)
    outbound.flushSoon()
  }
}
