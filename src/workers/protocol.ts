// The records between parent and worker. Both are the same executable, so there are no versions,
// and neither checks the other's bytes.

import type { Address } from '../core/address.ts'
import type { HistogramFigures } from '../core/histogram.ts'
import type { LogLine } from '../core/recent-log.ts'
import type { Result } from '../core/result.ts'
import type { StreamFigures } from '../hub/figures.ts'
import { type Frame, newFrame, newGapFrame } from '../hub/frame.ts'
import type { ServerConfig } from '../hub/settings.ts'
import type { StreamEnd } from '../hub/stream.ts'
import { longNumberAt, type RecordWriter } from './records.ts'

/** From the parent. A request is a number and JSON, and is replied to by that number. */
export const TO_WORKER = {
  /** JSON, {@link WorkerStart}: hold streams. */
  start: 1,
  /** Number of users, the users, a frame ({@link writeFrame}): hand it to these users' streams. */
  deliver: 2,
  /** Request, null: {@link WorkerReport}. */
  figures: 3,
  /** Request, a user: `UserPresence`. */
  presence: 4,
  /** JSON, a `DrainPace`: end all streams properly, evenly, and then the process. */
  drain: 5,
  /** JSON, `ServerConfig`: these settings are current. */
  settings: 6,
  /** JSON, a boolean: is the server ready? It is until it is said. */
  ready: 7,
  /** Request, an {@link EndRequest}: how many streams were ended. */
  end: 8,
  /** A frame ({@link writeFrame}): hand it to all streams. */
  broadcast: 9,
  /** Request, an {@link AudienceRequest}: how many streams a message would reach. */
  audience: 10,
  /** A slot and a `StreamBeginning` (beginnings.ts): open the stream; it comes before all messages
   * that are not in it. */
  begin: 11,
  /** A `SubjectsAnswer` (remote-subjects.ts) to the next request of `change`; it comes before all
   * messages that follow from it. */
  changed: 12,
  /** Users and subjects, or nothing for all: messages for their streams were left out here, since
   * the worker was too far behind. Those that can come back behind their last message end. */
  skipped: 13,
  /** A slot: it is not known yet where its stream begins, and `again` comes. */
  wait: 14,
  /** A slot, and 1 if it was waited for in vain: the worker is to ask again. */
  again: 15,
} as const

/** From the worker. */
export const TO_PARENT = {
  /** JSON, {@link WorkerStarted}: the port is open, or why not. */
  started: 1,
  /** For each stream that was opened its slot, its user, and when (worker-connections.ts). */
  opened: 2,
  /** For each stream that was closed, after it was opened, its slot and why; before its slot is
   * that of another one. */
  closed: 3,
  /** Subjects, one for each that a stream follows for itself, before the stream is opened. */
  followed: 11,
  /** The same of streams that have ended. */
  unfollowed: 12,
  /** JSON, a `SubjectsRequest`: an open stream is to follow these, or does no longer. */
  change: 15,
  /** A `BeginRequest` (beginnings.ts): a stream was opened; where does it begin? */
  begin: 14,
  /**
   * Bytes of all frames that are acknowledged, then one number a frame: how many streams took it.
   */
  ack: 4,
  /** JSON, {@link WorkerReport}: a sign of life. */
  figures: 5,
  /** JSON, {@link Drained}. */
  drained: 6,
  /** Request, a `StreamRequest`: `LimiterDecision`. */
  acquire: 7,
  /** JSON, a network: a stream from there that was admitted has ended. */
  release: 8,
  /** Request, null: have the keys of tokens fetched again; the reply comes after new settings. */
  refreshKeys: 9,
  /** Request, a ticket: whose it is, or null. */
  redeem: 10,
  /** Request, a `RevocableToken`: was it revoked? */
  isRevoked: 13,
} as const

/** Count the streams that a message about a subject would reach. */
export interface AudienceRequest {
  readonly subject: number
  /** The subject, and who follows it, of those that the worker holds. */
  readonly users: readonly number[]
}

