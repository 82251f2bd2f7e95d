// A cursor: a place in the log of messages, as clients are told it and say it again. An epoch and a
// number, both in hexadecimal of fixed width, so that cursors sort as text; opaque to clients.

import { latin1Of } from './bytes.ts'

/** Hexadecimal digits of each of the two parts: 48 bits. */
const DIGITS = 12
const PATTERN = /^[0-9a-f]{12}-[0-9a-f]{12}$/

export interface Cursor {
  /** When the log began, in milliseconds since 1970. */
  readonly epoch: number
  /** The last entry of the log that the client has had; 0 is before the first one. */
  readonly number: number
}

export const CURSOR_LENGTH = 2 * DIGITS + 1

export function cursorText(cursor: Cursor): string {
  writeCursor(text, 0, cursor)
  return latin1Of(text, 0, CURSOR_LENGTH)
}

const text = new Uint8Array(CURSOR_LENGTH)

/** Writes a cursor's text to a place in bytes. Hot path: once a message. */
export function writeCursor(into: Uint8Array, at: number, { epoch, number }: Cursor): void {
  writeHex(into, at, epoch)
  into[at + DIGITS] = DASH
  writeHex(into, at + DIGITS + 1, number)
}

const DASH = 0x2d

function writeHex(into: Uint8Array, at: number, value: number): void {
  const upper = Math.floor(value / BELOW)
  write24Bits(into, at, upper)
  write24Bits(into, at + DIGITS / 2, value - upper * BELOW)
}

/** Half of the 48 bits. */
const BELOW = 2 ** 24

function write24Bits(into: Uint8Array, at: number, value: number): void {
  for (let shift = 20; shift >= 0; shift -= 4) {
    const digit = (value >>> shift) & 0xf
    into[at++] = digit < 10 ? 0x30 + digit : 0x57 + digit
  }
}

/** Null for a text that is no cursor. */
export function parseCursor(text: string): Cursor | null {
  if (!PATTERN.test(text)) return null
  return {
    epoch: Number.parseInt(text.slice(0, DIGITS), 16),
    number: Number.parseInt(text.slice(DIGITS + 1), 16),
  }
}
