// From what an Erlang programmer gives as a message's body to the bytes of a frame: a binary, an
// iolist, or a string, which is a list of characters. It knows nothing of whom the message is for.

import { failed, type Result } from '../core/errors.ts'
import { messageLimits } from '../core/limits.ts'
import { bodyTooLarge, type Frame, frameOf } from '../hub/frame.ts'
import { TAG } from './tags.ts'
import type { TermReader } from './term-reader.ts'

/** What the integers in a list stand for. */
type Integers = 'bytes' | 'characters'

/**
 * Passes a term and answers the frame that it is the body of. Hot path: once a message.
 *
 * A binary is taken as it is. A list is bytes, as `iolist_to_binary/1` has it, if these are UTF-8;
 * otherwise it is characters, as `unicode:characters_to_binary/1` has it. So `"Grüße"`, whose bytes in
 * Latin-1 are no UTF-8, arrives as it reads, and so does `binary_to_list(<<"Grüße"/utf8>>)`.
 */
export function readBody(reader: TermReader): Result<Frame> {
  if (reader.tag === TAG.binary) return frameOf((reader.chunk() as Uint8Array).slice())
  const { at } = reader
  reader.pass()
  const end = reader.at
  const read = (integers: Integers): Result<Frame> => {
    reader.at = at
    const frame = joined.read(reader, integers)
    reader.at = end
    return frame
  }
  const asBytes = read('bytes')
  if (asBytes.ok || asBytes.why.code === 'message_too_large') return asBytes
  return asBytes.why.code === 'message_empty' ? asBytes : read('characters')
}

const encoder = new TextEncoder()

/** The parts of one body, put together. */
class Joined {
  readonly #bytes = new Uint8Array(messageLimits.bodyBytesMax)
  /** Bytes so far; more than there is room for shows how long the body would be. */
  #length = 0

  read(reader: TermReader, integers: Integers): Result<Frame> {
    this.#length = 0
    if (!this.#joinWhole(reader, integers)) {
      return failed('invalid_message', 'The body is no binary, no iolist and no string.')
    }
    if (this.#length > this.#bytes.length) return bodyTooLarge(this.#length)
    return frameOf(this.#bytes.slice(0, this.#length))
  }

  /** Passes a term and adds its bytes; stops and answers false at what is none of a body. */
  #join(reader: TermReader, integers: Integers): boolean {
    switch (reader.kind) {
      case 'integer':
        return this.#joinInteger(reader.integer(), integers)
      case 'string':
        if (integers === 'bytes') return this.#add(reader.chunk() as Uint8Array)
        for (const byte of reader.chunk() as Uint8Array) this.#joinInteger(byte, integers)
        return true
      case 'binary':
        return this.#add(reader.chunk() as Uint8Array)
      case 'list': {
        for (let left = reader.list(); left > 0; left--) {
          if (!this.#join(reader, integers)) return false
        }
        return this.#joinWhole(reader, integers)
      }
      case 'nil':
        reader.pass()
        return true
      default:
        return false
    }
  }

  /** A whole body, or the tail of a list: that may be a binary too, but no lone integer. */
  #joinWhole(reader: TermReader, integers: Integers): boolean {
    return reader.kind !== 'integer' && this.#join(reader, integers)
  }

  #joinInteger(value: number, integers: Integers): boolean {
    if (integers === 'bytes') {
      return value >= 0 && value < 256 && this.#add(Uint8Array.of(value))
    }
    // A surrogate is no character by itself.
    const isCharacter = value >= 0 && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff)
    return isCharacter && this.#add(encoder.encode(String.fromCodePoint(value)))
  }

  #add(bytes: Uint8Array): true {
    if (this.#length + bytes.length <= this.#bytes.length) this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
    return true
  }
}

const joined = new Joined()
