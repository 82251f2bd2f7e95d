// Exact accounts of what nodes have heard: nothing accepted is lost, doubled or out of order for
// any stream, whether it stays where it is or comes back to another node; or a gap is told.

import type { Cursor } from '../core/cursor.ts'
import { missed, reader } from '../log/log.fixture.ts'
import type { MessageLog } from '../log/message-log.ts'
import type { Heard, Listener, RedisNode, TestNode } from './bus.fixture.ts'
import type { LoadFollows } from './follow-graph.fixture.ts'
import { compareCursors } from './stream-entry.ts'

/** What a client that follows everything has had by some place of what its node heard. */
interface Client {
  /** Since it was last told of a gap: then it reads its state again. */
  readonly texts: readonly string[]
  /** Behind this it has had everything; null if it does not know. */
  readonly since: Cursor | null
}

/**
 * Texts are `<publisher> <number>`, or `k<key>.<variant> 0` of a message with a key; what follows a
 * `#` in the name of a publication is no part of its text. Answers what is wrong; empty if nothing
 * is.
 *
 * @param nodes that were there from the first message on, and have heard all by now
 */
export function wrongAccounts(nodes: readonly TestNode[]): string[] {
  const accepted = placesOf(nodes)
  const published = firstTimes(nodes)
  const found: string[] = accepted.size > 0 ? [] : ['nothing was accepted']
  for (const [at, { listener }] of nodes.entries()) {
    const name = `node ${at}`
    found.push(...wrongOutcomes(name, listener))
    found.push(...notHeard(name, listener, accepted, published))
    const client = clientAt(listener.heard, listener.heard.length)
    found.push(...wrongOf(name, client, accepted, nodes))
    // Of so many places that a test takes no longer than a moment.
    const step = Math.max(1, Math.floor(listener.heard.length / 40))
    for (let place = 0; place < listener.heard.length; place += step) {
      for (const [other, node] of nodes.entries()) {
        const back = resumed(listener.heard, place, node)
        found.push(...wrongOf(`${name}, at ${place} to ${other}`, back, accepted, nodes))
      }
    }
  }
  return found.slice(0, 20)
}

/** Of each text that was accepted the first place that it had. */
function placesOf(nodes: readonly TestNode[]): Map<string, Cursor> {
  const told = new Map<string, Cursor>()
  const accepted = new Map<string, Cursor>()
  for (const { listener } of nodes) {
    for (const [name, cursor] of listener.outcomes) {
      if (typeof cursor === 'string') continue
      told.set(textOf(name), cursor)
      if (listener.handed.has(name)) accepted.set(textOf(name), cursor)
    }
  }
  for (const { listener } of nodes) {
    for (const one of listener.heard) {
      if ('gap' in one || !told.has(one.text)) continue
      const first = accepted.get(one.text)
      if (first === undefined || compareCursors(one.cursor, first) < 0)
        accepted.set(one.text, one.cursor)
    }
  }
  // What no node has heard: a publisher that cannot know the place is told an earlier one.
  return new Map([...told, ...accepted])
}

/** When each text was published first, by whichever node. */
function firstTimes(nodes: readonly TestNode[]): Map<string, number> {
  const times = new Map<string, number>()
  for (const { listener } of nodes) {
    for (const [name, time] of listener.published) {
      const text = textOf(name)
      times.set(text, Math.min(time, times.get(text) ?? time))
    }
  }
  return times
}

/** Whatever their places are: what was accepted was heard, or a gap was told after it was sent. */
function notHeard(
  name: string,
  listener: Listener,
  accepted: ReadonlyMap<string, Cursor>,
  published: ReadonlyMap<string, number>,
): string[] {
  const heard = new Set(listener.texts)
  return [...accepted.keys()]
    .filter((text) => !heard.has(text) && listener.lastGap < (published.get(text) ?? 0))
    .map((text) => `${name}: "${text}" was lost, without a gap since it was published`)
}

