// Where the messages of Erlang processes come in, whatever name they were sent to: requests are carried
// out, callers are answered. It knows no connections; those give it terms and take its answers.

import type { Failure, Result } from '../core/errors.ts'
import type { Backpressure } from '../hub/backpressure.ts'
import type { Receipt } from '../hub/receipt.ts'
import type { Router } from '../hub/router.ts'
import { type Caller, keepCaller, readCaller } from './caller.ts'
import { IMPROPER, isProper, type Refused, readUser, sendEach, sendOne } from './message-terms.ts'
import type { TermReader } from './term-reader.ts'
import type { TermWriter } from './term-writer.ts'

export interface DeskOptions {
  readonly router: Router
  /** How many connections a user has. */
  readonly online: (user: number) => Promise<number>
  /** Is the server stopping? */
  readonly isDraining: () => boolean
  /** Told of what was refused: so many messages, the first for this reason. */
  readonly onRefused: (node: string, count: number, first: Failure) => void
}

/** The connection that a message came on. */
export interface Line {
  /** The name of the node at the other end. */
  readonly node: string
  /** Of messages that nobody waits for an answer to. */
  readonly receipt: Receipt
  readonly pace: Backpressure
  /** Comet's one process, as the node knows it: a term. */
  readonly own: Uint8Array
  /** Sends a caller what is written. */
  answer(caller: Caller, write: (writer: TermWriter) => void): void
  /** Counts a call that is answered later, until the promise settles. */
  later(answered: Promise<void>): void
}

const DRAINING: Failure = {
  code: 'draining',
  message: 'The server is stopping; send it to another.',
}

const NO_CALLER: Failure = {
  code: 'invalid_message',
  message: 'The call does not say who makes it.',
}

/** For what `sys`, `gen_event` and other callers of `gen:call/3` ask. */
const NO_REQUEST: Failure = {
  code: 'invalid_message',
  message: 'Only calls as gen_server:call makes them are taken.',
}

export class Desk {
  readonly #options: DeskOptions

  constructor(options: DeskOptions) {
    this.#options = options
  }

  /**
   * Takes a message to any name of comet's. Hot path: once a message.
   *
   * @returns what is to be awaited before the next message of the same connection, if anything
   */
  take(reader: TermReader, line: Line): Promise<void> | null {
    const begin = reader.at
    const terms = reader.tuple()
    if (terms === 3) {
      const isRequest = reader.isAtom('$gen_call')
      if (!isRequest) reader.pass()
      const caller = readCaller(reader)
      if (isRequest && caller !== null) return this.#request(reader, line, caller)
      if (isRequest || caller !== null) {
        this.#refuse(line, caller, caller === null ? NO_CALLER : NO_REQUEST)
        return null
      }
      reader.at = begin
      return this.#request(reader, line, null)
    }
    if (terms !== 2 || !reader.isAtom('$gen_cast')) reader.at = begin
    return this.#request(reader, line, null)
  }

  #request(reader: TermReader, line: Line, caller: Caller | null): Promise<void> | null {
    if (reader.kind === 'list') return this.#batch(reader, line, caller)
    if (reader.kind === 'nil') {
      // A list of no messages.
      if (caller !== null) line.answer(caller, (writer) => writer.tuple(2).atom('ok').integer(0))
      return null
    }
    if (caller === null || !this.#inquiry(reader, line, caller)) this.#message(reader, line, caller)
    return null
  }

