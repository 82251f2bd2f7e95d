// A wait that has an end, whatever is waited for.

/** As the promise settles; undefined if it has not after so many milliseconds. */
export function settledWithin<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  return raced<T | undefined>(promise, ms, (late) => late.resolve(undefined))
}

/** As the promise settles; an error that says what was waited for if it has not in time. */
export function withTimeout<T>(what: string, promise: Promise<T>, ms: number): Promise<T> {
  return raced(promise, ms, (late) => {
    late.reject(new Error(`waited ${Math.round(ms)} ms in vain for ${what}`))
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
