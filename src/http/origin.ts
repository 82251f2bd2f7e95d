// Which page a request comes from (RFC 6454).

import type { Head } from './exchange.ts'

/**
 * Is it a page of the origin that the request is for? By what browsers say and no page can change;
 * the scheme may be that of a proxy, which the request does not name.
 */
export function isOwnOrigin(head: Pick<Head, 'header'>): boolean {
  if (head.header('sec-fetch-site') === 'same-origin') return true
  const origin = URL.parse(head.header('origin') ?? '')
  const host = head.header('host')
  if (origin === null || host === null || !/^https?:$/.test(origin.protocol)) return false
  // Parsed, since a browser leaves out the port that its scheme has by default.
  return URL.parse(`${origin.protocol}//${host}`)?.host === origin.host
}
