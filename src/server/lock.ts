// The lock of the control port: who may publish and read is whoever knows the token. It decides from a
// request's head alone, before any route sees it; health, and the dashboard's empty page, need no token.

import { timingSafeEqual } from 'node:crypto'
import { refusal } from '../core/refusal.ts'

/** For probes of a machine that knows no secret, which are told nothing but a word; and the page of the
 * dashboard, which holds no figure and asks its reader for the token. */
const OPEN_PATHS = new Set(['/livez', '/readyz', '/'])

export interface LockOptions {
  /** What must be known; null if nothing need be. */
  readonly token: string | null
  /** Told why a request was turned away. */
  readonly onRefused: (why: string) => void
}

export class Lock {
  readonly #onRefused: (why: string) => void
  #token: Buffer | null

  constructor({ token, onRefused }: LockOptions) {
    this.#onRefused = onRefused
    this.#token = token === null ? null : Buffer.from(token)
  }

  /** From now on this token must be known. */
  change(token: string): void {
    this.#token = Buffer.from(token)
  }

  /** The answer to a request that may not pass; null for one that may. Hot path: once a request. */
  refuse(request: Request): Response | null {
    const origin = request.headers.get('origin')
    if (origin !== null && !isOwn(origin, request)) {
      this.#onRefused(`a page of ${origin.slice(0, ORIGIN_LENGTH_MAX)} made it`)
      return refusal({
        code: 'foreign_origin',
        message: 'Pages of other servers may not use this port, whoever opens them.',
      })
    }
    if (this.#token === null) return null
    const given = request.headers.get('authorization')
    if (given !== null && isToken(given, this.#token)) return null
    if (OPEN_PATHS.has(pathOf(request.url))) return null
    this.#onRefused(given === null ? 'it has no token' : 'its token is another one')
    return refusal(
      { code: 'unauthorized', message: 'Send the token: Authorization: Bearer <token>.' },
      // RFC 6750 section 3.
      { 'www-authenticate': 'Bearer' },
    )
  }
}

/** What of an origin is worth a line of the log. */
const ORIGIN_LENGTH_MAX = 200

/**
 * Is it a page of this port that asks? A browser names the origin of the page (RFC 6454), and any page
 * may make it ask a port that only this machine can reach.
 */
function isOwn(origin: string, request: Request): boolean {
  return /^https?:\/\/(.+)$/.exec(origin)?.[1] === request.headers.get('host')
}

/** RFC 6750 section 2.1; compared in constant time, so that nothing is learnt from how long it takes. */
function isToken(authorization: string, token: Buffer): boolean {
  if (!/^bearer /i.test(authorization)) return false
  const given = Buffer.from(authorization.slice('bearer '.length).trim())
  return given.length === token.length && timingSafeEqual(given, token)
}

/**
 * The path of a request's URL. Not by the URL parser: with an empty or broken Host header, the URL
 * of a request is none.
 */
export function pathOf(url: string): string {
  return /^(?:https?:\/\/[^/?#]*)?([^?#]*)/i.exec(url)?.[1] || '/'
}
