// Text from bytes that must be UTF-8.

import type { ByteRange } from './bytes.ts'

// Fatal, because a replacement character would not be the bytes as they were sent.
const decoder = new TextDecoder('utf-8', { fatal: true })

const REPLACEMENT = '\ufffd'
const BYTE_ORDER_MARK = 0xfeff

/** Bun's types do not have it. It works on each `Uint8Array`, not only on a `Buffer`. */
const { utf8Slice } = Buffer.prototype as unknown as {
  utf8Slice(this: Uint8Array, start: number, end: number): string
}

/** Null for bytes that are not UTF-8. Passes over a byte order mark. Hot path: once a message. */
export function decodeUtf8({ bytes, start, end }: ByteRange): string | null {
  // Without the view of the bytes that a decoder takes, whose memory JavaScriptCore has to move.
  const text = utf8Slice.call(bytes, start, end)
  if (!text.includes(REPLACEMENT) && text.charCodeAt(0) !== BYTE_ORDER_MARK) return text
  try {
    return decoder.decode(bytes.subarray(start, end))
  } catch {
    // The decoder's own words say nothing of where; null says it all.
    return null
  }
}
