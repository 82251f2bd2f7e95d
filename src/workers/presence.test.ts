// Goal: the table says who is where, after whatever came and went. Method: ids made to collide, and
// a model test against a plain Map, all of it compared after each step.

import { describe, expect, test } from 'bun:test'
import { deepStrictEqual as same } from 'node:assert'
import fc from 'fast-check'
import { IntegerTable } from '../core/table.ts'
import { Presence } from './presence.ts'

const HIGHEST = 4_294_967_295
const WORKERS = 4
/** Places of a new table. */
const CAPACITY = 1_024

/** Ids whose search begins at this place of a new table. */
function idsAt(place: number, count: number): number[] {
  const ids: number[] = []
  const table = new IntegerTable({ width: 1, capacity: CAPACITY })
  for (let id = HIGHEST; ids.length < count; id--) {
    if (table.home(id) === place) ids.push(id)
  }
  return ids
}

/** What the table finds: streams by worker. */
function found(presence: Presence, user: number): Record<number, number> {
  const count = presence.find(user)
  const { workers, streams } = presence.found
  const entries = [...workers.subarray(0, count)].map((worker, at) => [worker, streams[at] ?? 0])
  same(new Set(entries.map(([worker]) => worker)).size, count)
  return Object.fromEntries(entries)
}

function streamsOf(presence: Presence): number[] {
  return [...presence.open]
}

describe('the table', () => {
  test('has for a user each worker with its number of streams', () => {
    const presence = new Presence(WORKERS)
    for (const worker of [2, 0, 2, 3, 2]) presence.add(7, worker)
    presence.add(8, 2)
    expect([found(presence, 7), found(presence, 8)]).toEqual([{ 0: 1, 2: 3, 3: 1 }, { 2: 1 }])
    expect([presence.users, streamsOf(presence)]).toEqual([2, [1, 0, 4, 1]])
  })

  test('finds no worker where no stream is', () => {
    expect(new Presence(WORKERS).find(7)).toBe(0)
  })

  test('knows the lowest and the highest id', () => {
    const presence = new Presence(1)
    presence.add(1, 0)
    presence.add(HIGHEST, 0)
    expect([presence.find(1), presence.find(HIGHEST), presence.find(2)]).toEqual([1, 1, 0])
  })

  test('forgets a user with the last stream, not before', () => {
    const presence = new Presence(WORKERS)
    for (const worker of [1, 1, 2]) presence.add(7, worker)
    const users = [1, 2, 1].map((worker) => {
      presence.remove(7, worker)
      return [presence.users, found(presence, 7)]
    })
    expect(users).toEqual([
      [1, { 1: 1, 2: 1 }],
      [1, { 1: 1 }],
      [0, {}],
    ])
    expect(streamsOf(presence)).toEqual([0, 0, 0, 0])
  })

  test.each([
    ['of a user who is nowhere', 8, 1],
    ['of a user who is at another worker', 7, 2],
    ['of a user whose last stream has left', 9, 1],
  ])('throws at the leaving %s, and stays as it is', (_, user, worker) => {
    const presence = new Presence(WORKERS)
    presence.add(7, 1)
    presence.add(9, 1)
    presence.remove(9, 1)
    expect(() => presence.remove(user, worker)).toThrow(`user ${user} is not at worker ${worker}`)
    expect([found(presence, 7), presence.users, streamsOf(presence)]).toEqual([
      { 1: 1 },
      1,
      [0, 1, 0, 0],
    ])
  })

  test('loses all of a worker that is gone, and nothing else', () => {
    const presence = new Presence(WORKERS)
    for (const worker of [1, 1, 2]) presence.add(7, worker)
    presence.add(8, 1)
    presence.add(9, 3)
    expect([presence.removeWorker(1), presence.removeWorker(1)]).toEqual([3, 0])
    expect([7, 8, 9].map((user) => found(presence, user))).toEqual([{ 2: 1 }, {}, { 3: 1 }])
    expect([presence.users, streamsOf(presence)]).toEqual([2, [0, 0, 1, 1]])
    presence.add(8, 1)
    expect([presence.users, found(presence, 8)]).toEqual([3, { 1: 1 }])
  })

  test('grows, and keeps everything', () => {
    const presence = new Presence(WORKERS)
    const users = Array.from({ length: 20_000 }, (_, at) => at * 3 + 1)
    for (const user of users) for (const worker of [user % 4, 2]) presence.add(user, worker)
    const wanted = (user: number) => (user % 4 === 2 ? { 2: 2 } : { [user % 4]: 1, 2: 1 })
    for (const user of users) same(found(presence, user), wanted(user))
    for (const user of users) same(presence.find(user + 1), 0)
    expect([presence.users, streamsOf(presence)]).toEqual([20_000, [5_000, 5_000, 25_000, 5_000]])
    for (const user of users) presence.remove(user, 2)
    for (const user of users) presence.remove(user, user % 4)
    expect([presence.users, streamsOf(presence)]).toEqual([0, [0, 0, 0, 0]])
  })

  test('keeps ids apart that begin at the last place, and wrap round the end of the table', () => {
    const ids = [...idsAt(CAPACITY - 1, 6), ...idsAt(0, 3)]
    for (const gone of ids) {
      const presence = new Presence(WORKERS)
      for (const id of ids) presence.add(id, 1)
      presence.remove(gone, 1)
      for (const id of ids) same(presence.find(id), id === gone ? 0 : 1)
      expect(presence.users).toBe(ids.length - 1)
    }
  })
})

