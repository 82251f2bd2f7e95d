// Promises with a time limit.

/** Settles as the promise does; with undefined if that takes longer than `ms`. */
export function settledWithin<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  return raced<T | undefined>(promise, ms, (late) => late.resolve(undefined))
}

/** Settles as the promise does; with an error that names what was waited for if it takes longer. */
export function withTimeout<T>(what: string, promise: Promise<T>, ms: number): Promise<T> {
  return raced(promise, ms, (late) => {
    late.reject(new Error(`timed out after ${Math.round(ms)} ms, waiting for ${what}`))
  })
}

async function raced<T>(
  promise: Promise<T>,
  ms: number,
  onTimeout: (late: PromiseWithResolvers<T>) => void,
): Promise<T> {
  const late = Promise.withResolvers<T>()
  const timer = setTimeout(onTimeout, ms, late)
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
