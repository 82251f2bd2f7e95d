// The mailbox of comet's process, for messages to any registered name: routes them, and replies to
// callers (`gen:call/4` and `gen:reply/2` of OTP's stdlib).

import type { Failure } from '../core/errors.ts'
import type { Result } from '../core/result.ts'
import type { Subject } from '../core/user.ts'
import type { Backpressure } from '../hub/backpressure.ts'
import { failureOf } from '../hub/publish-failure.ts'
import type { Receipt } from '../hub/receipt.ts'
import type { Router } from '../hub/router.ts'
import { isPid, writeAliasSend, writeSend } from './control-messages.ts'
import {
  IMPROPER_LIST,
  isProperList,
  type RefusedMessages,
  readUser,
  sendMessage,
  sendMessages,
} from './message-terms.ts'
import type { TermReader } from './term-reader.ts'
import { TAG } from './term-scanner.ts'
import type { TermWriter } from './term-writer.ts'

export interface MailboxOptions {
  readonly router: Router
  /** The number of connections of a user. */
  readonly online: (user: Subject) => Promise<number>
  readonly isDraining: () => boolean
  /** @param count of messages refused; `first` is why the first one was */
  readonly onRefused: (node: string, count: number, first: Failure) => void
}

/** Where the mailbox sends its replies: the connection that a message came from. */
export interface ReplyChannel {
  /** The name of the other node. */
  readonly node: string
  /** For messages that need no reply. */
  readonly receipt: Receipt
  readonly backpressure: Backpressure
  /** Comet's only process, as a term. */
  readonly ownPid: Uint8Array
  reply(caller: Caller, write: (writer: TermWriter) => void): void
  /** Counts a call as pending until the promise settles. */
  replyLater(replied: Promise<void>): void
}

/** The `From` of a call, each part as a term. */
export interface Caller {
  readonly pid: Uint8Array
  readonly tag: Uint8Array
  /** Where to send the reply instead of to the process. Inactive after the call's timeout. */
  readonly alias: Uint8Array | null
}

const DRAINING: Failure = {
  code: 'draining',
  message: 'The server is stopping; send it to another.',
}

const INVALID_CALLER: Failure = {
  code: 'invalid_message',
  message: 'The call has no valid caller.',
}

/** For `sys`, `gen_event` and other users of `gen:call/4`. */
const UNSUPPORTED_CALL: Failure = {
  code: 'invalid_message',
  message: 'Only calls by gen_server:call are supported.',
}

export class Mailbox {
  readonly #options: MailboxOptions

  constructor(options: MailboxOptions) {
    this.#options = options
  }

  /**
   * Handles one message. Hot path: once per message.
   *
   * @returns what to await before the next message of the same connection, if anything
   */
  receive(reader: TermReader, channel: ReplyChannel): Promise<void> | null {
    const begin = reader.at
    const arity = reader.tuple()
    if (arity === 3) {
      const isCall = reader.isAtom('$gen_call')
      if (!isCall) reader.skipTerm()
      const caller = readCaller(reader)
      if (isCall && caller !== null) return this.#request(reader, channel, caller)
      if (isCall || caller !== null) {
        this.#refuse(channel, caller, caller === null ? INVALID_CALLER : UNSUPPORTED_CALL)
        return null
      }
      reader.at = begin
      return this.#request(reader, channel, null)
    }
    if (arity !== 2 || !reader.isAtom('$gen_cast')) reader.at = begin
    return this.#request(reader, channel, null)
  }

