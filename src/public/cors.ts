// Which pages of other origins may read streams: the fields of answers to their requests, and to
// the preflight requests that browsers make for them (Fetch standard, section 3.3).

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
    this.#allowed = derived(settings, ({ corsOrigins }) =>
      corsOrigins.length === 0 ? null : new Map(corsOrigins.map((each) => [each, fieldsFor(each)])),
    )
  }

  /**
   * The fields of the answer to a request; null for none. The same object for the same origin,
   * until the settings are replaced.
   *
   * @param origin of the page that makes it; null if it names none
   */
  headersFor(origin: string | null): CorsHeaders | null {
    const allowed = this.#allowed()
    if (allowed === null) return null
    return (origin === null ? undefined : allowed.get(origin)) ?? allowed.get(ANY_ORIGIN) ?? VARY
  }

  /** The fields of the answer to OPTIONS. */
  preflightFor(origin: string | null): CorsHeaders {
    const headers = this.headersFor(origin)
    if (headers === null || headers === VARY) return headers ?? {}
    return { ...headers, ...PREFLIGHT }
  }
}

function fieldsFor(origin: string): CorsHeaders {
  if (origin === ANY_ORIGIN) return { 'access-control-allow-origin': ANY_ORIGIN, ...EXPOSED }
  return {
    'access-control-allow-origin': origin,
    // A page that is named may use the cookie.
    'access-control-allow-credentials': 'true',
    ...EXPOSED,
    ...VARY,
  }
}
