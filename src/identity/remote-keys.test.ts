// Goal: keys come from one URL, within bounds of time, size and rate, and stay when a fetch fails.
// Method: a real server on loopback that answers as a test says, a clock of the test.

import { describe, expect, test } from 'bun:test'
import { Log } from '../core/log.ts'
import { FakeClock } from '../core/time.fixture.ts'
import { RemoteKeys } from './remote-keys.ts'
import { ED25519, P256, publicJwkOf } from './token.fixture.ts'

const ONE = { ...publicJwkOf(P256), kid: 'one' }
const TWO = { ...publicJwkOf(ED25519), kid: 'two' }

/** An issuer, and the keys that are fetched from it. */
function issuer(answer: () => Response | Promise<Response>) {
  const asked: Request[] = []
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: (request) => {
      asked.push(request)
      return answer()
    },
  })
  const clock = new FakeClock()
  const lines: string[] = []
  const log = new Log({ format: 'json', clock, write: (line) => lines.push(line) > 0 })
  const changes: string[][] = []
  const keys: RemoteKeys = new RemoteKeys({
    ...{ url: `http://127.0.0.1:${server.port}/keys?secret=x`, clock, log },
    onChange: () => changes.push(keys.keys.map(({ id }) => String(id))),
  })
  return { keys, changes, asked, lines, clock, [Symbol.asyncDispose]: () => server.stop(true) }
}

test('keys are fetched, and those that changed are told of', async () => {
  let set: unknown = { keys: [ONE] }
  await using at = issuer(() => Response.json(set))
  expect(await at.keys.load()).toMatchObject({ ok: true })
  expect(await at.keys.load()).toMatchObject({ ok: true })
  set = { keys: [ONE, TWO] }
  expect(await at.keys.load()).toMatchObject({ ok: true })
  expect(at.changes).toEqual([['one'], ['one', 'two']])
})

test('a thousand refreshes at once fetch once, and no more within the minute', async () => {
  await using at = issuer(() => Response.json({ keys: [ONE] }))
  await Promise.all(Array.from({ length: 1_000 }, () => at.keys.refresh()))
  at.clock.advance(59_999)
  await at.keys.refresh()
  expect(at.asked).toHaveLength(1)
  at.clock.advance(1)
  await at.keys.refresh()
  expect(at.asked).toHaveLength(2)
})

describe('keys stay as they are', () => {
  const huge = () => new Response('x'.repeat(300_000))
  const endless = () =>
    new Response(new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(65_536)) }))
  test.each([
    ['another status', () => new Response('', { status: 500 }), 'answered 500'],
    ['a redirect', () => Response.redirect('http://127.0.0.1:1/'), 'cannot be fetched'],
    ['no JSON', () => new Response('<html>'), 'is no JWKS'],
    ['no key', () => Response.json({ keys: [] }), 'has no key that can be used'],
    ['a secret', () => Response.json({ keys: [{ kty: 'oct', k: 'x'.repeat(43) }] }), 'has no key'],
    ['300,000 bytes', huge, 'has more than 262144 bytes'],
    ['no end', endless, 'has more than 262144 bytes'],
  ])('after an answer with %s, and the log says why without the query', async (_, answer, why) => {
    let isBroken = false
    await using at = issuer(() => (isBroken ? answer() : Response.json({ keys: [ONE] })))
    await at.keys.load()
    isBroken = true
    at.clock.advance(60_000)
    await at.keys.refresh()
    expect(at.keys.keys.map(({ id }) => id)).toEqual(['one'])
    expect(at.lines).toHaveLength(1)
    expect(at.lines[0]).toContain(why)
    expect(at.lines[0]).not.toContain('secret')
  })

  test('when nobody answers', async () => {
    const at = issuer(() => Response.json({ keys: [ONE] }))
    await at.keys.load()
    await at[Symbol.asyncDispose]()
    at.clock.advance(60_000)
    await at.keys.refresh()
    expect(at.keys.keys).toHaveLength(1)
    expect(at.lines[0]).toContain('cannot be fetched')
  })
})
