// Which worker holds which users: a compact table of (user, worker) pairs with the number of
// streams of each, in typed arrays, since there may be millions. Kept by what the workers tell.

import { IntegerTable } from '../core/table.ts'

/** A table that is fuller than this grows: half full before it doubles or just after. */
const FULL_RATIO = 0.6

/**
 * The workers that hold one user, as views of the table's own memory, valid until the next call.
 */
export interface Found {
  readonly workers: Uint16Array
  /** Streams of the user at the worker of the same place. */
  readonly streams: Uint32Array
}

export class Presence {
  /** Users with at least one stream. */
  users = 0
  /** Open streams of each worker, by its number. */
  readonly open: Uint32Array
  /** Rows of user, worker and streams; a user may have several. */
  readonly #table = new IntegerTable({ width: 3 })
  /** What the last {@link find} found, in as many places as it said; one object for all of them. */
  readonly found: Found

  constructor(workers: number) {
    this.open = new Uint32Array(workers)
    this.found = { workers: new Uint16Array(workers), streams: new Uint32Array(workers) }
  }

  /** A stream of the user has come to the worker. */
  add(user: number, worker: number): void {
    this.open[worker] = (this.open[worker] as number) + 1
    const table = this.#table
    const { rows } = table
    let isNew = true
    let row = table.home(user)
    for (; rows[row] !== 0; row = table.after(row)) {
      if (rows[row] !== user) continue
      isNew = false
      if (rows[row + 1] !== worker) continue
      rows[row + 2] = (rows[row + 2] as number) + 1
      return
    }
    if (isNew) this.users++
    table.occupy(row, user)
    rows[row + 1] = worker
    rows[row + 2] = 1
    if (table.size > table.capacity * FULL_RATIO) table.rebuild(table.capacity * 2)
  }

  /** @param users of 32 bits each, one a stream that has come */
  addAll(users: DataView, worker: number): void {
    for (let at = 0; at < users.byteLength; at += 4) this.add(users.getUint32(at, true), worker)
  }

  /** @param users of 32 bits each, one a stream that has left */
  removeAll(users: DataView, worker: number): void {
    for (let at = 0; at < users.byteLength; at += 4) this.remove(users.getUint32(at, true), worker)
  }

  /** A stream of the user has left the worker. */
  remove(user: number, worker: number): void {
    const table = this.#table
    const { rows } = table
    let row = table.home(user)
    while (rows[row] !== user || rows[row + 1] !== worker) {
      if (rows[row] === 0) throw new Error(`user ${user} is not at worker ${worker}`)
      row = table.after(row)
    }
    this.open[worker] = (this.open[worker] as number) - 1
    rows[row + 2] = (rows[row + 2] as number) - 1
    if (rows[row + 2] !== 0) return
    table.remove(row)
    if (this.find(user) === 0) this.users--
  }

  /** The worker is gone, and all that it held. Answers how many streams those were. */
  removeWorker(worker: number): number {
    const streams = this.open[worker] as number
    this.open[worker] = 0
    this.#table.rebuild(this.#table.capacity, (rows, row) => rows[row + 1] !== worker)
    this.users = this.#countUsers()
    return streams
  }

  /**
   * Looks a user up; {@link found} then has the workers that hold the user. Hot path: once a
   * receiver.
   *
   * @returns how many workers there are
   */
  find(user: number): number {
    const { found } = this
    const table = this.#table
    const { rows } = table
    let count = 0
    for (let row = table.home(user); rows[row] !== 0; row = table.after(row)) {
      if (rows[row] !== user) continue
      found.workers[count] = rows[row + 1] as number
      found.streams[count] = rows[row + 2] as number
      count++
    }
    return count
  }

  /** The workers that hold a user; a view, valid until the next look. */
  workersOf(user: number): Uint16Array {
    return this.found.workers.subarray(0, this.find(user))
  }

  /** Users with ids above `after`, in order, `count` at most. */
  usersAfter(after: number, count: number): Uint32Array {
    return this.#table.keysAbove(after, count)
  }

  /** Counts each user once, at the first of the user's rows. */
  #countUsers(): number {
    const table = this.#table
    const { rows } = table
    let users = 0
    for (let row = 0; row < rows.length; row += 3) {
      if (rows[row] !== 0 && table.find(rows[row] as number) === row) users++
    }
    return users
  }
}
