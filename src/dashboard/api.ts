// Asks the server that the page came from, with the token if there is one. The token is kept in this
// variable and nowhere else: a page that is closed or loaded again has forgotten it.

import { dashboardLimits } from '../core/limits.ts'

/** What came back: the answer, or why there is none in words. */
export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly isLocked: boolean; readonly why: string }

let token: string | null = null

export function useToken(text: string): void {
  token = text
}

export async function ask<T>(path: string, message?: object): Promise<Answer<T>> {
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` }
  try {
    const response = await fetch(path, {
      ...(message === undefined
        ? { headers }
        : {
            method: 'POST',
            headers: { ...headers, 'content-type': 'application/json' },
            body: JSON.stringify(message),
          }),
      // A server that hangs is asked again.
      signal: AbortSignal.timeout(dashboardLimits.answerMs),
    })
    const body: unknown = await response.json()
    if (response.ok) return { ok: true, value: body as T }
    return { ok: false, isLocked: response.status === 401, why: whyOf(body, response.status) }
  } catch (error) {
    const isLate = error instanceof Error && error.name === 'TimeoutError'
    const why = isLate ? 'The server does not answer.' : 'The server cannot be reached.'
    return { ok: false, isLocked: false, why }
  }
}

/** The server's own words: errors have one shape. */
function whyOf(body: unknown, status: number): string {
  const { error } = (body ?? {}) as { error?: { message?: unknown } }
  return typeof error?.message === 'string' ? error.message : `The server answered with ${status}.`
}
