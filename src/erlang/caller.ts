// Who waits for an answer: what `gen_server:call/2` and its relatives put around a request, and how
// they are answered (`gen:reply/2` of OTP's stdlib). It knows no requests.

import { writeAliasSend, writeSend } from './control-messages.ts'
import { TAG } from './tags.ts'
import type { TermReader } from './term-reader.ts'
import type { TermWriter } from './term-writer.ts'

export interface Caller {
  /** The process that waits, as a term. */
  readonly process: Uint8Array
  /** What the answer is marked with, as a term. */
  readonly mark: Uint8Array
  /** Where the answer goes, if not to the process: an alias, which ends with its interest. */
  readonly alias: Uint8Array | null
}

/** Passes a `{Process, Mark}` and answers who it is; null, and anywhere in it, if it is none. */
export function readCaller(reader: TermReader): Caller | null {
  if (reader.tuple() !== 2) return null
  if (reader.tag !== TAG.newPid && reader.tag !== TAG.pid) return null
  const process = reader.raw()
  const { at } = reader
  const alias = aliasOf(reader)
  reader.at = at
  return { process, mark: reader.raw(), alias }
}

/** The alias in `[alias | Alias]`, or in the `[[alias | Alias] | Id]` of a multiple call. */
function aliasOf(reader: TermReader): Uint8Array | null {
  if (reader.list() !== 1) return null
  if (reader.kind === 'list' && reader.list() !== 1) return null
  if (!reader.isAtom('alias') || reader.tag !== TAG.newerReference) return null
  return reader.raw()
}

/** The same, good for longer than what was read. */
export function keepCaller({ process, mark, alias }: Caller): Caller {
  return { process: process.slice(), mark: mark.slice(), alias: alias?.slice() ?? null }
}

/** Writes an answer's control message and the tuple around it; the answer itself is next. */
export function writeAnswerTo(caller: Caller, own: Uint8Array, writer: TermWriter): void {
  if (caller.alias === null) writeSend(writer, caller.process)
  else writeAliasSend(writer, own, caller.alias)
  writer.tuple(2).raw(caller.mark)
}
