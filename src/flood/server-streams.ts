// How many streams a server has open by its own count, for `comet flood --control`, and which ones
// it lacks: the kernel may have dropped what ended a connection, and then only the client believes
// in it.

import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { fetchTarget, nothingListens } from '../core/address.ts'
import { type Result, refused, success } from '../core/result.ts'
import { codeOf } from '../core/system-error.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { formatCount, formatQuantity } from '../core/units.ts'
import type { IdRange } from './client.ts'
import type { EndingFlood } from './flood.ts'
import type { ServerStreams } from './flood-report.ts'
import { userOf } from './plan.ts'
import { believedCount } from './process-stats.ts'

/** The control port of a server. */
export interface ControlPort {
  readonly url: string
  readonly token: string | null
}

/** The part of `/stats` that is compared. */
const OpenStreams = Type.Object({ streams: Type.Object({ open: Type.Integer({ minimum: 0 }) }) })

/** The part of `/users/{id}` that is compared. */
const UserStreams = Type.Object({ connections: Type.Integer({ minimum: 0 }) })

type StreamCounts = Pick<ServerStreams, 'believed' | 'open' | 'missing'>
type MissingStreams = Pick<ServerStreams, 'asked' | 'examples'>

const NONE_ASKED: MissingStreams = { asked: 0, examples: [] }

/** The comparison of a run. */
export class StreamComparison {
  readonly #port: ControlPort
  /** The user of a stream, `{id}` in it; null if the address does not say. */
  readonly #user: string | null
  #result: Result<ServerStreams> | null = null

  /** @param template of the address of streams */
  constructor(port: ControlPort, template: string) {
    this.#port = port
    this.#user = userOf(template)
  }

