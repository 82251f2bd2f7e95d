// A change of who follows whom is in the log before it is committed where it is kept. If it was not
// committed, entries that say the opposite are added: nothing stands between the two.

import { hasTexts, isChange, KIND, kindOf, textsOf, WORD } from './entry.ts'
import type { EntryRing } from './entry-ring.ts'
import type { FollowChange } from './message-log.ts'

export interface BegunChange {
  /** Of the subscriptions, if it was committed. */
  readonly stamp: number
  /** The last entry before it. */
  readonly after: number
}

/**
 * What is to be added so that all is as it was before a change. That is none or a part of it, if it
 * was added before a kill.
 */
export function undoing(ring: EntryRing, { after }: BegunChange): FollowChange[] {
  const pairs = new Map<string, { readonly before: FollowChange; follows: boolean }>()
  for (let number = Math.max(after + 1, ring.oldest); number < ring.next; number++) {
    const state = stateAt(ring, ring.placeOf(number))
    // A barrier says less than there is to say, and nothing wrong.
    if (state === null) continue
    const { user, subject, follows } = state
    const key = `${user.id} ${subject.id}`
    const pair = pairs.get(key)
    if (pair === undefined) pairs.set(key, { before: { ...state, follows: !follows }, follows })
    else pair.follows = follows
  }
  const changed = [...pairs.values()].filter(({ before, follows }) => before.follows !== follows)
  return changed.map(({ before }) => before)
}

function stateAt(ring: EntryRing, at: number): FollowChange | null {
  const shape = ring.words[at] as number
  const kind = kindOf(shape)
  if (!isChange(kind)) return null
  const texts = hasTexts(shape) ? textsOf(ring, at) : null
  return {
    user: { id: ring.words[at + WORD.target] as number, name: texts?.name ?? null },
    subject: { id: ring.words[at + WORD.subject] as number, name: texts?.subjectName ?? null },
    follows: kind === KIND.followed,
  }
}