  #message(reader: TermReader, line: Line, caller: Caller | null): void {
    const { router, isDraining } = this.#options
    if (isDraining()) {
      this.#refuse(line, caller, DRAINING)
      return
    }
    const receipt = caller === null ? line.receipt : router.receipt()
    const sent = sendOne(reader, router, receipt)
    if (!sent.ok) this.#refuse(line, caller, sent.why)
    else if (caller !== null) {
      this.#counted(receipt, line, caller, (writer) => writeOk(writer, receipt))
    }
  }

  async #batch(reader: TermReader, line: Line, caller: Caller | null): Promise<void> {
    const { router, isDraining, onRefused } = this.#options
    if (isDraining()) return this.#refuse(line, caller, DRAINING)
    if (!isProper(reader)) return this.#refuse(line, caller, IMPROPER)
    // What was read is another message when this one is over.
    const kept = caller === null ? null : keepCaller(caller)
    const receipt = kept === null ? line.receipt : router.receipt()
    const refused = await sendEach(reader, router, receipt, line.pace)
    const [first] = refused.listed
    if (first !== undefined) onRefused(line.node, refused.count, first.failure)
    if (kept === null) return
    this.#counted(receipt, line, kept, (writer) => {
      if (refused.count === 0) writeOk(writer, receipt)
      else writePartial(writer, receipt, refused)
    })
  }

  /** Answers what only a caller asks; false, and stays, if it is something else. */
  #inquiry(reader: TermReader, line: Line, caller: Caller): boolean {
    const begin = reader.at
    if (reader.isAtom('whereis')) line.answer(caller, (writer) => writer.raw(line.own))
    else if (reader.tuple() !== 2) return this.#isNone(reader, begin)
    // `net_adm:ping/1` asks so whether the node is there.
    else if (reader.isAtom('is_auth')) line.answer(caller, (writer) => writer.atom('yes'))
    else if (reader.isAtom('online')) this.#onlineOf(reader, line, caller)
    else return this.#isNone(reader, begin)
    return true
  }

  #isNone(reader: TermReader, begin: number): false {
    reader.at = begin
    return false
  }

  #onlineOf(reader: TermReader, line: Line, caller: Caller): void {
    this.#online(readUser(reader, this.#options.router.userIdMax), line, caller)
  }

  #online(user: Result<number>, line: Line, caller: Caller): void {
    if (!user.ok) {
      this.#refuse(line, caller, user.why)
      return
    }
    const kept = keepCaller(caller)
    const answered = this.#options.online(user.value).then((connections) => {
      line.answer(kept, (writer) => writer.integer(connections))
    })
    line.later(answered)
  }

  /** Answers once the streams have answered, which is at once in this process. */
  #counted(
    receipt: Receipt,
    line: Line,
    caller: Caller,
    write: (writer: TermWriter) => void,
  ): void {
    if (receipt.pending === 0) {
      line.answer(caller, write)
      return
    }
    const kept = keepCaller(caller)
    line.later(receipt.pendingBelow(0).then(() => line.answer(kept, write)))
  }

  #refuse(line: Line, caller: Caller | null, failure: Failure): void {
    this.#options.onRefused(line.node, 1, failure)
    if (caller !== null) {
      line.answer(caller, (writer) => writeFailure(writer.tuple(2).atom('error'), failure))
    }
  }
}

function writeOk(writer: TermWriter, receipt: Receipt): void {
  const others = othersOf(receipt)
  writer
    .tuple(others.length === 0 ? 2 : 3)
    .atom('ok')
    .integer(receipt.delivered)
  writeOthers(writer, others)
}

/** Connections that did not take the messages, or may not have: each a word and a count. */
type Others = readonly (readonly [word: 'skipped' | 'unknown', count: number])[]

function othersOf({ skipped, unknown }: Receipt): Others {
  const all: Others = [
    ['skipped', skipped],
    ['unknown', unknown],
  ]
  return all.filter(([, count]) => count > 0)
}

/** Nothing if there are none, so that the usual answers stay as short as they are. */
function writeOthers(writer: TermWriter, others: Others): void {
  if (others.length === 0) return
  writer.list(others.length)
  for (const [word, count] of others) writer.tuple(2).atom(word).integer(count)
  writer.nil()
}

/** `{Code, Text}`: one to match, one to read. */
function writeFailure(writer: TermWriter, { code, message }: Failure): void {
  writer.tuple(2).atom(code).binary(message)
}

function writePartial(writer: TermWriter, receipt: Receipt, { listed }: Refused): void {
  const others = othersOf(receipt)
  writer
    .tuple(others.length === 0 ? 3 : 4)
    .atom('partial')
    .integer(receipt.delivered)
  writer.list(listed.length)
  for (const { place, failure } of listed) {
    writer.tuple(2).integer(place)
    writeFailure(writer, failure)
  }
  writer.nil()
  writeOthers(writer, others)
}
