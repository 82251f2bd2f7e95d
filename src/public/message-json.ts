// What a stream says, as JSON objects: messages, where its client is in the log, a gap, the end.
// Formats of lines, events and frames carry the same objects.

import { type Cursor, cursorText } from '../core/cursor.ts'
import { EVERYONE, type Frame } from '../hub/frame.ts'
import type { Gap, StreamEnd, StreamStart } from '../hub/stream.ts'

/** Nothing of a body is taken away, not even a byte order mark. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** A message, or the gap that a frame tells. Hot path: once a message and format. */
export function frameJson(frame: Frame): string {
  return frame.gapAfter === null ? messageJson(frame) : `{"gap":${openGapJson(frame)}}`
}

/** What an open stream may have missed, up to where the frame is. */
export function openGapJson(frame: Frame): string {
  const { gapAfter } = frame
  if (gapAfter === null) throw new Error('a message tells no gap')
  return gapText(gapAfter, frame, 'lost')
}

function messageJson(frame: Frame): string {
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
  return gap === null ? null : gapText(gap.after, cursor, gap.reason)
}

function gapText(after: Cursor, resume: Cursor, reason: Gap['reason']): string {
  return JSON.stringify({ after: cursorText(after), resume: cursorText(resume), reason })
}

export function endJson({ reason, note }: StreamEnd): string {
  return JSON.stringify({ end: reason, ...(note !== null && { note }) })
}
