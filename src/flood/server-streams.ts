// How many streams a server has open by its own word, for `comet flood --control`: the kernel may have
// dropped what ended a connection, and then only the client believes in it.

import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { nothingListens } from '../core/address.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { formatCount } from '../core/units.ts'
import { askControl, type ControlPort } from './controlport.ts'
import type { EndingFlood } from './flood.ts'
import type { ServerStreams } from './flood-report.ts'
import { findMissing, type MissingStreams } from './missing-streams.ts'
import { believedCount } from './tally.ts'

/** The part of `/stats` that is compared. */
const Stats = Type.Object({ streams: Type.Object({ open: Type.Integer({ minimum: 0 }) }) })
type Stats = Static<typeof Stats>

export type StreamCounts = Pick<ServerStreams, 'believed' | 'open' | 'missing'>

/**
 * Holds what the client believes in against what the server has. Both tell a moment late, so that
 * what is missing is looked for again for a while.
 *
 * @param believed streams that the client believes to be open
 */
export async function compareStreams(
  port: ControlPort,
  believed: () => number,
): Promise<StreamCounts | string> {
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
  readonly #isUserKnown: boolean
  #result: ServerStreams | string | null = null

  /** @param template of the address of streams */
  constructor(port: ControlPort, template: string) {
    this.#port = port
    // Between other digits an id is only a part of the user's.
    this.#isUserKnown = /(?<!\d)\{id\}(?!\d)/.test(template)
  }

  /** Compares, while streams are still open, and names some of those that are missing. */
  async look({ counters, listOpen }: EndingFlood): Promise<void> {
    const counts = await compareStreams(this.#port, () => believedCount(counters()))
    if (typeof counts === 'string') this.#result = counts
    else {
      const isToBeNamed = counts.missing > 0 && this.#isUserKnown
      const named = isToBeNamed ? await findMissing(this.#port, listOpen) : NONE_NAMED
      this.#result = { ...counts, ...named }
    }
  }

  /** A run that ended by itself has nothing open, and was not looked at. */
  async result(): Promise<ServerStreams | string> {
    if (this.#result !== null) return this.#result
    const counts = await compareStreams(this.#port, () => 0)
    return typeof counts === 'string' ? counts : { ...counts, ...NONE_NAMED }
  }
}

const NONE_NAMED: MissingStreams = { asked: 0, examples: [] }

/** What is missing, in sentences; none if nothing is. */
export function missingTexts({
  believed,
  open,
  missing,
  asked,
  examples,
}: ServerStreams): string[] {
  if (missing === 0) return []
  const counts =
    `${formatCount(missing)} of ${formatCount(believed)} streams are believed to be open, ` +
    `but the server has only ${formatCount(open)}`
  if (asked === 0) return [counts]
  const asking = `asked for ${formatCount(asked)} of ${formatCount(believed)} ids`
  if (examples.length === 0) {
    const why =
      asked < believed ? 'the others were not asked for' : 'those of other clients may hide some'
    return [counts, `${asking}, the server has a stream for each; ${why}`]
  }
  return [counts, `${asking}, the server has no stream for ${examples.join(', ')}`]
}

/** Streams that the server has open, those of other clients included; or why that is not known. */
async function openAt(port: ControlPort): Promise<number | string> {
  const { url, token } = port
  try {
    const response = await askControl(port, '/stats')
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
