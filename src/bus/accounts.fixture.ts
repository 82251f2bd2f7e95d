// Exact accounts of what nodes have heard: nothing accepted is lost, doubled or out of order for
// any stream, whether it stays where it is or comes back to another node; or a gap is told.

import { missed, reader } from '../log/log.fixture.ts'
import type { MessageLog } from '../log/message-log.ts'
import type { Heard, TestNode } from './bus.fixture.ts'

/** What a client that follows everything has had by some place of what its node heard. */
interface Client {
  /** Since it was last told of a gap: then it has read anew what it has to know. */
  readonly texts: readonly string[]
  readonly hasGap: boolean
}

/**
 * Texts are `<publisher> <number>`. Answers what is wrong; empty if nothing is.
 *
 * @param nodes that were there from the first message on, and have heard all by now
 */
export function wrongAccounts(nodes: readonly TestNode[]): string[] {
  const accepted = new Set(
    nodes.flatMap(({ listener }) =>
      [...listener.outcomes.keys()].filter((text) => listener.isAccepted(text)),
    ),
  )
  const found: string[] = accepted.size > 0 ? [] : ['nothing was accepted']
  for (const [at, { listener }] of nodes.entries()) {
    const name = `node ${at}`
    const client = clientAt(listener.heard, listener.heard.length)
    found.push(...wrongOf(name, client, accepted))
    // Of so many places that a test takes no longer than a moment.
    const step = Math.max(1, Math.floor(listener.heard.length / 40))
    for (let place = 0; place < listener.heard.length; place += step) {
      for (const [other, node] of nodes.entries()) {
        const back = resumed(listener.heard, place, node)
        found.push(...wrongOf(`${name}, at ${place} to ${other}`, back, accepted))
      }
    }
  }
  return found.slice(0, 20)
}

function clientAt(heard: readonly Heard[], end: number): Client {
  const before = heard.slice(0, end)
  const gap = before.findLastIndex((one) => 'gap' in one)
  const texts = before.slice(gap + 1).flatMap((one) => ('gap' in one ? [] : [one.text]))
  return { texts, hasGap: gap >= 0 }
}

/** A client has heard up to a place, and comes back to a node at the end. */
function resumed(heard: readonly Heard[], place: number, node: TestNode): Client {
  const { texts, hasGap } = clientAt(heard, place + 1)
  const last = heard[place]
  if (last === undefined) return { texts, hasGap: true }
  const number = node.bus.numberOf('gap' in last ? last.gap.resume : last.cursor)
  const more =
    number === null ? 'unknown' : missed(node.bus.window as MessageLog, reader(1), number)
  // After a gap, a client takes no part in the accounts.
  return typeof more === 'string' ? { texts, hasGap: true } : { texts: [...texts, ...more], hasGap }
}

function wrongOf(name: string, { texts, hasGap }: Client, accepted: ReadonlySet<string>): string[] {
  const found: string[] = []
  const had = new Set<string>()
  const lastOf = new Map<string, number>()
  for (const text of texts) {
    if (had.has(text)) found.push(`${name}: "${text}" came twice`)
    had.add(text)
    const [publisher = '', count] = text.split(' ')
    if (Number(count) < (lastOf.get(publisher) ?? -1)) found.push(`${name}: "${text}" is late`)
    lastOf.set(publisher, Number(count))
  }
  if (hasGap) return found
  for (const text of accepted) if (!had.has(text)) found.push(`${name}: "${text}" was lost`)
  return found
}
