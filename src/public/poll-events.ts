// The format `poll` with `live=sse`: a stream of the events `data`, an array of messages, and
// `control`, where the client is (Durable Streams, section 5.8). Client libraries skip all others.

import { cursorText } from '../core/cursor.ts'
import { encodeChunk } from '../http/response.ts'
import type { Frame } from '../hub/frame.ts'
import type { StreamBeginning, StreamEnd } from '../hub/stream.ts'
import type { CollapsingCursor } from './collapsing-cursor.ts'
import { jsonLines } from './json-lines.ts'
import { endJson } from './message-json.ts'
import { arrayOf, gapReply, POLL_HEADERS } from './poll-reply.ts'
import { NO_BYTES, STREAM_HEADERS, type Transport, type TransportBeginning } from './transport.ts'

export function pollEvents(collapsing: Pick<CollapsingCursor, 'live'>): Transport {
  const control = (next: string, isUpToDate: boolean) => {
    const place = { streamNextOffset: next, streamCursor: String(collapsing.live()) }
    return eventOf('control', JSON.stringify({ ...place, ...(isUpToDate && { upToDate: true }) }))
  }
  return {
    hasCursor: true,
    tellsGaps: false,
    headers: {
      ...POLL_HEADERS,
      ...STREAM_HEADERS,
      'cache-control': `no-cache, ${STREAM_HEADERS['cache-control']}`,
      'content-type': 'text/event-stream',
    },
    greeting: () => NO_BYTES,

    begin({ start, missed, upTo, isAll }: StreamBeginning): TransportBeginning {
      const refusal = gapReply(start)
      if (refusal !== null) return { bytes: NO_BYTES, refusal, isOver: true }
      const events = missed.length === 0 ? [] : [dataOf(missed)]
      events.push(control(cursorText(upTo), isAll))
      // The client comes back for the rest.
      return { bytes: Buffer.concat(events), refusal, isOver: !isAll }
    },

    /** Hot path: once a delivery. The events are built once a message. */
    encode(frame: Frame, isChunked: boolean): Uint8Array {
      frame.pollEvents ??= Buffer.concat([dataOf([frame]), control(cursorText(frame), true)])
      if (!isChunked) return frame.pollEvents
      frame.pollEventsChunk ??= encodeChunk(frame.pollEvents)
      return frame.pollEventsChunk
    },

    heartbeat: (isChunked: boolean) => (isChunked ? encodeChunk(COMMENT) : COMMENT),

    ending(end: StreamEnd, isChunked: boolean): Uint8Array {
      if (end.reason === 'answered') return NO_BYTES
      const event = eventOf('end', endJson(end))
      return isChunked ? encodeChunk(event) : event
    },
  }
}

function dataOf(messages: readonly Frame[]): Uint8Array {
  const lines = messages.map((frame) => jsonLines.encode(frame, false))
  return eventOf('data', arrayOf(Buffer.concat(lines)))
}

/** @param data JSON without line ends */
function eventOf(type: string, data: string | Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`event: ${type}\ndata:`), Buffer.from(data), TWO_LINE_ENDS])
}

const TWO_LINE_ENDS = Buffer.from('\n\n')
const COMMENT = Buffer.from(':\n\n')
