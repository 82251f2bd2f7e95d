// What the clients of WebSocket streams send: answers their pings, ends their streams as they ask
// or when they break the rules, and does what they ask for about subjects. A stream that has sent
// nothing is not known here, unless its token says what it may read.

import type { Clock } from '../core/clock.ts'
import { cursorText } from '../core/cursor.ts'
import { websocketLimits } from '../core/limits.ts'
import type { Subject } from '../core/user.ts'
import type { Settings } from '../hub/settings.ts'
import type { StreamStore } from '../hub/store.ts'
import type { StreamInput, StreamRegistry } from '../hub/stream.ts'
import type { SubjectsChange, SubjectsRequest, SubjectsResult } from '../hub/subject-changes.ts'
import { ReadPatterns } from './read-patterns.ts'
import { SubjectQuota } from './subject-quota.ts'
import {
  CLOSE_CODE,
  ClientFrames,
  type CloseCode,
  encodeClose,
  encodeCloseReply,
  encodePong,
  encodeText,
} from './websocket-frames.ts'
import {
  doneText,
  failureText,
  parseSubjectsRequest,
  REQUEST_FAILURES,
} from './websocket-requests.ts'

export interface WebsocketInputOptions {
  readonly store: StreamStore
  readonly registry: Pick<StreamRegistry, 'change'>
  readonly settings: Settings<'userIdMax'>
  readonly clock: Clock
}

/** An answer in the place of its request: null as long as it is not known. */
interface WaitingAnswer {
  readonly change: SubjectsChange | null
  readonly bytes: number
  answer: Uint8Array | null
}

/** Of one stream: answers come in the order of the requests. */
interface WaitingAnswers {
  readonly answers: WaitingAnswer[]
  /** Of the messages that they answer. */
  bytes: number
}

const NO_SLOT = 0

