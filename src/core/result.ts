// The shape of an expected failure. Imports nothing, so that every process can afford it: to load
// the schemas of errors.ts takes 4 ms and 0.2 MB in the executable, 85 ms and 3 MB from the source.

/**
 * A value, or why there is none: a text for a person who runs comet, or for a client a `Failure` of
 * errors.ts. Expected failures are values; bugs throw.
 */
export type Result<T, Why = string> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly why: Why }

/** The success of what has no value. */
export const OK: Result<void, never> = { ok: true, value: undefined }

export function success<T>(value: T): { ok: true; value: T } {
  return { ok: true, value }
}

export function refused<Why>(why: Why): { ok: false; why: Why } {
  return { ok: false, why }
}

/** The first of these checks that failed, or success. */
export function allOf<Why>(...checks: readonly Result<void, Why>[]): Result<void, Why> {
  return checks.find((check) => !check.ok) ?? OK
}
