// The control port of a server, as a command asks it for figures.

import { socketPathOf } from '../core/address.ts'
import { floodLimits } from '../core/tool-limits.ts'

/** Where it is, and the token that it asks for, if any. */
export interface ControlPort {
  readonly url: string
  readonly token: string | null
}

/** Asks it for a path; throws what `fetch` throws. */
export async function askControl({ url, token }: ControlPort, path: string): Promise<Response> {
  const unix = socketPathOf(url)
  const base = unix === undefined ? url.replace(/\/+$/, '') : 'http://localhost'
  return await fetch(`${base}${path}`, {
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
    redirect: 'manual',
    signal: AbortSignal.timeout(floodLimits.statsMsMax),
    // A proxy that the environment names would answer for itself.
    proxy: false,
    ...(unix === undefined ? {} : { unix }),
  })
}
