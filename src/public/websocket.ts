// The transport of WebSocket (RFC 6455): a message is a text frame with the JSON object that is a
// line of JSON lines. The end is such a frame, too, and a close frame whose code says why.

import type { Frame } from '../hub/frame.ts'
import type { EndReason } from '../hub/refusals.ts'
import type { StreamEnd, StreamStart } from '../hub/stream.ts'
import { endJson, frameJson, gapJson, idJson } from './message-json.ts'
import { NO_BYTES, type Transport } from './transport.ts'
import { CLOSE_CODE, type CloseCode, encodeClose, encodeText, PING } from './websocket-frames.ts'

/** Those of a request that was answered are none of a stream. */
const CODES: Readonly<Record<Exclude<EndReason, 'answered'>, CloseCode>> = {
  drained: CLOSE_CODE.goingAway,
  expired: CLOSE_CODE.expired,
  ended: CLOSE_CODE.ended,
}

export const websocket = {
  isUpgrade: true,
  hasCursor: true,
  tellsGaps: true,
  headers: {},

  greeting(_: number, __: boolean, start: StreamStart | null): Uint8Array {
    if (start === null) return NO_BYTES
    const gap = gapJson(start)
    const id = encodeText(idJson(start))
    return gap === null ? id : Buffer.concat([encodeText(`{"gap":${gap}}`), id])
  },

  /** Hot path: once a delivery. The frame is built once a message. */
  encode(frame: Frame): Uint8Array {
    frame.textFrame ??= encodeText(frameJson(frame))
    return frame.textFrame
  },

  heartbeat: () => PING,

  ending(end: StreamEnd): Uint8Array {
    const { reason } = end
    if (reason === 'answered') throw new Error('a WebSocket is no request that is answered')
    return Buffer.concat([encodeText(endJson(end)), encodeClose(CODES[reason], reason)])
  },
} as const satisfies Transport
