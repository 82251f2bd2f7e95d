// Goal: the client's count is compared with the server's until both agree or the time is over; only
// streams are named that the client believed in all the time while the server had none; a server
// that cannot be asked is reported. Method: small servers with made responses, and ids in ranges.

import { describe, expect, test } from 'bun:test'
import { floodLimits } from '../core/tool-limits.ts'
import type { IdRange } from './client.ts'
import { userOf } from './plan.ts'
import { compareStreams, findMissing, missingTexts, OpenIds } from './server-streams.ts'

/** Answers with these numbers of open streams one after the other, the last one again and again. */
function serverOf(...open: number[]) {
  return Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: () => Response.json({ streams: { open: open.length > 1 ? open.shift() : open[0] } }),
  })
}

async function compare(
  port: number | undefined,
  believed: () => number,
  token: string | null = null,
) {
  const outcome = await compareStreams({ url: `http://127.0.0.1:${port}`, token }, believed)
  return outcome.ok ? outcome.value : outcome.why
}

describe('streams', () => {
  test('are missing where the server has fewer', async () => {
    using server = serverOf(3)
    expect(await compare(server.port, () => 5)).toEqual({ believed: 5, open: 3, missing: 2 })
  })

  test('are not missing where it has more, which are of others', async () => {
    using server = serverOf(9)
    expect(await compare(server.port, () => 5)).toEqual({ believed: 5, open: 9, missing: 0 })
  })

  test('are not missing where one of both was late', async () => {
    using server = serverOf(3, 4)
    const believed = [5, 4]
    const compared = await compare(server.port, () => believed.shift() ?? 4)
    expect(compared).toEqual({ believed: 4, open: 4, missing: 0 })
  })
})

describe('a server that cannot be asked', () => {
  test.each([
    [401, null, 'requires a token; give --control-token-file'],
    [401, 'wrong', 'rejects the token of --control-token-file'],
    [404, null, 'does not report how many streams it has open (status 404)'],
    [200, null, 'does not report how many streams it has open (status 200)'],
  ])('with status %p, shown the token %p', async (status, token, why) => {
    using server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: () => Response.json({}, { status }),
    })
    expect(await compare(server.port, () => 0, token)).toEqual(expect.stringContaining(why))
  })

  test('is named where nothing listens', async () => {
    const server = serverOf(1)
    const { port } = server
    await server.stop(true)
    expect(await compare(port, () => 0)).toBe(`nothing listens at http://127.0.0.1:${port}`)
  })
})

describe('missing streams are described:', () => {
  const of = (asked: number, examples: number[]) =>
    missingTexts({ believed: 5_000, open: 4_998, missing: 2, asked, examples }).slice(1)

  test.each<[string, number, number[], string[]]>([
    ['which, if some are found', 5_000, [3, 5], ['5,000 ids: the server has no stream for 3, 5']],
    ['that others were not looked up', 400, [], ['each; the missing ones are among the others']],
    ['that they may be hidden', 5_000, [], ['streams of other clients may hide the missing ones']],
    ['no more if no id was looked up', 0, [], []],
  ])('%s', (_, asked, examples, ends) => {
    const words = ends.map((end) => expect.stringMatching(new RegExp(`^looked up .* ${end}$`)))
    expect(of(asked, examples)).toEqual(words)
  })

  test('nothing if nothing is', () => {
    const counts = { believed: 5, open: 9, missing: 0 }
    expect(missingTexts({ ...counts, asked: 0, examples: [] })).toEqual([])
  })
})

/**
 * Responds with the connections of a user, from its id and earlier requests for it; null is 404.
 */
function serverOfUsers(
  connections: (user: number, times: number) => number | null,
  path = '/users/',
) {
  const times = new Map<number, number>()
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch({ url }) {
      const { pathname } = new URL(url)
      if (!pathname.startsWith(path)) return new Response('', { status: 404 })
      const user = Number(pathname.slice(path.length))
      const before = times.get(user) ?? 0
      times.set(user, before + 1)
      const answer = connections(user, before)
      return answer === null
        ? new Response('', { status: 404 })
        : Response.json({ connections: answer })
    },
  })
  return {
    port: { url: `http://127.0.0.1:${server.port}`, token: null },
    asked: () => times.size,
    [Symbol.dispose]: () => void server.stop(true),
  }
}

