// What the workers know of one user: asked of those that hold the user, and put together. One that does
// not answer is not waited for long.

import { workerLimits } from '../core/limits.ts'
import type { UserPresence } from '../hub/store.ts'
import type { Link } from './link.ts'
import { type PresenceAnswer, TO_WORKER } from './protocol.ts'

/** Somebody asks for a user's presence and waits for the workers that hold the user. */
interface Request {
  waiting: number
  sinceMs: number | null
  readonly resolve: () => void
}

export class PresenceQuery {
  readonly #requests = new Map<number, Request>()
  #requested = 0

  /** Since when the user is connected to these workers; null if none of them says. */
  async since(user: number, links: readonly Link[]): Promise<UserPresence['sinceMs']> {
    if (links.length === 0) return null
    const { promise, resolve } = Promise.withResolvers<void>()
    const number = this.#requested++ >>> 0
    const request: Request = { waiting: links.length, sinceMs: null, resolve }
    this.#requests.set(number, request)
    for (const link of links) {
      link.out.begin(TO_WORKER.presence)
      link.out.number(number)
      link.out.number(user)
      link.out.end()
      link.flushSoon()
    }
    const timer = setTimeout(resolve, workerLimits.figuresMsMax)
    await promise
    clearTimeout(timer)
    this.#requests.delete(number)
    return request.sinceMs
  }

  answered({ request: number, sinceMs }: PresenceAnswer): void {
    const request = this.#requests.get(number)
    if (request === undefined) return
    if (sinceMs !== null && (request.sinceMs === null || sinceMs < request.sinceMs)) {
      request.sinceMs = sinceMs
    }
    if (--request.waiting === 0) request.resolve()
  }
}