  /** Compares while streams are still open, and finds some of those that are missing. */
  async compare({ counters, listOpen }: EndingFlood): Promise<void> {
    const counts = await compareStreams(this.#port, () => believedCount(counters()))
    const isMissing = counts.ok && counts.value.missing > 0
    const missing =
      isMissing && this.#user !== null
        ? await findMissing(this.#port, listOpen, this.#user)
        : NONE_ASKED
    this.#result = counts.ok ? success({ ...counts.value, ...missing }) : counts
  }

  /** Compares now if the run has ended by itself, with no stream open. */
  async result(): Promise<Result<ServerStreams>> {
    if (this.#result !== null) return this.#result
    const counts = await compareStreams(this.#port, () => 0)
    return counts.ok ? success({ ...counts.value, ...NONE_ASKED }) : counts
  }
}

/**
 * Compares the counts of client and server. Both may be a moment late, so missing streams are
 * counted again for a while.
 *
 * @param believed streams that the client believes to be open
 */
export async function compareStreams(
  port: ControlPort,
  believed: () => number,
): Promise<Result<StreamCounts>> {
  const { compareMsMax, compareEveryMs } = floodLimits
  const deadlineMs = performance.now() + compareMsMax
  for (;;) {
    const fetched = await fetchOpen(port)
    if (!fetched.ok) return fetched
    const counts = { believed: believed(), open: fetched.value }
    const missing = Math.max(0, counts.believed - counts.open)
    if (missing === 0 || performance.now() >= deadlineMs) {
      return success({ ...counts, missing })
    }
    await Bun.sleep(compareEveryMs)
  }
}

/**
 * Finds missing streams: asks the server for the users of open streams, until enough are found.
 * There may be more, since a stream that another client has for the same user hides one; but those
 * found are certain: the client believed in them before and after the server had none.
 *
 * @param listOpen ids of the streams that are believed to be open; one that is listed twice was
 * open all the time between
 * @param user of a stream by its id, as {@link userOf} has it
 */
export async function findMissing(
  port: ControlPort,
  listOpen: () => Promise<readonly IdRange[]>,
  user = '{id}',
): Promise<MissingStreams> {
  const { missingAskedMax, missingAskMsMax, missingNamedMax, compareEveryMs } = floodLimits
  const ids = new OpenIds(await listOpen())
  const deadlineMs = performance.now() + missingAskMsMax
  const found: number[] = []
  const asked = await askEach(port, user, ids.spread().take(missingAskedMax), (id, connections) => {
    if (connections === 0) found.push(id)
    return found.length < missingNamedMax && performance.now() < deadlineMs
  })
  if (found.length === 0) return { asked, examples: [] }
  // Client or server may not yet have noticed the end of a stream.
  await Bun.sleep(compareEveryMs)
  const still = new Set<number>()
  await askEach(port, user, found.values(), (id, connections) => {
    if (connections === 0) still.add(id)
    return true
  })
  const believed = new OpenIds(await listOpen())
  const certain = found.filter((id) => still.has(id) && believed.has(id))
  const inOrder = certain.toSorted((left, right) => left - right)
  return { asked, examples: inOrder.slice(0, missingNamedMax) }
}

/** Sentences about missing streams; none if no stream is missing. */
export function missingTexts(server: ServerStreams): string[] {
  const { believed, open, missing, asked, examples } = server
  if (missing === 0) return []
  const counts =
    `${formatCount(missing)} of ${formatQuantity(believed, 'stream')} missing at the server, ` +
    `which has only ${formatCount(open)}`
  if (asked === 0) return [counts]
  const lookedUp = `looked up ${formatCount(asked)} of ${formatCount(believed)} ids`
  if (examples.length === 0) {
    const why =
      asked < believed
        ? 'the missing ones are among the others'
        : 'streams of other clients may hide the missing ones'
    return [counts, `${lookedUp}: the server has a stream for each; ${why}`]
  }
  return [counts, `${lookedUp}: the server has no stream for ${examples.join(', ')}`]
}

/**
 * Asks for users, several at once, until a response is not valid.
 *
 * @param onUser called with the number of connections of a user; returns whether to go on
 * @returns the number of valid responses
 */
async function askEach(
  port: ControlPort,
  user: string,
  ids: Iterator<number>,
  onUser: (id: number, connections: number) => boolean,
): Promise<number> {
  let answers = 0
  let isEnough = false
  const askInTurn = async () => {
    while (!isEnough) {
      const next = ids.next()
      if (next.done === true) return
      const connections = await fetchConnections(port, user.replaceAll('{id}', String(next.value)))
      if (connections === null) isEnough = true
      else {
        answers++
        if (!onUser(next.value, connections)) isEnough = true
      }
    }
  }
  await Promise.all(Array.from({ length: floodLimits.missingAskedAtOnce }, askInTurn))
  return answers
}

/** How many connections a user has; null if the response is not valid. */
async function fetchConnections(port: ControlPort, subject: string): Promise<number | null> {
  try {
    const response = await fetchFrom(port, `/users/${subject}`)
    const user: unknown = await response.json()
    return response.ok && Value.Check(UserStreams, user) ? user.connections : null
  } catch {
    return null
  }
}

/** How many streams of all clients the server has open. */
async function fetchOpen(port: ControlPort): Promise<Result<number>> {
  const { url, token } = port
  const unknown = `${url} does not report how many streams it has open`
  try {
    const response = await fetchFrom(port, '/stats')
    if (response.status === 401) {
      return refused(
        token === null
          ? `${url} requires a token; give --control-token-file`
          : `${url} rejects the token of --control-token-file`,
      )
    }
    const stats: unknown = response.ok ? await response.json() : null
    return Value.Check(OpenStreams, stats)
      ? success(stats.streams.open)
      : refused(`${unknown} (status ${response.status})`)
  } catch (error) {
    const { name } = error as { name?: string }
    if (nothingListens(error)) return refused(`nothing listens at ${url}`)
    return refused(
      name === 'TimeoutError'
        ? `${url} has not responded within ${floodLimits.statsMsMax} ms`
        : `${unknown} (${codeOf(error) ?? name ?? String(error)})`,
    )
  }
}

/** @throws what `fetch` throws */
async function fetchFrom({ url, token }: ControlPort, path: string): Promise<Response> {
  const { base, ...socket } = fetchTarget(url)
  return await fetch(`${base}${path}`, {
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
    redirect: 'manual',
    signal: AbortSignal.timeout(floodLimits.statsMsMax),
    // A proxy from the environment would respond itself.
    proxy: false,
    ...socket,
  })
}

/** Ids of open streams as few ranges, in ascending order. */
export class OpenIds {
  readonly count: number
  readonly #ranges: readonly IdRange[]
  /** How many ids lie before each range. */
  readonly #before: readonly number[]

  constructor(ranges: readonly IdRange[]) {
    let count = 0
    this.#ranges = ranges
    this.#before = ranges.map(([first, last]) => {
      const before = count
      count += last - first + 1
      return before
    })
    this.count = count
  }

  has(id: number): boolean {
    const at = this.#ranges.findLastIndex(([first]) => first <= id)
    return id <= (this.#ranges[at]?.[1] ?? -1)
  }

  /**
   * Each id once, so that the first ones are spread evenly among all, however many they are: a
   * fault of one stream often concerns its neighbours.
   */
  *spread(): Generator<number> {
    const { count } = this
    // Steps of the golden section leave gaps of nearly the same size after any number of them.
    let step = Math.max(1, Math.round(count * 0.618))
    while (greatestCommonDivisor(step, count) > 1) step++
    for (let visited = 0, place = 0; visited < count; visited++) {
      yield this.#at(place)
      place = (place + step) % count
    }
  }

  #at(place: number): number {
    let [low, high] = [0, this.#before.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#before[middle] ?? 0) <= place) low = middle + 1
      else high = middle
    }
    return (this.#ranges[low - 1]?.[0] ?? 0) + place - (this.#before[low - 1] ?? 0)
  }
}

function greatestCommonDivisor(left: number, right: number): number {
  return right === 0 ? left : greatestCommonDivisor(right, left % right)
}
