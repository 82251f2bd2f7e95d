// Goal: only streams are named that the client believed in all the time while the server had none, and
// the server is asked no more than is needed. Method: small servers with made answers.

import { describe, expect, test } from 'bun:test'
import { floodLimits } from '../core/tool-limits.ts'
import { findMissing } from './missing-streams.ts'
import type { IdRange } from './openids.ts'

/** Answers how many connections a user has, from the user and how often it was asked for; null is 404. */
function serverOf(connections: (user: number, times: number) => number | null) {
  const times = new Map<number, number>()
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch({ url }) {
      const user = Number(url.split('/').at(-1))
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
    using server = serverOf((user) => (user % 50 === 0 ? 0 : 1))
    const found = await findMissing(server.port, async () => HUNDRED)
    expect(found).toEqual({ asked: 100, examples: [50, 100] })
  })

  test('is not named if the client has heard of its end meanwhile', async () => {
    using server = serverOf((user) => (user % 50 === 0 ? 0 : 1))
    const lists: (readonly IdRange[])[] = [HUNDRED, [[1, 99]]]
    const found = await findMissing(server.port, async () => lists.shift() ?? [])
    expect(found.examples).toEqual([50])
  })

  test('is not named if the server was only late to tell of it', async () => {
    using server = serverOf((user, times) => (user === 7 && times === 0 ? 0 : 1))
    const found = await findMissing(server.port, async () => HUNDRED)
    expect(found).toEqual({ asked: 100, examples: [] })
  })
})

describe('the server is asked', () => {
  test('until there are enough', async () => {
    using server = serverOf(() => 0)
    const { asked, examples } = await findMissing(server.port, async () => HUNDRED)
    expect(examples).toHaveLength(floodLimits.missingNamedMax)
    expect(asked).toBeLessThan(floodLimits.missingNamedMax + floodLimits.missingAskedAtOnce)
  })

  test('no more once it does not tell', async () => {
    using server = serverOf(() => null)
    const found = await findMissing(server.port, async () => HUNDRED)
    expect(found).toEqual({ asked: 0, examples: [] })
    expect(server.asked()).toBeLessThanOrEqual(floodLimits.missingAskedAtOnce)
  })
})
