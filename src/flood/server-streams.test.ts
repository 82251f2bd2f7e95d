// Goal: the client's count is held against the server's until both agree or the time for it is over,
// and a server that cannot be asked is said to be so. Method: small servers with made answers.

import { describe, expect, test } from 'bun:test'
import { compareStreams, missingTexts } from './server-streams.ts'

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
  return await compareStreams({ url: `http://127.0.0.1:${port}`, token }, believed)
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

  test('are not missing where one of both was late to tell', async () => {
    using server = serverOf(3, 4)
    const believed = [5, 4]
    const told = await compare(server.port, () => believed.shift() ?? 4)
    expect(told).toEqual({ believed: 4, open: 4, missing: 0 })
  })
})

describe('a server that cannot be asked', () => {
  test.each([
    [401, null, 'asks for a token: --control-token-file'],
    [401, 'wrong', 'takes another token than that of --control-token-file'],
    [404, null, 'does not tell how many streams it has open (status 404)'],
    [200, null, 'does not tell how many streams it has open (status 200)'],
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

describe('what is missing is told in words:', () => {
  const of = (asked: number, examples: number[]) =>
    missingTexts({ believed: 5_000, open: 4_998, missing: 2, asked, examples }).slice(1)

  test.each<[string, number, number[], string[]]>([
    ['which, if some are found', 5_000, [3, 5], ['5,000 ids, the server has no stream for 3, 5']],
    ['that others were not asked for', 400, [], ['each; the others were not asked for']],
    ['that it may be hidden', 5_000, [], ['each; those of other clients may hide some']],
    ['no more if it was not asked', 0, [], []],
  ])('%s', (_, asked, examples, ends) => {
    const words = ends.map((end) => expect.stringMatching(new RegExp(`^asked for .* ${end}$`)))
    expect(of(asked, examples)).toEqual(words)
  })

  test('nothing if nothing is', () => {
    const counts = { believed: 5, open: 9, missing: 0 }
    expect(missingTexts({ ...counts, asked: 0, examples: [] })).toEqual([])
  })
})
