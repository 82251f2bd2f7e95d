// Goal: a message goes to any server as one POST, and the answer's promise is told, or that there is
// none. Method: real servers on free ports that answer as nchan does, or otherwise, or not at all.

import { describe, expect, test } from 'bun:test'
import { isPostTemplate, post, postOf } from './post.ts'
import type { BatchResult } from './publisher.ts'

/** What became of one message to a server that answers like this. */
async function posted(answer: () => Response): Promise<BatchResult> {
  await using server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    development: false,
    fetch: answer,
  })
  return await post([postOf(`${server.url.href}pub/{id}`)(7, 'Hello')])
}

const NCHAN = { messages: 3, requested: 0, subscribers: 2, last_message_id: '1:0' }

describe('a post', () => {
  test('has the user in its address and the text alone as its body', async () => {
    const requests: unknown[] = []
    await using server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: async (request) => {
        const { pathname, search } = new URL(request.url)
        const accept = request.headers.get('accept')
        requests.push([request.method, pathname + search, accept, await request.text()])
        return Response.json(NCHAN, { status: 201 })
      },
    })
    const write = postOf(`${server.url.href}pub/{id}?again={id}`)
    expect(await post([write(7, 'Hello')])).toEqual({ ok: true, accepted: 1, delivered: 2 })
    expect(requests).toEqual([['POST', '/pub/7?again=7', 'application/json', 'Hello']])
  })

  test.each<[string, () => Response, number | null]>([
    ['subscribers', () => Response.json(NCHAN), 2],
    ['no subscribers', () => Response.json({ subscribers: 0 }, { status: 202 }), 0],
    ['deliveries', () => Response.json({ delivered: 5 }), 5],
    ['nothing', () => new Response(null, { status: 204 }), null],
    ['words', () => new Response('queued messages: 3'), null],
    ['other JSON', () => Response.json({ ok: true }), null],
    ['half of JSON', () => new Response('{"subscribers":'), null],
    ['no whole number', () => Response.json({ subscribers: 1.5 }), null],
    ['less than none', () => Response.json({ subscribers: -1 }), null],
    ['text for a number', () => Response.json({ subscribers: '2' }), null],
    ['a long story', () => new Response(`{"subscribers":2,"x":"${'x'.repeat(5_000)}"}`), null],
  ])('that is answered with %s is accepted, with what that promises', async (_, answer, known) => {
    expect(await posted(answer)).toEqual(
      known === null
        ? { ok: true, accepted: 1, delivered: 0, unpromised: 1 }
        : { ok: true, accepted: 1, delivered: known },
    )
  })

  test('of which the server does not know all deliveries says how many', async () => {
    expect(await posted(() => Response.json({ delivered: 1, unknown: 2 }))).toEqual({
      ...{ ok: true, accepted: 1, delivered: 1, unknown: 2 },
    })
  })

  test.each([
    ['an error', () => Response.json(NCHAN, { status: 403 }), 'status_403'],
    ['a redirect', () => Response.redirect('http://127.0.0.1:1/'), 'status_302'],
  ])('that is answered with %s has failed', async (_, answer, kind) => {
    expect(await posted(answer)).toEqual({ ok: false, kind })
  })

  test('whose connection is reset before the answer has failed', async () => {
    using server = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: { data: (socket) => socket.terminate() },
    })
    const write = postOf(`http://127.0.0.1:${server.port}/{id}`)
    expect(await post([write(1, 'x')])).toEqual({ ok: false, kind: 'reset' })
  })
})

test.each([
  ['http://127.0.0.1:8080/pub/{id}', true],
  ['http://host/pub?id={id}', true],
  ['http://host/everybody', true],
  ['https://host/{id}', false],
  ['nonsense', false],
  ['127.0.0.1:8080/{id}', false],
])('%s is an address to post to: %p', (template, is) => {
  expect(isPostTemplate(template)).toBe(is)
})
