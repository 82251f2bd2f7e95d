// The path of a request.

/**
 * The path of a request's URL, without the query. A `#` is part of it, since a request has no
 * fragment (RFC 9112 section 3.2), so that no route matches. Not by the URL parser: with an empty
 * or invalid Host field, the URL of a request is none.
 */
export function pathOf(url: string): string {
  return /^(?:https?:\/\/[^/?#]*)?([^?]*)/i.exec(url)?.[1] || '/'
}