export class WebsocketInput implements StreamInput {
  readonly #options: WebsocketInputOptions
  readonly #frames = new ClientFrames((slot) => {
    this.#close(slot, CLOSE_CODE.tryAgainLater, 'too many messages are not complete')
  })
  readonly #patterns = new ReadPatterns()
  readonly #quota: SubjectQuota
  /** By slot, of the few that wait for an answer. */
  readonly #waiting = new Map<number, WaitingAnswers>()
  /** The stream that is being read, and what it is answered. */
  #reading = NO_SLOT
  #answers: Uint8Array[] = []

  constructor(options: WebsocketInputOptions) {
    this.#options = options
    this.#quota = new SubjectQuota(options.clock)
  }

  onOpen(slot: number, readable: readonly string[] | null): void {
    if (readable !== null) this.#patterns.set(slot, readable)
  }

  /** What a client sends at once is answered at once: its answers take one system call. */
  onData(slot: number, bytes: Uint8Array): void {
    const frames = this.#frames.read(slot, bytes)
    if (frames.length === 0) return
    this.#reading = slot
    for (const frame of frames) {
      // One that asks for too much has ended.
      if (!this.#options.store.hasOpen(slot)) break
      if (frame.kind === 'text') this.#onText(slot, frame.text)
      else if (frame.kind === 'ping') this.#send(slot, encodePong(frame.payload))
    }
    this.#reading = NO_SLOT
    const answers = this.#answers
    this.#answers = []
    if (answers.length > 0) this.#options.store.delivery.reply(slot, Buffer.concat(answers))
    const last = frames.at(-1)
    if (last?.kind === 'close') {
      this.#options.store.close(slot, 'client', encodeCloseReply(last.payload))
    } else if (last?.kind === 'invalid') this.#close(slot, last.code, last.reason)
  }

  /** A client answers the close frame of the server by one of its own. */
  isEnd(slot: number, bytes: Uint8Array): boolean {
    const last = this.#frames.read(slot, bytes).at(-1)
    return last?.kind === 'close' || last?.kind === 'invalid'
  }

  #close(slot: number, code: CloseCode, reason: string): void {
    this.#options.store.close(slot, 'protocol', encodeClose(code, reason))
  }

  #onText(slot: number, text: string): void {
    const { userIdMax } = this.#options.settings.current
    const parsed = parseSubjectsRequest(text, userIdMax)
    if (!parsed.ok) this.#answer(slot, failureText(parsed.why))
    else if (!this.#allows(slot, parsed.value)) {
      this.#answer(slot, failureText(REQUEST_FAILURES.subject_not_allowed))
    } else if (!this.#mayAsk(slot, parsed.value)) {
      this.#answer(slot, failureText(REQUEST_FAILURES.too_often))
    } else this.#ask(slot, parsed.value, text.length)
  }

  #allows(slot: number, { kind, subjects }: SubjectsRequest): boolean {
    if (kind === 'unsubscribe') return true
    const user = this.#options.store.userOf(slot)
    // Its own messages it gets anyway.
    const allows = (subject: Subject) => subject === user || this.#patterns.allows(slot, subject)
    return subjects.every(allows)
  }

  #mayAsk(slot: number, { kind, subjects }: SubjectsRequest): boolean {
    return kind === 'unsubscribe' || this.#quota.take(slot, subjects.length)
  }

  #ask(slot: number, request: SubjectsRequest, bytes: number): void {
    let isAsked = false
    const change: SubjectsChange = {
      ...request,
      slot,
      isOver: false,
      done: (result) => {
        waiting.answer = encodeText(answerText(request, result))
        if (isAsked && !change.isOver) this.#sendAnswered(slot)
      },
    }
    const waiting: WaitingAnswer = { change, bytes, answer: null }
    this.#options.registry.change(change)
    isAsked = true
    if (waiting.answer === null) this.#wait(slot, waiting)
    else this.#inOrder(slot, waiting.answer)
  }

  #answer(slot: number, text: string): void {
    this.#inOrder(slot, encodeText(text))
  }

  /** An answer that is known, behind those to what was asked before. */
  #inOrder(slot: number, answer: Uint8Array): void {
    if (this.#waiting.has(slot)) this.#wait(slot, { change: null, bytes: answer.length, answer })
    else this.#send(slot, answer)
  }

  #wait(slot: number, waiting: WaitingAnswer): void {
    const { waitingMax, waitingBytesMax } = websocketLimits
    const of = this.#waiting.get(slot) ?? { answers: [], bytes: 0 }
    of.answers.push(waiting)
    of.bytes += waiting.bytes
    this.#waiting.set(slot, of)
    if (of.answers.length <= waitingMax && of.bytes <= waitingBytesMax) return
    this.#close(slot, CLOSE_CODE.policyViolation, 'too many messages wait for their answers')
  }

  /** Sends the answers up to the first one that is not known. */
  #sendAnswered(slot: number): void {
    const waiting = this.#waiting.get(slot)
    if (waiting === undefined) return
    const { answers } = waiting
    while (answers[0]?.answer != null) {
      const { answer, bytes } = answers.shift() as WaitingAnswer
      waiting.bytes -= bytes
      if (answer !== null) this.#send(slot, answer)
    }
    if (answers.length === 0) this.#waiting.delete(slot)
  }

  #send(slot: number, bytes: Uint8Array): void {
    if (this.#reading === slot) this.#answers.push(bytes)
    else this.#options.store.delivery.reply(slot, bytes)
  }

  onClose(slot: number): void {
    this.#frames.forget(slot)
    this.#patterns.delete(slot)
    this.#quota.onClose(slot)
    const waiting = this.#waiting.get(slot)
    if (waiting === undefined) return
    this.#waiting.delete(slot)
    for (const { change } of waiting.answers) if (change !== null) change.isOver = true
  }
}

function answerText(request: SubjectsRequest, result: SubjectsResult): string {
  return result.ok
    ? doneText(request, cursorText(result.value))
    : failureText(REQUEST_FAILURES[result.why])
}