const HUNDRED: readonly IdRange[] = [[1, 100]]

describe('a stream that the server does not have', () => {
  test('is named', async () => {
    using server = serverOfUsers((user) => (user % 50 === 0 ? 0 : 1))
    const found = await findMissing(server.port, async () => HUNDRED)
    expect(found).toEqual({ asked: 100, examples: [50, 100] })
  })

  test('is not named if the client has noticed its end meanwhile', async () => {
    using server = serverOfUsers((user) => (user % 50 === 0 ? 0 : 1))
    const lists: (readonly IdRange[])[] = [HUNDRED, [[1, 99]]]
    const found = await findMissing(server.port, async () => lists.shift() ?? [])
    expect(found.examples).toEqual([50])
  })

  test('is not named if the server was only late', async () => {
    using server = serverOfUsers((user, times) => (user === 7 && times === 0 ? 0 : 1))
    const found = await findMissing(server.port, async () => HUNDRED)
    expect(found).toEqual({ asked: 100, examples: [] })
  })
})

describe('the user of a stream', () => {
  test.each([
    ['http://h/test/{id}', '{id}'],
    ['http://h/stream/{id}?format=raw', '{id}'],
    ['http://h/stream?user={id}', '{id}'],
    ['http://h/stream/user-{id}?format=raw', 'user-{id}'],
    ['http://h/push/stream/{id}@x', '{id}@x'],
    ['http://h/test/1{id}', null],
    ['http://h/stream/1{id}', null],
    // All are of one user.
    ['http://h/stream/alice?n={id}', null],
    ['http://h/stream/alice', null],
    ['http://h/events', null],
  ])('at %s is %p', (template, user) => {
    expect(userOf(template)).toBe(user)
  })
})

describe('the server is asked', () => {
  test('for users by name, where streams are of names', async () => {
    using server = serverOfUsers((user) => (user % 50 === 0 ? 0 : 1), '/users/user-')
    const found = await findMissing(server.port, async () => HUNDRED, 'user-{id}')
    expect(found).toEqual({ asked: 100, examples: [50, 100] })
  })

  test('until there are enough', async () => {
    using server = serverOfUsers(() => 0)
    const { asked, examples } = await findMissing(server.port, async () => HUNDRED)
    expect(examples).toHaveLength(floodLimits.missingNamedMax)
    expect(asked).toBeLessThan(floodLimits.missingNamedMax + floodLimits.missingAskedAtOnce)
  })

  test('no more once it does not reply', async () => {
    using server = serverOfUsers(() => null)
    const found = await findMissing(server.port, async () => HUNDRED)
    expect(found).toEqual({ asked: 0, examples: [] })
    expect(server.asked()).toBeLessThanOrEqual(floodLimits.missingAskedAtOnce)
  })
})

const RANGES: readonly IdRange[] = [
  [1, 3],
  [7, 7],
  [10, 12],
]

describe('ids in ranges', () => {
  test('are counted and found', () => {
    const ids = new OpenIds(RANGES)
    expect(ids.count).toBe(7)
    const found = Array.from({ length: 15 }, (_, id) => id).filter((id) => ids.has(id))
    expect(found).toEqual([1, 2, 3, 7, 10, 11, 12])
  })

  test.each([[[]], [RANGES], [[[5, 5]]], [[[1, 2]]], [[[1, 1_000]]]] as const)(
    'are each visited once: %j',
    (ranges: readonly IdRange[]) => {
      const visited = [...new OpenIds(ranges).spread()].sort((left, right) => left - right)
      const all = ranges.flatMap(([first, last]) =>
        Array.from({ length: last - first + 1 }, (_, at) => first + at),
      )
      expect(visited).toEqual(all)
    },
  )

  test('are visited all over, however few of them', () => {
    const first = new OpenIds([[0, 999_999]]).spread().take(100).toArray()
    const tenths = new Set(first.map((id) => Math.floor(id / 100_000)))
    expect(tenths.size).toBe(10)
  })
})
