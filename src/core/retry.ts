// How long to wait before something that failed is tried again: a pure function.

export interface Backoff {
  /** Milliseconds after the first failure. */
  readonly firstMs: number
  readonly maxMs: number
}

/** Twice as long each time. @param failures one after the other, from 1 on */
export function backoffMs(failures: number, { firstMs, maxMs }: Backoff): number {
  return Math.min(maxMs, firstMs * 2 ** (failures - 1))
}
