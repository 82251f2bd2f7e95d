// Work that takes so long that others have their turn in between, or that is done at once where
// nobody waits.

/** Does a part of the work each time that it is asked for the next one. */
export type Steps<T> = Generator<void, T, void>

/** Does all of it now. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const next = steps.next()
    if (next.done === true) return next.value
  }
}

/** Does a part of it in each turn of the event loop. */
export async function finishInTurns<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    const next = steps.next()
    if (next.done === true) return next.value
    await new Promise(setImmediate)
  }
}
