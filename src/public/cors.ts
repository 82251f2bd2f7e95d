// Which pages of other origins may read streams: the fields of answers to their requests, and to
// the preflight requests that browsers make for them (Fetch standard, section 3.3).

import type { Head } from '../http/exchange.ts'
import { isOwnOrigin } from '../http/origin.ts'
import { localPages } from '../hub/local-pages.ts'
import { derived, type ServerConfig, type Settings } from '../hub/settings.ts'

export type CorsHeaders = Readonly<Record<string, string>>

/** For a page of any origin, whose requests then come without cookies. */
export const ANY_ORIGIN = '*'

/** Seconds for which a browser need not ask again; no browser keeps it longer. */
const PREFLIGHT_SECONDS = '86400'

/** An answer to another page may differ. */
const VARY: CorsHeaders = { vary: 'Origin' }

/** What is said of a refusal, and where a client is in the log: of the formats `raw` and `poll`. */
const EXPOSED = {
  'access-control-expose-headers': [
    ...['Retry-After', 'WWW-Authenticate', 'Comet-Cursor', 'Comet-Gap'],
    ...['ETag', 'Stream-Next-Offset', 'Stream-Up-To-Date', 'Stream-Cursor'],
  ].join(', '),
}

const PREFLIGHT: CorsHeaders = {
  'access-control-allow-methods': 'GET, HEAD',
  'access-control-allow-headers': 'Authorization, Last-Event-ID, Cache-Control, If-None-Match',
  'access-control-max-age': PREFLIGHT_SECONDS,
}

type CorsConfig = Pick<ServerConfig, 'corsOrigins' | 'identity' | 'anonymous' | 'controlAddress'>

export class Cors {
  /** Null where all pages are of the port's own origin. */
  readonly #allowed: () => ReadonlyMap<string, CorsHeaders> | null
  /** By their text. Open streams refer to them, so they are kept: a few for each origin that was
   * ever in a list. */
  readonly #headers = new Map<string, CorsHeaders>()

  /** Of answers to other pages. */
  readonly #others: () => CorsHeaders | null

  constructor(settings: Settings<'corsOrigins' | 'identity' | 'anonymous' | 'controlAddress'>) {
    this.#allowed = derived(settings, (config) => this.#allowedBy(config))
    // Without a list nothing may be kept that depends on the page: streams are not kept at all.
    this.#others = derived(settings, ({ corsOrigins }) => (corsOrigins.length > 0 ? VARY : null))
  }

  /**
   * The fields of the answer to a request; null for none. The same object for the same fields, by
   * which the kind of a stream is known. Hot path: once a stream.
   */
  headersFor(head: Pick<Head, 'header'>): CorsHeaders | null {
    const allowed = this.#allowed()
    if (allowed === null) return null
    const origin = head.header('origin')
    const listed = origin === null ? undefined : allowed.get(origin)
    return listed ?? allowed.get(ANY_ORIGIN) ?? this.#others()
  }

  /**
   * May the page that a request comes from, if it comes from one, read what a browser lets any page
   * read? Browsers keep WebSockets from no page (RFC 6455 section 10.2).
   */
  allowsPage(head: Pick<Head, 'header'>): boolean {
    const origin = head.header('origin')
    if (origin === null || isOwnOrigin(head)) return true
    const allowed = this.#allowed()
    return allowed !== null && (allowed.has(origin) || allowed.has(ANY_ORIGIN))
  }

  /** The fields of the answer to OPTIONS. */
  preflightFor(head: Pick<Head, 'header'>): CorsHeaders {
    const headers = this.headersFor(head)
    if (headers === null || headers === VARY) return headers ?? {}
    return { ...headers, ...PREFLIGHT }
  }

  #allowedBy({ corsOrigins, ...config }: CorsConfig): ReadonlyMap<string, CorsHeaders> | null {
    const local = localPages(config)
    if (corsOrigins.length === 0 && local.length === 0) return null
    // The answer to any other page differs from that to a page that is named.
    const vary = corsOrigins.length > 1 ? VARY : {}
    const unnamed = (origin: string) => ({ 'access-control-allow-origin': origin, ...EXPOSED })
    const listed = corsOrigins.map((origin): [string, CorsHeaders] => [
      origin,
      origin === ANY_ORIGIN
        ? { ...unnamed(ANY_ORIGIN), ...vary }
        : // A page that is named may use the cookie.
          { ...unnamed(origin), 'access-control-allow-credentials': 'true', ...VARY },
    ])
    const own = local.map((origin): [string, CorsHeaders] => [
      origin,
      { ...unnamed(origin), ...VARY },
    ])
    return new Map([...own, ...listed].map(([origin, headers]) => [origin, this.#kept(headers)]))
  }

  /** Those of before with the same fields, also when they come from an earlier list. */
  #kept(headers: CorsHeaders): CorsHeaders {
    const key = JSON.stringify(headers)
    const kept = this.#headers.get(key) ?? headers
    this.#headers.set(key, kept)
    return kept
  }
}
