// Which streams a server does not have although a flood believes in them: it is asked for the users of
// those that are believed to be open, until enough are found.

import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { floodLimits } from '../core/tool-limits.ts'
import { askControl, type ControlPort } from './controlport.ts'
import type { ServerStreams } from './flood-report.ts'
import { type IdRange, OpenIds } from './openids.ts'

/** The part of `/users/{id}` that is looked at. */
const Presence = Type.Object({ connections: Type.Integer({ minimum: 0 }) })
type Presence = Static<typeof Presence>

export type MissingStreams = Pick<ServerStreams, 'asked' | 'examples'>

/**
 * Finds some of them. A stream of the same user that another client holds hides one, so that there may
 * be more; what is found is certain: the stream was believed in before and after the server had none.
 *
 * @param listOpen ids of the streams that are believed to be open; one that is listed twice was open
 * all the time
 */
export async function findMissing(
  port: ControlPort,
  listOpen: () => Promise<readonly IdRange[]>,
): Promise<MissingStreams> {
  const { missingAskedMax, missingAskMsMax, missingNamedMax, compareEveryMs } = floodLimits
  const ids = new OpenIds(await listOpen())
  const deadlineMs = performance.now() + missingAskMsMax
  const found: number[] = []
  const asked = await askEach(port, ids.spread().take(missingAskedMax), (id, connections) => {
    if (connections === 0) found.push(id)
    return found.length < missingNamedMax && performance.now() < deadlineMs
  })
  if (found.length === 0) return { asked, examples: [] }
  // One of both may have been a moment late to hear that the stream is over.
  await Bun.sleep(compareEveryMs)
  const still = new Set<number>()
  await askEach(port, found.values(), (id, connections) => {
    if (connections === 0) still.add(id)
    return true
  })
  const believed = new OpenIds(await listOpen())
  const certain = found.filter((id) => still.has(id) && believed.has(id))
  const inOrder = certain.toSorted((left, right) => left - right)
  return { asked, examples: inOrder.slice(0, missingNamedMax) }
}

/**
 * Asks for users, several at once.
 *
 * @param onAnswer hears how many connections a user has; false if that was enough
 * @returns how many answers there were; after one that is none nothing more is asked
 */
async function askEach(
  port: ControlPort,
  ids: Iterator<number>,
  onAnswer: (id: number, connections: number) => boolean,
): Promise<number> {
  let answers = 0
  let isEnough = false
  const askInTurn = async () => {
    while (!isEnough) {
      const next = ids.next()
      if (next.done === true) return
      const connections = await connectionsOf(port, next.value)
      if (connections === null) isEnough = true
      else {
        answers++
        if (!onAnswer(next.value, connections)) isEnough = true
      }
    }
  }
  await Promise.all(Array.from({ length: floodLimits.missingAskedAtOnce }, askInTurn))
  return answers
}

/** Null if the server does not tell. */
async function connectionsOf(port: ControlPort, id: number): Promise<number | null> {
  try {
    const response = await askControl(port, `/users/${id}`)
    const presence: unknown = await response.json()
    return response.ok && Value.Check(Presence, presence)
      ? (presence as Presence).connections
      : null
  } catch {
    return null
  }
}