/** End the streams of a user. */
export interface EndRequest {
  readonly user: number
  readonly end: StreamEnd
}

/** What a worker starts with. */
export interface WorkerStart {
  readonly number: number
  /** Are there more workers than cores? */
  readonly sharesCores: boolean
  /** Are there very many more? */
  readonly isOfCrowd: boolean
  /** Those of the public port, with the ports that the parent found free. */
  readonly addresses: readonly Address[]
  /** With its share of `streamsMax`, and without secrets. */
  readonly config: ServerConfig
}

/** What a worker reports of itself. */
export interface WorkerReport extends StreamFigures {
  /** How late its loop was, in seconds. */
  readonly loopLag: HistogramFigures
  /** Lines of its log that could not be written. */
  readonly logLinesDropped: number
  /** The newest lines of its log since its last report. */
  readonly logLines: readonly LogLine[]
}

export type WorkerStarted = Result<WorkerReport>

export interface Drained {
  /** Were there clients that had to be cut? */
  readonly cut: boolean
}

/** Bytes of a frame before its event, the name of its target and its body. */
export const FRAME_HEAD_BYTES = 24

/**
 * Of the number that says what a frame is besides its target: two bits, and the lengths of its
 * event and of the target's name.
 */
const IS_ABOUT = 1
const IS_JSON = 2
const IS_GAP = 4
const EVENT_SHIFT = 8
const NAME_SHIFT = 16
const LENGTH_MASK = 0xff

/** Writes a frame at the end of a record. Hot path: once a worker that gets it. */
export function writeFrame(out: RecordWriter, frame: Frame): void {
  const { target, isAbout, isJson, event, name, bytes, gapAfter } = frame
  const eventBytes = event === null ? 0 : event.length
  const nameBytes = name === null ? 0 : name.length
  const lengths = (eventBytes << EVENT_SHIFT) | (nameBytes << NAME_SHIFT)
  out.number(target)
  const isGap = gapAfter !== null
  out.number((isAbout ? IS_ABOUT : 0) | (isJson ? IS_JSON : 0) | (isGap ? IS_GAP : 0) | lengths)
  out.longNumber(frame.epoch)
  out.longNumber(frame.number)
  if (event !== null) out.bytes(Buffer.from(event, 'latin1'))
  if (name !== null) out.bytes(Buffer.from(name, 'latin1'))
  if (isGap) {
    out.longNumber(gapAfter.epoch)
    out.longNumber(gapAfter.number)
  } else out.bytes(bytes)
}

const decoder = new TextDecoder()

/** Reads the frame that a record ends with. Hot path: once a frame. */
export function readFrame(bytes: Uint8Array, view: DataView, start: number): Frame {
  const what = view.getUint32(start + 4, true)
  const eventAt = start + FRAME_HEAD_BYTES
  const nameAt = eventAt + ((what >>> EVENT_SHIFT) & LENGTH_MASK)
  const bodyAt = nameAt + ((what >>> NAME_SHIFT) & LENGTH_MASK)
  const place = { epoch: longNumberAt(view, start + 8), number: longNumberAt(view, start + 16) }
  if ((what & IS_GAP) !== 0) {
    const after = { epoch: longNumberAt(view, bodyAt), number: longNumberAt(view, bodyAt + 8) }
    return newGapFrame(after, place)
  }
  // A copy: what waits for a slow stream must not keep everything that came with it, and Bun's
  // buffers make only views of themselves.
  const body = new Uint8Array(bytes.subarray(bodyAt))
  const event = nameAt === eventAt ? null : decoder.decode(bytes.subarray(eventAt, nameAt))
  const name = bodyAt === nameAt ? null : decoder.decode(bytes.subarray(nameAt, bodyAt))
  const isAbout = (what & IS_ABOUT) !== 0
  const isJson = (what & IS_JSON) !== 0
  const frame = newFrame(body, isAbout, view.getUint32(start, true), event, isJson, name)
  frame.epoch = place.epoch
  frame.number = place.number
  return frame
}
