// Which pages of other origins may read streams: the fields of answers to their requests, and to
// the preflight requests that browsers make for them (Fetch standard, section 3.3).

import type { Head } from '../http/exchange.ts'
import { derived, type Settings } from '../hub/settings.ts'

export type CorsHeaders = Readonly<Record<string, string>>

/** For a page of any origin, whose requests then come without cookies. */
export const ANY_ORIGIN = '*'

/** Seconds for which a browser need not ask again; no browser keeps it longer. */
const PREFLIGHT_SECONDS = '86400'

/** An answer to another page may differ. */
const VARY: CorsHeaders = { vary: 'Origin' }

const EXPOSED = { 'access-control-expose-headers': 'Retry-After, WWW-Authenticate' }

const PREFLIGHT: CorsHeaders = {
  'access-control-allow-methods': 'GET, HEAD',
  'access-control-allow-headers': 'Authorization, Last-Event-ID, Cache-Control',
  'access-control-max-age': PREFLIGHT_SECONDS,
}

export class Cors {
  /** Null where all pages are of the port's own origin. */
  readonly #allowed: () => ReadonlyMap<string, CorsHeaders> | null

  constructor(settings: Settings<'corsOrigins'>) {
    let list: readonly string[] = []
    let allowed: ReadonlyMap<string, CorsHeaders> | null = null
    this.#allowed = derived(settings, ({ corsOrigins }) => {
      // Streams of the same page are of the same kind, also after other settings have changed.
      if (Bun.deepEquals(corsOrigins, list)) return allowed
      list = corsOrigins
      allowed = list.length === 0 ? null : allowedBy(list)
      return allowed
    })
  }

  /**
   * The fields of the answer to a request; null for none. The same object for the same origin,
   * until the list is another. Hot path: once a stream.
   */
  headersFor(head: Pick<Head, 'header'>): CorsHeaders | null {
    const allowed = this.#allowed()
    if (allowed === null) return null
    const origin = head.header('origin')
    return (origin === null ? undefined : allowed.get(origin)) ?? allowed.get(ANY_ORIGIN) ?? VARY
  }

  /** The fields of the answer to OPTIONS. */
  preflightFor(head: Pick<Head, 'header'>): CorsHeaders {
    const headers = this.headersFor(head)
    if (headers === null || headers === VARY) return headers ?? {}
    return { ...headers, ...PREFLIGHT }
  }
}

function allowedBy(origins: readonly string[]): ReadonlyMap<string, CorsHeaders> {
  // The answer to any other page differs from that to a page that is named.
  const vary = origins.length > 1 ? VARY : {}
  return new Map(
    origins.map((origin) => [
      origin,
      origin === ANY_ORIGIN
        ? { 'access-control-allow-origin': ANY_ORIGIN, ...EXPOSED, ...vary }
        : {
            'access-control-allow-origin': origin,
            // A page that is named may use the cookie.
            'access-control-allow-credentials': 'true',
            ...EXPOSED,
            ...VARY,
          },
    ]),
  )
}
