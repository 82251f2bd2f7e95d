// How many followers each user has, out of the database. What is made of it is distribution.ts's.

import type { Database } from 'bun:sqlite'

export interface Degrees {
  /** Users who follow somebody or are followed. */
  readonly users: number
  /** Followers of each user who has any, in order of ids. */
  readonly followers: Uint32Array
}

export function followersPerUser(database: Database): Degrees {
  const { users, subjects } = database
    .query(
      `SELECT (SELECT count(*) FROM (SELECT subscriber FROM subscriptions
                                     UNION SELECT subject FROM subscriptions)) AS users,
              (SELECT count(DISTINCT subject) FROM subscriptions) AS subjects`,
    )
    .get() as { users: number; subjects: number }
  const followers = new Uint32Array(subjects)
  let at = 0
  const rows = database
    .query('SELECT count(*) AS followers FROM subscriptions GROUP BY subject ORDER BY subject')
    .iterate() as Iterable<{ followers: number }>
  for (const row of rows) followers[at++] = row.followers
  return { users, followers }
}
