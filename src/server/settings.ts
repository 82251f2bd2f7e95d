// What both apps share: how Elysia is set, and who is told of bugs.

/** A bug that a request met; the log gets it, the client only its code. */
export type OnBug = (error: unknown) => void

export const ELYSIA = {
  // Elysia looks for the path from the 12th character on, which a short Host header defeats.
  handler: { standardHostname: false },
  // Unknown fields are to be refused by the schema, not dropped before it sees them.
  normalize: false,
} as const