/** Of each user, the streams at each worker. */
type Model = Map<number, number[]>

interface Both {
  readonly model: Model
  readonly presence: Presence
}

type Step = (both: Both) => void

// Few places, at the end of the table and its beginning, so that all of them crowd there.
const USERS = [CAPACITY - 2, CAPACITY - 1, 0].flatMap((place) => idsAt(place, 4))
const STRANGERS = [CAPACITY - 1, 1].flatMap((place) => idsAt(place, 6)).slice(4)

const pairs = fc.tuple(fc.constantFrom(...USERS), fc.nat({ max: WORKERS - 1 }))

const add = pairs.map(
  ([user, worker]): Step =>
    ({ model, presence }) => {
      const streams = model.get(user) ?? new Array<number>(WORKERS).fill(0)
      model.set(user, streams.with(worker, (streams[worker] ?? 0) + 1))
      presence.add(user, worker)
    },
)

const remove = pairs.map(
  ([user, worker]): Step =>
    ({ model, presence }) => {
      const streams = model.get(user) ?? []
      const count = streams[worker] ?? 0
      if (count === 0) {
        let thrown = false
        try {
          presence.remove(user, worker)
        } catch {
          thrown = true
        }
        same(thrown, true)
        return
      }
      model.set(user, streams.with(worker, count - 1))
      presence.remove(user, worker)
    },
)

const removeWorker = fc.nat({ max: WORKERS - 1 }).map(
  (worker): Step =>
    ({ model, presence }) => {
      let gone = 0
      for (const [user, streams] of model) {
        gone += streams[worker] ?? 0
        model.set(user, streams.with(worker, 0))
      }
      same(presence.removeWorker(worker), gone)
    },
)

const steps = fc.oneof(
  { weight: 8, arbitrary: add },
  { weight: 8, arbitrary: remove },
  { weight: 1, arbitrary: removeWorker },
)

function check({ model, presence }: Both): void {
  const open = new Array<number>(WORKERS).fill(0)
  let users = 0
  for (const user of USERS) {
    const streams = model.get(user) ?? []
    const wanted = [...streams.entries()].filter(([, count]) => count > 0)
    for (const [worker, count] of wanted) open[worker] = (open[worker] ?? 0) + count
    if (wanted.length > 0) users++
    same(found(presence, user), Object.fromEntries(wanted))
  }
  for (const stranger of STRANGERS) same(presence.find(stranger), 0)
  same([presence.users, streamsOf(presence)], [users, open])
}

test('the table equals a plain Map after every step', () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 120 }), (sequence) => {
      const both = { model: new Map<number, number[]>(), presence: new Presence(WORKERS) }
      for (const step of sequence) {
        step(both)
        check(both)
      }
    }),
    { numRuns: 200 },
  )
})
