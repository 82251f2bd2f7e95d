// What both apps share: the settings of Elysia, the path of a request, and where bugs are reported.

/** A bug that a request met; the log gets it, the client only its code. */
export type OnBug = (error: unknown) => void

export const ELYSIA = {
  // Unknown fields are to be refused by the schema, not dropped before it sees them.
  normalize: false,
} as const

/**
 * The path of a request's URL, without the query. A `#` is part of it, since a request has no
 * fragment (RFC 9112 section 3.2), so that no route matches. Not by the URL parser: with an empty
 * or invalid Host field, the URL of a request is none.
 */
export function pathOf(url: string): string {
  return /^(?:https?:\/\/[^/?#]*)?([^?]*)/i.exec(url)?.[1] || '/'
}
