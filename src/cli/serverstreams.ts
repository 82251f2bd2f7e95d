// How many streams a server has open by its own word, for `comet flood --control`: the kernel may have
// dropped what ended a connection, and then only the client believes in it.

import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { nothingListens, socketPathOf } from '../core/address.ts'
import { floodLimits } from '../core/limits.tools.ts'
import type { ServerStreams } from '../flood/report.ts'

/** The part of `/stats` that is compared. */
const Stats = Type.Object({ streams: Type.Object({ open: Type.Integer({ minimum: 0 }) }) })
type Stats = Static<typeof Stats>

/** The control port of the server that is flooded. */
export interface ControlPort {
  readonly url: string
  readonly token: string | null
}

/**
 * Holds what the client believes in against what the server has. Both tell a moment late, so that
 * what is missing is looked for again for a while.
 *
 * @param believed streams that the client believes to be open
 */
export async function compareStreams(
  port: ControlPort,
  believed: () => number,
): Promise<ServerStreams | string> {
  const { compareMsMax, compareEveryMs } = floodLimits
  const deadlineMs = performance.now() + compareMsMax
  for (;;) {
    const open = await openAt(port)
    if (typeof open === 'string') return open
    const believes = believed()
    const missing = Math.max(0, believes - open)
    if (missing === 0 || performance.now() >= deadlineMs)
      return { believed: believes, open, missing }
    await Bun.sleep(compareEveryMs)
  }
}

/** The comparison of a run. */
export class StreamComparison {
  readonly #port: ControlPort
  #result: ServerStreams | string | null = null

  constructor(port: ControlPort) {
    this.#port = port
  }

  /** Compares, while streams are still open. */
  async look(believed: () => number): Promise<void> {
    this.#result = await compareStreams(this.#port, believed)
  }

  /** A run that ended by itself has nothing open, and was not looked at. */
  async result(): Promise<ServerStreams | string> {
    return this.#result ?? (await compareStreams(this.#port, () => 0))
  }
}

/** Streams that the server has open, those of other clients included; or why that is not known. */
async function openAt({ url, token }: ControlPort): Promise<number | string> {
  const unix = socketPathOf(url)
  const base = unix === undefined ? url.replace(/\/+$/, '') : 'http://localhost'
  try {
    const response = await fetch(`${base}/stats`, {
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      redirect: 'manual',
      signal: AbortSignal.timeout(floodLimits.statsMsMax),
      // A proxy that the environment names would answer for itself.
      proxy: false,
      ...(unix === undefined ? {} : { unix }),
    })
    if (response.status === 401) {
      return token === null
        ? `${url} asks for a token: --control-token-file`
        : `${url} takes another token than that of --control-token-file`
    }
    const stats: unknown = response.ok ? await response.json() : null
    return Value.Check(Stats, stats)
      ? (stats as Stats).streams.open
      : `${url} does not tell how many streams it has open (status ${response.status})`
  } catch (error) {
    const { code, name } = error as { code?: string; name?: string }
    if (nothingListens(error)) return `nothing listens at ${url}`
    if (name === 'TimeoutError') return `${url} has not answered for ${floodLimits.statsMsMax} ms`
    return `${url} does not tell how many streams it has open (${code ?? name ?? String(error)})`
  }
}
