// The codes of errors that the system, Bun and libraries throw. Not in errors.ts, whose schema a
// flood process would load too: 6 MB, and 60 ms.

/** Such as `ENOENT`; undefined for an error without a code, which is a bug. */
export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  // An aborted request has a number.
  return typeof code === 'string' ? code : undefined
}

/** The same; throws an error without a code. */
export function codeOrThrow(error: unknown): string {
  const code = codeOf(error)
  if (code === undefined) throw error
  return code
}
