// Generates a graph of who follows whom, with few popular users and many others as in real ones.
// The same seed gives the same pairs.

import { subscriptionLimits } from '../core/limits.ts'
import type { RandomBelow } from '../core/random.ts'

export interface GraphOptions {
  /** At least 2; their ids are 1 to `users`. */
  readonly users: number
  /** Users whom each new one follows, at least 1; the first users follow all there are. */
  readonly degree: number
  readonly random: RandomBelow
}

/**
 * Subscriptions in the graph: user u follows min(u − 1, degree) others, so it is
 * degree × users − degree × (degree + 1) / 2 when there are more users than `degree`.
 */
export function friendsCount({ users, degree }: Pick<GraphOptions, 'users' | 'degree'>): number {
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
 * No user follows itself, no pair is repeated, and the graph is connected.
 *
 * Takes eight bytes a subscription and four a user.
 *
 * @throws RangeError if an option is out of its range, or the graph too large
 */
export function friendsPairs(options: GraphOptions): Uint32Array {
  checkOptions(options)
  const { users, degree, random } = options
  // Each user is in `ends` once for each of its subscriptions and followers, so a uniform draw from
  // it is proportional to degree. No other table is needed.
  const ends = new Uint32Array(friendsCount(options) * 2)
  /** The last user to follow each user; finds duplicates in one step whatever the degree. */
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
    // Only ends from before this user, who could otherwise follow itself.
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

function checkOptions({ users, degree }: GraphOptions): void {
  if (!Number.isSafeInteger(users) || users < 2) {
    throw new RangeError(`users must be a whole number of at least 2, not ${users}`)
  }
  if (!Number.isSafeInteger(degree) || degree < 1) {
    throw new RangeError(`degree must be a whole number of at least 1, not ${degree}`)
  }
  const count = friendsCount({ users, degree })
  const { graphPairsMax } = subscriptionLimits
  if (count > graphPairsMax) {
    throw new RangeError(`${count} subscriptions exceed the limit of ${graphPairsMax}`)
  }
}
