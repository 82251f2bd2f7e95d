// Reading the entries of a file again: where they are, and their chains. Names have other handles
// than when they were written.

import type { Chains, ExpectedMessages } from './chains.ts'
import {
  areTextsWhole,
  checkOf,
  type EntryKind,
  FLAG,
  isChange,
  isKind,
  KIND,
  kindOf,
  textsOf,
  WORD,
  wordsOf,
} from './entry.ts'
import type { EntryRing } from './entry-ring.ts'
import { NOBODY } from './heads.ts'

/** The handle of a name; null if there is no room for one more. */
export type Intern = (name: string) => number | null

/** Entries whose chains are looked up together, so that the processor fetches them all at once. */
const GROUP = 64

export interface RecoveryOptions {
  /** Without entries, and its next one is the oldest of the file. */
  readonly ring: EntryRing
  readonly epoch: number
  /** Where that entry is. */
  readonly place: number
  /** The number behind the last one. */
  readonly end: number
  readonly intern: Intern
}

/**
 * Adds the entries of a file to the ring that it is.
 *
 * @returns how many they are of some kinds; null if they are not as they were written, and then the
 *   ring is of no use
 */
export function recoverEntries({
  ring,
  epoch,
  place,
  end,
  intern,
}: RecoveryOptions): ExpectedMessages | null {
  const { words } = ring
  // No entry takes less than a word.
  if (end - ring.next > words.length) return null
  let next = place
  let about = 0
  let to = 0
  while (ring.next < end) {
    if (next === words.length || words[next] === 0) next = 0
    if (!isWhole(ring, next, epoch)) return null
    const shape = words[next] as number
    if ((shape & (FLAG.named | FLAG.subjectNamed)) !== 0) nameAgain(ring, next, intern)
    const kind = kindOf(shape)
    if (kind === KIND.about) about++
    else if (kind === KIND.to) to++
    const length = wordsOf(shape)
    ring.restore(next, length)
    next += length
  }
  return { about, to }
}

/** Is the next entry here? */
function isWhole(ring: EntryRing, at: number, epoch: number): boolean {
  const { words } = ring
  const shape = words[at] as number
  if (!isKind(kindOf(shape)) || at + wordsOf(shape) > words.length) return false
  if (checkOf(words, at, epoch | 0, ring.next | 0) !== words[at + WORD.check]) return false
  return areTextsWhole(ring, at)
}

function nameAgain(ring: EntryRing, at: number, intern: Intern): void {
  const { words } = ring
  const { name, subjectName } = textsOf(ring, at)
  if (name !== null) setWord(words, at + WORD.target, intern(name) ?? NOBODY)
  if (subjectName !== null) setWord(words, at + WORD.subject, intern(subjectName) ?? NOBODY)
}

/** Only where it differs: what is written has to be written to the disk. */
function setWord(words: Uint32Array, at: number, value: number): void {
  if (words[at] !== value) words[at] = value
}

/** Adds all entries of a ring to chains that have none of them. */
export function recoverChains(ring: EntryRing, chains: Chains): void {
  const { words, oldest, next } = ring
  const [places, kinds, targets] = [0, 0, 0].map(() => new Uint32Array(GROUP)) as Group
  let touched = 0
  for (let first = oldest; first < next; first += GROUP) {
    const count = Math.min(GROUP, next - first)
    for (let at = 0; at < count; at++) {
      const place = ring.placeOf(first + at)
      const kind = kindOf(words[place] as number) as EntryKind
      const target = words[place + WORD.target] as number
      places[at] = place
      kinds[at] = kind
      targets[at] = target
      touched ^= chains.touch(kind, target)
    }
    for (let at = 0; at < count; at++) {
      const number = first + at
      const place = places[at] as number
      const kind = kinds[at] as EntryKind
      const distance = chains.add(kind, targets[at] as number, number, oldest)
      setDistance(ring, place, number, distance)
      if (isChange(kind)) chains.mention(words[place + WORD.subject] as number, number, oldest)
    }
  }
  chains.touched = touched
}

type Group = [Uint32Array, Uint32Array, Uint32Array]

/**
 * Most distances are right as they are: to write them again would have the system write all of the
 * file. One to an entry that has left the window stays; it is not checked, but means the same
 * wherever it points to there.
 */
function setDistance(ring: EntryRing, at: number, number: number, distance: number): void {
  const { words, oldest } = ring
  const written = words[at + WORD.distance] as number
  if (written === distance || (distance === 0 && number - written < oldest)) return
  words[at + WORD.distance] = distance
}