function textOf(name: string): string {
  return name.replace(/#.*/, '')
}

/** Each has one, and what was handed to streams has its place in the order of its publisher. */
function wrongOutcomes(name: string, listener: Listener): string[] {
  const found: string[] = []
  let last: Cursor = { epoch: 0, number: 0 }
  for (const published of listener.published.keys()) {
    if (!listener.outcomes.has(published)) found.push(`${name}: "${published}" has no outcome`)
    const cursor = listener.handed.get(published)
    if (cursor === undefined) continue
    if (compareCursors(cursor, last) <= 0) found.push(`${name}: "${published}" is out of order`)
    last = cursor
  }
  return found
}

function clientAt(heard: readonly Heard[], end: number): Client {
  const before = heard.slice(0, end)
  const gap = before.findLastIndex((one) => 'gap' in one)
  const last = before[gap]
  const texts = before
    .slice(gap + 1)
    .flatMap((one) => ('gap' in one || one.text === 'barrier' ? [] : [one.text]))
  return { texts, since: last !== undefined && 'gap' in last ? last.gap.resume : START }
}

const START: Cursor = { epoch: 0, number: 0 }

/** A client has heard up to a place, and comes back to a node at the end. */
function resumed(heard: readonly Heard[], place: number, node: TestNode): Client {
  const { texts, since } = clientAt(heard, place + 1)
  const last = heard[place]
  if (last === undefined) return { texts, since: null }
  const number = node.bus.numberOf('gap' in last ? last.gap.resume : last.cursor)
  const more =
    number === null ? 'unknown' : missed(node.bus.window as MessageLog, reader(1), number)
  return typeof more === 'string' ? { texts, since: null } : { texts: [...texts, ...more], since }
}

/** Of a message with a key, whatever its variant; of another one its text. */
function keyOf(text: string): string {
  return /^(k\d+)\./.exec(text)?.[1] ?? text
}

function wrongOf(
  name: string,
  { texts, since }: Client,
  accepted: ReadonlyMap<string, Cursor>,
  nodes: readonly TestNode[],
): string[] {
  const found: string[] = []
  const had = new Set<string>()
  const lastOf = new Map<string, number>()
  for (const text of texts) {
    const key = keyOf(text)
    if (had.has(key)) found.push(`${name}: "${text}" came twice`)
    had.add(text).add(key)
    const [publisher = '', count] = text.split(' ')
    if (Number(count) < (lastOf.get(publisher) ?? -1)) found.push(`${name}: "${text}" is late`)
    lastOf.set(publisher, Number(count))
  }
  if (since === null) return found
  for (const [text, cursor] of accepted) {
    if (!had.has(text) && isBehind(cursor, since, nodes)) found.push(`${name}: "${text}" was lost`)
  }
  return found
}

/** What was added again in its places has cursors of two epochs, and the same numbers. */
function isBehind(place: Cursor, since: Cursor, nodes: readonly TestNode[]): boolean {
  const [number, begun] = [numberOf(place, nodes), numberOf(since, nodes)]
  return number === null || begun === null ? compareCursors(place, since) > 0 : number > begun
}

/** Of the one log that all have; those that were away do not know all epochs. */
function numberOf(cursor: Cursor, nodes: readonly TestNode[]): number | null {
  const knows = nodes.find(({ bus }) => bus.numberOf(cursor) !== null)
  return knows?.bus.numberOf(cursor) ?? null
}

/** What is wrong with who follows whom, after all nodes have heard all. */
export async function wrongFollows(nodes: readonly RedisNode[], load: LoadFollows) {
  const found: string[] = []
  for (const { graph } of nodes) await graph.known()
  const inRedis = [...(await load()).pairs].toSorted()
  for (const [at, { graph }] of nodes.entries()) {
    const known = [...graph.pairs].toSorted()
    if (!Bun.deepEquals(known, inRedis)) found.push(`node ${at} knows ${known}, not ${inRedis}`)
  }
  return found
}
