// Which worker holds whom: a compact table of (user, worker) pairs with the number of streams of
// each, in typed arrays, since there may be millions. Kept by what the workers tell.

import { homeOf } from '../core/hash.ts'

/** Places of an empty table; a power of two. */
const FIRST_CAPACITY = 1024
/** A table that is fuller than this grows: half full before it doubles or just after. */
const FULL_RATIO = 0.6

/** The workers that hold one user, as views of the table's own memory: good until the next call. */
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
  /** Open addressing with linear probing; user 0 is a free place, and a user may have several. */
  #keys = new Uint32Array(FIRST_CAPACITY)
  #workers = new Uint16Array(FIRST_CAPACITY)
  #streams = new Uint32Array(FIRST_CAPACITY)
  #pairs = 0
  /** What the last {@link find} found, in as many places as it said; one object for all of them. */
  readonly found: Found

  constructor(workers: number) {
    this.open = new Uint32Array(workers)
    this.found = { workers: new Uint16Array(workers), streams: new Uint32Array(workers) }
  }

  /** A stream of the user has come to the worker. */
  add(user: number, worker: number): void {
    this.open[worker] = (this.open[worker] as number) + 1
    const mask = this.#keys.length - 1
    let isNew = true
    let place = homeOf(user, mask)
    for (; this.#keys[place] !== 0; place = (place + 1) & mask) {
      if (this.#keys[place] !== user) continue
      isNew = false
      if (this.#workers[place] !== worker) continue
      this.#streams[place] = (this.#streams[place] as number) + 1
      return
    }
    if (isNew) this.users++
    this.#put(place, user, worker, 1)
    if (this.#pairs > this.#keys.length * FULL_RATIO) this.#rebuild(this.#keys.length * 2, -1)
  }

  /** A stream of the user has left the worker. */
  remove(user: number, worker: number): void {
    const mask = this.#keys.length - 1
    let place = homeOf(user, mask)
    while (this.#keys[place] !== user || this.#workers[place] !== worker) {
      if (this.#keys[place] === 0) throw new Error(`user ${user} is not at worker ${worker}`)
      place = (place + 1) & mask
    }
    this.open[worker] = (this.open[worker] as number) - 1
    this.#streams[place] = (this.#streams[place] as number) - 1
    if (this.#streams[place] !== 0) return
    this.#free(place)
    if (this.find(user) === 0) this.users--
  }

  /** The worker is gone, and all that it held. Answers how many streams those were. */
  removeWorker(worker: number): number {
    const streams = this.open[worker] as number
    this.open[worker] = 0
    this.#rebuild(this.#keys.length, worker)
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
    const mask = this.#keys.length - 1
    let count = 0
    for (let place = homeOf(user, mask); this.#keys[place] !== 0; place = (place + 1) & mask) {
      if (this.#keys[place] !== user) continue
      found.workers[count] = this.#workers[place] as number
      found.streams[count] = this.#streams[place] as number
      count++
    }
    return count
  }

  #put(place: number, user: number, worker: number, streams: number): void {
    this.#keys[place] = user
    this.#workers[place] = worker
    this.#streams[place] = streams
    this.#pairs++
  }

  /**
   * Frees a place, and moves back what was only there because it was taken (Knuth, volume 3,
   * section 6.4, algorithm R), so that a search may still stop at the first free place.
   */
  #free(place: number): void {
    const mask = this.#keys.length - 1
    let hole = place
    for (let next = (hole + 1) & mask; this.#keys[next] !== 0; next = (next + 1) & mask) {
      const home = homeOf(this.#keys[next] as number, mask)
      // It may stay if its home lies behind the hole, on the way to where it is.
      if (((next - home) & mask) < ((next - hole) & mask)) continue
      this.#keys[hole] = this.#keys[next] as number
      this.#workers[hole] = this.#workers[next] as number
      this.#streams[hole] = this.#streams[next] as number
      hole = next
    }
    this.#keys[hole] = 0
    this.#pairs--
  }

  /** Moves everything to a new table, but for the pairs of one worker. */
  #rebuild(capacity: number, without: number): void {
    const [keys, workers, streams] = [this.#keys, this.#workers, this.#streams]
    this.#keys = new Uint32Array(capacity)
    this.#workers = new Uint16Array(capacity)
    this.#streams = new Uint32Array(capacity)
    this.#pairs = 0
    this.users = 0
    const mask = capacity - 1
    for (let old = 0; old < keys.length; old++) {
      const user = keys[old] as number
      if (user === 0 || workers[old] === without) continue
      let isNew = true
      let place = homeOf(user, mask)
      for (; this.#keys[place] !== 0; place = (place + 1) & mask) {
        if (this.#keys[place] === user) isNew = false
      }
      if (isNew) this.users++
      this.#put(place, user, workers[old] as number, streams[old] as number)
    }
  }
}
