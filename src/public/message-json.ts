// What a stream says, as JSON objects: messages, where its client is in the log, a gap, the end.
// Formats of lines, events and frames carry the same objects.

import { cursorText } from '../core/cursor.ts'
import { EVERYONE, type Frame } from '../hub/frame.ts'
import type { StreamEnd, StreamStart } from '../hub/stream.ts'

/** Nothing of a body is taken away, not even a byte order mark. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Hot path: once a message and format. */
export function messageJson(frame: Frame): string {
  const { bytes, isAbout, target, name, event, isJson } = frame
  const text = target === EVERYONE ? '*' : name
  // The characters of names and events need no escape.
  const receiver = `"${isAbout ? 'subject' : 'to'}":${text === null ? target : `"${text}"`}`
  const withEvent = event === null ? receiver : `${receiver},"event":"${event}"`
  const body = decoder.decode(bytes)
  const content = isJson ? `"data":${body}` : `"body":${JSON.stringify(body)}`
  return `{"id":"${cursorText(frame)}",${withEvent},${content}}`
}

/** Where a client is that has had no message yet. */
export function idJson({ cursor }: StreamStart): string {
  return `{"id":"${cursorText(cursor)}"}`
}

/** What the client has missed and does not get; null for nothing. */
export function gapJson({ cursor, gap }: StreamStart): string | null {
  if (gap === null) return null
  const resume = cursorText(cursor)
  return JSON.stringify({ after: cursorText(gap.after), resume, reason: gap.reason })
}

export function endJson({ reason, note }: StreamEnd): string {
  return JSON.stringify({ end: reason, ...(note !== null && { note }) })
}
