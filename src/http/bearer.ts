// The token of an Authorization header.

/**
 * The token that a client presents (RFC 6750 section 2.1); null if there is none.
 *
 * @param authorization the value of the header; null without one
 */
export function bearerToken(authorization: string | null): string | null {
  if (authorization === null || !/^bearer /i.test(authorization)) return null
  const token = authorization.slice('bearer '.length).trim()
  return token === '' ? null : token
}
