// Makes up who follows whom: a graph of friends with few popular users and many others, as real
// ones are. The same seed gives the same pairs and the same bytes. It must open no file and know no
// store: where the bytes go is the caller's business.

import { subscriptionLimits } from '../core/limits.ts'
import type { RandomBelow } from '../core/random.ts'
import { PAIR_LINE_BYTES, putPair } from './text.ts'

export interface FriendsOptions {
  /** Users of the graph, a whole number from 2 up; their ids are 1 to `users`. */
  readonly users: number
  /** Users whom each new one follows, a whole number from 1 up; the first follow all there are. */
  readonly degree: number
  readonly random: RandomBelow
}

/** Bytes handed to `write` at once: enough that a system call per buffer does not count. */
const BUFFER_BYTES = 1024 * 1024

/**
 * How many subscriptions the graph has: user u follows min(u − 1, degree) others, so it is
 * degree × users − degree × (degree + 1) / 2 when there are more users than `degree`.
 */
export function friendsCount({ users, degree }: Pick<FriendsOptions, 'users' | 'degree'>): number {
  const most = Math.min(degree, users - 1)
  return most * users - (most * (most + 1)) / 2
}

/**
 * Who follows whom: subscriber, subject, subscriber, subject, … in order of subscribers.
 *
 * The graph grows as in A.-L. Barabási and R. Albert, "Emergence of Scaling in Random Networks",
 * Science 286 (1999), 509–512: each new user follows `degree` different earlier ones, each drawn
 * with a probability proportional to its degree, subscriptions and followers together. The share of
 * users with at least k followers falls as k^−2; the most popular have some degree × √users / 2.
 * Nobody follows himself, no pair comes twice, and the graph is connected.
 *
 * Takes eight bytes a subscription and four a user.
 *
 * @throws RangeError if an option is out of its range, or the graph too large
 */
export function friendsPairs(options: FriendsOptions): Uint32Array {
  checkOptions(options)
  const { users, degree, random } = options
  // Each user stands among the ends once for each of his subscriptions and followers, so one drawn
  // evenly from it is drawn in proportion to his degree. No other table is needed.
  const ends = new Uint32Array(friendsCount(options) * 2)
  /** Who was the last to follow each user; finds duplicates in one step whatever the degree. */
  const lastFollower = new Uint32Array(users + 1)
  let used = 0
  for (let user = 2; user <= users; user++) {
    if (user - 1 <= degree) {
      for (let subject = 1; subject < user; subject++) {
        ends[used++] = user
        ends[used++] = subject
      }
      continue
    }
    // Only ends from before this user: otherwise he could follow himself.
    const before = used
    const after = used + 2 * degree
    while (used < after) {
      const subject = ends[random(before)] as number
      if (lastFollower[subject] === user) continue
      lastFollower[subject] = user
      ends[used++] = user
      ends[used++] = subject
    }
  }
  return ends
}

/**
 * Writes the graph of {@link friendsPairs} as lines `A B\n`, A follows B, in decimal. The bytes are
 * a view of a buffer that is used again once `write` has returned or its promise is settled; keep
 * them no longer than that, or copy them.
 *
 * @throws RangeError as `friendsPairs` does; whatever `write` throws ends it
 */
export async function generateFriends(
  options: FriendsOptions,
  write: (bytes: Uint8Array) => void | Promise<void>,
): Promise<void> {
  const pairs = friendsPairs(options)
  const buffer = new Uint8Array(BUFFER_BYTES)
  /** Pairs that are sure to fit, however long their ids are. */
  const pairsAtOnce = Math.floor(BUFFER_BYTES / PAIR_LINE_BYTES)
  for (let from = 0; from < pairs.length; from += 2 * pairsAtOnce) {
    const length = fillLines(buffer, pairs.subarray(from, from + 2 * pairsAtOnce))
    await write(buffer.subarray(0, length))
  }
}

function checkOptions({ users, degree }: FriendsOptions): void {
  if (!Number.isSafeInteger(users) || users < 2) {
    throw new RangeError(`users must be a whole number from 2 up, not ${users}`)
  }
  if (!Number.isSafeInteger(degree) || degree < 1) {
    throw new RangeError(`degree must be a whole number from 1 up, not ${degree}`)
  }
  const count = friendsCount({ users, degree })
  const { graphPairsMax } = subscriptionLimits
  if (count > graphPairsMax) {
    throw new RangeError(`${count} subscriptions are too many; ${graphPairsMax} are the most`)
  }
}

/** Writes one line a pair from the buffer's begin on; answers how many bytes they take. */
function fillLines(buffer: Uint8Array, pairs: Uint32Array): number {
  let at = 0
  for (let pair = 0; pair < pairs.length; pair += 2) {
    at = putPair(buffer, at, pairs[pair] as number, pairs[pair + 1] as number)
  }
  return at
}
