// All that is kept in the database, over one connection: names, subscriptions, revocations.

import type { Database } from 'bun:sqlite'
import { KeptNames } from './kept-names.ts'
import type { NameTable } from './name-table.ts'
import { Revocations, type TokenRevocations } from './revocations.ts'
import { type SqliteOptions, SqliteSubscriptions } from './sqlite.ts'
import type { Subscriptions } from './subscriptions.ts'

/** What a server knows of users, be it in a database or shared. */
export interface Stores {
  /** All names in use, those of the database among them. */
  readonly names: NameTable
  readonly subscriptions: Subscriptions
  readonly revocations: TokenRevocations
}

/** Those of a database. */
export interface OwnStores extends Stores {
  readonly subscriptions: SqliteSubscriptions
}

/** What a change of subscriptions needs, be they in a database or shared. */
export interface SubscriptionStores {
  readonly names: NameTable
  readonly subscriptions: Subscriptions
}

/** @param database from `openDatabase`, with its names */
export function storesOf(
  database: Database,
  names: NameTable,
  options: SqliteOptions = {},
): OwnStores {
  const kept = new KeptNames(database, names)
  const subscriptions = new SqliteSubscriptions(database, kept, options)
  const revocations = new Revocations(database, kept)
  return { names, subscriptions, revocations }
}
