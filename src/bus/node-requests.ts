// Questions from node to node: one goes to all others, or to a single node. The answer names the
// nodes that did not answer within the time limit.

import type { NodeLimits } from '../core/bus-limits.ts'
import type { InboxItem } from './inbox-entry.ts'
import type { InboxSender } from './inbox-sender.ts'
import type { Member } from './member-entry.ts'
import type { Members } from './members.ts'

export interface Answers {
  /** By origin. */
  readonly answers: ReadonlyMap<string, string>
  /** Members that did not answer in time, or do not know that kind of question. */
  readonly missing: readonly Member[]
}

export interface AskOptions {
  /** The origin of the only node that is asked. */
  readonly to?: string
  readonly answerMs?: number
}

/**
 * Answers a question of another node; null if there is no answer. Does not throw.
 *
 * @param from the origin of the node
 */
export type AnswerQuestion = (body: string, from: string) => string | null | Promise<string | null>

export interface NodeRequestsOptions {
  readonly origin: string
  readonly members: Members
  readonly sender: InboxSender
  readonly limits: NodeLimits
}

/** A question without all its answers. */
interface Pending {
  readonly waiting: Map<string, Member>
  readonly missing: Member[]
  readonly answers: Map<string, string>
  readonly resolve: (answers: Answers) => void
  readonly timer: Timer
}

export class NodeRequests {
  readonly #options: NodeRequestsOptions
  readonly #kinds = new Map<string, AnswerQuestion>()
  readonly #pending = new Map<number, Pending>()
  #lastId = 0
  /** Questions of other nodes being answered. */
  #handled = 0
  #isClosed = false

  constructor(options: NodeRequestsOptions) {
    this.#options = options
  }

  /** Questions without all their answers. */
  get pending(): number {
    return this.#pending.size
  }

  /** Answers questions of this kind from now on. */
  handle(kind: string, answer: AnswerQuestion): void {
    if (this.#kinds.has(kind)) throw new Error(`${kind} is answered already`)
    this.#kinds.set(kind, answer)
  }

  /** Settles when all have answered, or at the time limit. Questions of one turn of the loop go
   * together. */
  ask(kind: string, body: string, options: AskOptions = {}): Promise<Answers> {
    const { members, origin, sender, limits } = this.#options
    const { to, answerMs = limits.answerMs } = options
    const asked = members.others(origin).filter((one) => to === undefined || one.origin === to)
    const isTooMuch = this.#pending.size >= limits.asksMax || body.length > limits.bodyLengthMax
    if (asked.length === 0 || isTooMuch || this.#isClosed) {
      return Promise.resolve({ answers: new Map(), missing: asked })
    }
    const id = ++this.#lastId
    const { promise, resolve } = Promise.withResolvers<Answers>()
    this.#pending.set(id, {
      waiting: new Map(asked.map((member) => [member.origin, member])),
      missing: [],
      answers: new Map(),
      resolve,
      timer: setTimeout(() => this.#end(id), answerMs),
    })
    for (const member of asked) sender.add(member.origin, { type: 'ask', id, kind, body })
    return promise
  }

  /** An item came from another node. */
  onItem(from: string, item: InboxItem): void {
    if (item.type === 'answer') this.#onAnswer(from, item.id, item.body)
    else if (item.type === 'ask') void this.#answer(from, item.id, item.kind, item.body)
  }

  /** Called when an item has not reached its node. */
  onDropped(to: string, item: InboxItem): void {
    if (item.type === 'ask') this.#onAnswer(to, item.id, null)
  }

  close(): void {
    this.#isClosed = true
    for (const id of [...this.#pending.keys()]) this.#end(id)
  }

  #onAnswer(from: string, id: number, body: string | null): void {
    const pending = this.#pending.get(id)
    const member = pending?.waiting.get(from)
    if (pending === undefined || member === undefined) return
    pending.waiting.delete(from)
    if (body === null) pending.missing.push(member)
    else pending.answers.set(from, body)
    if (pending.waiting.size === 0) this.#end(id)
  }

  #end(id: number): void {
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    this.#pending.delete(id)
    clearTimeout(pending.timer)
    const { answers, missing, waiting, resolve } = pending
    resolve({ answers, missing: [...missing, ...waiting.values()] })
  }

  async #answer(from: string, id: number, kind: string, body: string): Promise<void> {
    const { limits, sender } = this.#options
    const answerOf = this.#kinds.get(kind)
    let answer: string | null = null
    if (answerOf !== undefined && this.#handled < limits.handledMax) {
      this.#handled++
      answer = await answerOf(body, from)
      this.#handled--
    }
    const isTooLong = answer !== null && answer.length > limits.bodyLengthMax
    sender.add(from, { type: 'answer', id, body: isTooLong ? null : answer })
  }
}
