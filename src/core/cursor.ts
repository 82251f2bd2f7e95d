// A cursor: a place in the log of messages, as clients are told it and say it again. An epoch and a
// number, both in hexadecimal of fixed width, so that cursors sort as text; opaque to clients.

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

export function cursorText({ epoch, number }: Cursor): string {
  return `${hex(epoch)}-${hex(number)}`
}

function hex(value: number): string {
  return value.toString(16).padStart(DIGITS, '0')
}

/** Null for a text that is no cursor. */
export function parseCursor(text: string): Cursor | null {
  if (!PATTERN.test(text)) return null
  return {
    epoch: Number.parseInt(text.slice(0, DIGITS), 16),
    number: Number.parseInt(text.slice(DIGITS + 1), 16),
  }
}
