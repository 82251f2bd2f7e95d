// The distribution channel with one connected node, packet by packet: passes messages to the
// mailbox and keeps the monitors and links on comet's process.

import { latin1Of } from '../core/bytes.ts'
import { erlangLimits } from '../core/limits.ts'
import { OK, type Result, refused } from '../core/result.ts'
import { Waiter } from '../core/waiter.ts'
import type { Backpressure } from '../hub/backpressure.ts'
import type { Receipt } from '../hub/receipt.ts'
import {
  isPid,
  type Monitor,
  PASS_THROUGH,
  readOperation,
  writeExit,
  writePacket,
  writeUnlinkAck,
} from './control-messages.ts'
import { type Caller, type Mailbox, type ReplyChannel, writeReplyTo } from './mailbox.ts'
import type { PacketWriter } from './packets.ts'
import { TermReader } from './term-reader.ts'
import { TERM_VERSION, TermScanner } from './term-scanner.ts'
import type { TermWriter } from './term-writer.ts'

const UNKNOWN_TYPE = refused('unknown packet type')
const UNKNOWN_VERSION = refused('unknown version of the term format')
const UNEXPECTED_BYTES = refused('unexpected bytes after a message')

export interface ChannelOptions
  extends Pick<ReplyChannel, 'node' | 'ownPid' | 'receipt' | 'backpressure'> {
  readonly mailbox: Mailbox
  readonly packets: Pick<PacketWriter, 'writer' | 'flushSoon'>
}

export class DistributionChannel implements ReplyChannel {
  readonly node: string
  readonly receipt: Receipt
  readonly backpressure: Backpressure
  readonly ownPid: Uint8Array
  /** Messages received; a batch counts as one. */
  messages = 0
  /** Calls without a reply. */
  callsPending = 0

  readonly #options: ChannelOptions
  readonly #scanner = new TermScanner()
  /** By the reference of a monitor or the process of a link, which is linked once only. */
  readonly #monitors = new Map<string, Monitor>()
  readonly #waiter = new Waiter()

  constructor(options: ChannelOptions) {
    this.#options = options
    this.node = options.node
    this.receipt = options.receipt
    this.backpressure = options.backpressure
    this.ownPid = options.ownPid
  }

  /**
   * Handles one packet. Hot path: once per message.
   *
   * @returns what to await before the next packet, if anything; or why to close the connection
   */
  take(bytes: Uint8Array, at: number, end: number): Promise<void> | Result<void> {
    if (bytes[at] !== PASS_THROUGH || bytes[at + 1] !== TERM_VERSION) return UNKNOWN_TYPE
    const controlAt = at + 2
    const controlEnd = this.#scanner.scan(bytes, controlAt, end)
    if (controlEnd < 0) return this.#scanFailure()
    const reader = new TermReader(this.#scanner, bytes, controlAt)
    if (controlEnd === end) {
      this.#handleControl(reader)
      return OK
    }
    if (bytes[controlEnd] !== TERM_VERSION) return UNKNOWN_VERSION
    const messageAt = controlEnd + 1
    const messageEnd = this.#scanner.scan(bytes, messageAt, end)
    if (messageEnd < 0) return this.#scanFailure()
    if (messageEnd < end) return UNEXPECTED_BYTES
    if (!this.#isForComet(reader)) return OK
    this.messages++
    reader.at = messageAt
    return this.#options.mailbox.receive(reader, this) ?? OK
  }

  /** Settles when few enough calls are pending; null if so. */
  room(): Promise<void> | null {
    const { callsMax } = erlangLimits
    return this.callsPending < callsMax ? null : this.#waiter.wait(callsMax - 1)
  }

  reply(caller: Caller, write: (writer: TermWriter) => void): void {
    this.#write((writer) => {
      writeReplyTo(caller, this.ownPid, writer)
      write(writer)
    })
  }

  replyLater(replied: Promise<void>): void {
    this.callsPending++
    replied.finally(() => {
      this.#waiter.update(--this.callsPending)
    })
  }

  /** Sends `shutdown` to all monitors and links, as fast as the node reads. */
  async shutdown(room: () => Promise<void> | null = () => null): Promise<void> {
    const monitors = [...this.#monitors.values()]
    this.#monitors.clear()
    for (const monitor of monitors) {
      this.#sendExit(monitor, 'shutdown')
      const wait = room()
      if (wait !== null) await wait
    }
  }

  #scanFailure(): Result<void> {
    return refused(this.#scanner.failure ?? 'malformed term')
  }

  /** All names reach comet, but only one process. */
  #isForComet(reader: TermReader): boolean {
    const operation = readOperation(reader)
    if (operation === 'sendToName') return true
    if (operation !== 'sendToProcess') return false
    reader.skipTerm()
    return this.#isOwn(reader.raw())
  }

  #isOwn(pid: Uint8Array): boolean {
    return Buffer.compare(pid, this.ownPid) === 0
  }

  #handleControl(reader: TermReader): void {
    switch (readOperation(reader)) {
      case 'monitor': {
        const [from, to] = [reader.raw(), reader.raw()]
        this.#add({ from, to, reference: reader.raw() })
        break
      }
      case 'demonitor':
        reader.skipTerm()
        reader.skipTerm()
        this.#remove(reader.raw())
        break
      case 'link': {
        const from = reader.raw()
        this.#add({ from, to: reader.raw(), reference: null })
        break
      }
      case 'unlink':
      case 'exit':
        this.#remove(reader.raw())
        break
      case 'unlinkId': {
        const [id, from] = [reader.raw(), reader.raw()]
        this.#remove(from)
        const to = reader.raw()
        this.#write((writer) => writeUnlinkAck(writer, { id, from, to }))
        break
      }
      default:
      // Group leaders, exit signals and replies to requests that comet never makes.
    }
  }

  /** Keeps a copy, or sends at once why not. */
  #add(monitor: Monitor): void {
    const { from, to, reference } = monitor
    const bytes = to.length + from.length + (reference?.length ?? 0)
    if (isPid(to[0]) && !this.#isOwn(to)) this.#sendExit(monitor, 'noproc')
    else if (
      bytes > erlangLimits.monitorBytesMax ||
      this.#monitors.size >= erlangLimits.monitorsMax
    ) {
      this.#sendExit(monitor, 'system_limit')
    } else {
      this.#monitors.set(keyOf(reference ?? from), {
        from: from.slice(),
        to: to.slice(),
        reference: reference?.slice() ?? null,
      })
    }
  }

  /** @param term the reference of a monitor, or the process of a link */
  #remove(term: Uint8Array): void {
    this.#monitors.delete(keyOf(term))
  }

  #sendExit(monitor: Monitor, reason: string): void {
    this.#write((writer) => writeExit(writer, monitor, reason))
  }

  #write(write: (writer: TermWriter) => void): void {
    const { packets } = this.#options
    writePacket(packets.writer, write)
    packets.flushSoon()
  }
}

/** The bytes as a string, which is equal only for equal bytes. */
function keyOf(term: Uint8Array): string {
  return latin1Of(term, 0, term.length)
}
