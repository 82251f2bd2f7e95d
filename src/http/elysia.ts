// What both apps share: how Elysia is set, and who is told of bugs.

/** A bug that a request met; the log gets it, the client only its code. */
export type OnBug = (error: unknown) => void

export const ELYSIA = {
  // Elysia looks for the path from the 12th character on, which a short Host header defeats.
  handler: { standardHostname: false },
  // Unknown fields are to be refused by the schema, not dropped before it sees them.
  normalize: false,
} as const

/**
 * Over TLS it is from the 12th on: told otherwise, Elysia 1.4.30 takes the second slash of `https://`
 * for the beginning of the path. The short names that this defeats are in no certificate.
 */
export const ELYSIA_TLS = { ...ELYSIA, handler: { standardHostname: true } } as const