  #request(reader: TermReader, channel: ReplyChannel, caller: Caller | null): Promise<void> | null {
    if (reader.kind === 'list') return this.#batch(reader, channel, caller)
    if (reader.kind === 'nil') {
      if (caller !== null) channel.reply(caller, (writer) => writer.tuple(2).atom('ok').integer(0))
      return null
    }
    if (caller === null || !this.#query(reader, channel, caller)) {
      this.#message(reader, channel, caller)
    }
    return null
  }

  #message(reader: TermReader, channel: ReplyChannel, caller: Caller | null): void {
    const { router, isDraining } = this.#options
    if (isDraining()) {
      this.#refuse(channel, caller, DRAINING)
      return
    }
    const receipt = caller === null ? channel.receipt : router.receipt()
    const sent = sendMessage(reader, router, receipt)
    if (!sent.ok) this.#refuse(channel, caller, sent.why)
    else if (caller !== null) {
      replySettled(receipt, channel, caller, (writer) => this.#writeOne(writer, receipt, channel))
    }
  }

  /** It may have been refused after it was taken. */
  #writeOne(writer: TermWriter, receipt: Receipt, { node }: ReplyChannel): void {
    if (receipt.refusal === null) writeDelivered(writer, receipt)
    else {
      const failure = failureOf(receipt.refusal)
      this.#options.onRefused(node, 1, failure)
      writeFailure(writer.tuple(2).atom('error'), failure)
    }
  }

  async #batch(reader: TermReader, channel: ReplyChannel, caller: Caller | null): Promise<void> {
    const { router, isDraining, onRefused } = this.#options
    if (isDraining()) return this.#refuse(channel, caller, DRAINING)
    if (!isProperList(reader)) return this.#refuse(channel, caller, IMPROPER_LIST)
    const kept = caller === null ? null : copyOf(caller)
    const receipt = kept === null ? channel.receipt : router.receipt()
    const onLate = (failure: Failure) => onRefused(channel.node, 1, failure)
    const refused = await sendMessages(reader, router, receipt, channel.backpressure, onLate)
    const [first] = refused.listed
    if (first !== undefined) onRefused(channel.node, refused.count, first.failure)
    if (kept === null) return
    replySettled(receipt, channel, kept, (writer) => {
      writeDelivered(writer, receipt, refused.listed)
    })
  }

  /** Replies to calls other than messages. Returns false and stays if it is none of them. */
  #query(reader: TermReader, channel: ReplyChannel, caller: Caller): boolean {
    const begin = reader.at
    if (reader.isAtom('whereis')) {
      channel.reply(caller, (writer) => writer.append(channel.ownPid))
      return true
    }
    if (reader.tuple() === 2) {
      // The request of `net_adm:ping/1`.
      if (reader.isAtom('is_auth')) {
        channel.reply(caller, (writer) => writer.atom('yes'))
        return true
      }
      if (reader.isAtom('online')) {
        this.#online(readUser(reader, this.#options.router.userIdMax), channel, caller)
        return true
      }
    }
    reader.at = begin
    return false
  }

  #online(user: Result<Subject, Failure>, channel: ReplyChannel, caller: Caller): void {
    if (!user.ok) {
      this.#refuse(channel, caller, user.why)
      return
    }
    const kept = copyOf(caller)
    const replied = this.#options.online(user.value).then((connections) => {
      channel.reply(kept, (writer) => writer.integer(connections))
    })
    channel.replyLater(replied)
  }

  #refuse(channel: ReplyChannel, caller: Caller | null, failure: Failure): void {
    this.#options.onRefused(channel.node, 1, failure)
    if (caller !== null) {
      channel.reply(caller, (writer) => writeFailure(writer.tuple(2).atom('error'), failure))
    }
  }
}

/** Replies once the streams have answered, which is at once if nothing was sent. */
function replySettled(
  receipt: Receipt,
  channel: ReplyChannel,
  caller: Caller,
  write: (writer: TermWriter) => void,
): void {
  if (receipt.pending === 0) {
    channel.reply(caller, write)
    return
  }
  const kept = copyOf(caller)
  channel.replyLater(receipt.pendingBelow(0).then(() => channel.reply(kept, write)))
}

/** Skips a `{Pid, Tag}`. Returns null, and stops inside, if it is not one. */
function readCaller(reader: TermReader): Caller | null {
  if (reader.tuple() !== 2 || !isPid(reader.tag)) return null
  const pid = reader.raw()
  const { at } = reader
  const alias = readAlias(reader)
  reader.at = at
  return { pid, tag: reader.raw(), alias }
}

/** The alias in `[alias | Alias]`, or in the `[[alias | Alias] | Id]` of a `multi_call`. */
function readAlias(reader: TermReader): Uint8Array | null {
  if (reader.list() !== 1) return null
  if (reader.kind === 'list' && reader.list() !== 1) return null
  if (!reader.isAtom('alias') || reader.tag !== TAG.newerReference) return null
  return reader.raw()
}

/** For a reply after the packet's memory is used again. */
function copyOf({ pid, tag, alias }: Caller): Caller {
  return { pid: pid.slice(), tag: tag.slice(), alias: alias?.slice() ?? null }
}

/** Writes the control message and the `{Tag, Reply}` up to the reply, which follows. */
export function writeReplyTo(caller: Caller, ownPid: Uint8Array, writer: TermWriter): void {
  if (caller.alias === null) writeSend(writer, caller.pid)
  else writeAliasSend(writer, ownPid, caller.alias)
  writer.tuple(2).append(caller.tag)
}

/** `{ok, Delivered}`, or `{partial, Delivered, Refused}`, each with a list of other counts if
 * there are any. */
function writeDelivered(
  writer: TermWriter,
  { delivered, skipped, unknown }: Receipt,
  refused: RefusedMessages['listed'] = [],
): void {
  const counts: [word: string, count: number][] = [
    ['skipped', skipped],
    ['unknown', unknown],
  ]
  const others = counts.filter(([, count]) => count > 0)
  const isPartial = refused.length > 0
  const hasOthers = others.length > 0
  writer.tuple(2 + Number(isPartial) + Number(hasOthers))
  writer.atom(isPartial ? 'partial' : 'ok').integer(delivered)
  if (isPartial) {
    writer.list(refused.length)
    for (const { place, failure } of refused) writeFailure(writer.tuple(2).integer(place), failure)
    writer.nil()
  }
  if (hasOthers) {
    writer.list(others.length)
    for (const [word, count] of others) writer.tuple(2).atom(word).integer(count)
    writer.nil()
  }
}

/** `{Code, Text}`. */
function writeFailure(writer: TermWriter, { code, message }: Failure): void {
  writer.tuple(2).atom(code).binary(message)
}
