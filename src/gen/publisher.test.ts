// Goal: the result of a request has the server's number of deliveries or the kind of the failure.
// Method: real servers that answer like comet or nchan, or wrongly, or not at all.

import { describe, expect, test } from 'bun:test'
import { refused, success } from '../core/result.ts'
import { type BatchResult, lineOf, post, postOf, publisherTo } from './publisher.ts'

/** A server that answers every request in the same way. */
function serverThat(answer: (request: Request) => Response | Promise<Response>) {
  return Bun.serve({ hostname: '127.0.0.1', port: 0, development: false, fetch: answer })
}

const LINES = ['{"to":1,"body":"a"}', '{"to":2,"body":"é"}']

describe('a line of JSON', () => {
  test.each([
    ['to', 7, '{"to":7,"body":"a"}'],
    ['subject', 7, '{"subject":7,"body":"a"}'],
    ['to', 'alice', '{"to":"alice","body":"a"}'],
  ] as const)('by %s for user %p is %s', (address, user, line) => {
    expect(lineOf(address)(user, 'a')).toBe(line)
  })

  test.each([
    ['to', 7, '{"to":"user-7@x","body":"a"}'],
    ['subject', 7, '{"subject":"user-7@x","body":"a"}'],
    ['subject', 'alice', '{"subject":"alice","body":"a"}'],
  ] as const)('with names, by %s for user %p is %s', (address, user, line) => {
    expect(lineOf(address, { before: 'user-', after: '@x' })(user, 'a')).toBe(line)
  })
})

describe('a publisher to comet', () => {
  test.each([
    ['', '/messages'],
    ['/', '/messages'],
    ['/comet', '/comet/messages'],
    ['/a/b//', '/a/b/messages'],
  ])('at %p posts lines to %s and returns the number of deliveries', async (path, posted) => {
    const requests: unknown[] = []
    await using server = serverThat(async (request) => {
      const { pathname } = new URL(request.url)
      const type = request.headers.get('content-type')
      requests.push([request.method, pathname, type, await request.text()])
      return Response.json({ accepted: 1, delivered: 7, rejected: [{ line: 2 }], rejectedCount: 1 })
    })
    const publish = publisherTo(`http://127.0.0.1:${server.port}${path}`)
    expect(await publish(LINES)).toEqual(success({ accepted: 1, delivered: 7 }))
    expect(requests).toEqual([
      ['POST', posted, 'application/x-ndjson', '{"to":1,"body":"a"}\n{"to":2,"body":"é"}'],
    ])
  })

  test('posts a single message as JSON, and reads the shorter answer', async () => {
    const requests: unknown[] = []
    await using server = serverThat(async (request) => {
      requests.push([request.headers.get('content-type'), await request.text()])
      return Response.json({ delivered: 3, unknown: 2 })
    })
    const publish = publisherTo(server.url.href)
    expect(await publish(LINES.slice(0, 1))).toEqual(
      success({ accepted: 1, delivered: 3, unknown: 2 }),
    )
    expect(requests).toEqual([['application/json', '{"to":1,"body":"a"}']])
    // To many, it is no answer.
    expect(await publish(LINES)).toEqual(refused('not_a_comet_server'))
  })

  test.each<[string, () => Response, string]>([
    ['an error status', () => new Response('no', { status: 404 }), 'status_404'],
    ['a server that stops', () => Response.json({ error: {} }, { status: 503 }), 'status_503'],
    ['HTML', () => new Response('<html>'), 'not_a_comet_server'],
    ['nothing', () => new Response(''), 'not_a_comet_server'],
    ['other JSON', () => Response.json({ ok: true }), 'not_a_comet_server'],
    ['null', () => Response.json(null), 'not_a_comet_server'],
    [
      'text for numbers',
      () => Response.json({ accepted: '1', delivered: 1 }),
      'not_a_comet_server',
    ],
  ])('reports an answer of %s', async (_, answer, kind) => {
    await using server = serverThat(answer)
    expect(await publisherTo(server.url.href)(LINES)).toEqual(refused(kind))
  })

  test('reports a refused connection', async () => {
    const { port, stop } = freePort()
    await stop()
    expect(await publisherTo(`http://127.0.0.1:${port}`)(LINES)).toEqual(refused('refused'))
  })

  test('reports a connection that is reset before the answer', async () => {
    using server = resettingServer()
    expect(await publisherTo(`http://127.0.0.1:${server.port}`)(LINES)).toEqual(refused('reset'))
  })

  test('goes on after a failure', async () => {
    let answers = 0
    await using server = serverThat(() =>
      answers++ === 0
        ? new Response('no', { status: 500 })
        : Response.json({ accepted: 2, delivered: 0 }),
    )
    const publish = publisherTo(server.url.href)
    expect([await publish(LINES), await publish(LINES)]).toEqual([
      refused('status_500'),
      success({ accepted: 2, delivered: 0 }),
    ])
  })
})

/** A port that was free a moment ago. */
function freePort() {
  const server = serverThat(() => new Response('yes'))
  return { port: server.port, stop: () => server.stop(true) }
}

/** A server that resets every connection at its request. */
function resettingServer() {
  return Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: { data: (socket) => socket.terminate() },
  })
}

/** The result of one message to a server that answers like this. */
async function posted(answer: () => Response): Promise<BatchResult> {
  await using server = serverThat(answer)
  return await post([postOf(`${server.url.href}pub/{id}`)(7, 'Hello')])
}

const NCHAN = { messages: 3, requested: 0, subscribers: 2, last_message_id: '1:0' }

describe('post', () => {
  test('sends the user in the address and the text as the body', async () => {
    const requests: unknown[] = []
    await using server = serverThat(async (request) => {
      const { pathname, search } = new URL(request.url)
      const accept = request.headers.get('accept')
      requests.push([request.method, pathname + search, accept, await request.text()])
      return Response.json(NCHAN, { status: 201 })
    })
    const write = postOf(`${server.url.href}pub/{id}?again={id}`)
    for (const user of [7, 'alice@x']) {
      const sent = await post([write(user, 'Hello')])
      expect(sent).toEqual(success({ accepted: 1, delivered: 2 }))
    }
    expect(requests).toEqual([
      ['POST', '/pub/7?again=7', 'application/json', 'Hello'],
      ['POST', '/pub/alice@x?again=alice@x', 'application/json', 'Hello'],
    ])
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
  ])('accepts an answer with %s, and reads its number of deliveries', async (_, answer, known) => {
    expect(await posted(answer)).toEqual(
      known === null
        ? success({ accepted: 1, delivered: 0, unpromised: 1 })
        : success({ accepted: 1, delivered: known }),
    )
  })

  test('reads the number of unknown deliveries', async () => {
    expect(await posted(() => Response.json({ delivered: 1, unknown: 2 }))).toEqual({
      ...success({ accepted: 1, delivered: 1, unknown: 2 }),
    })
  })

  test.each([
    ['an error', () => Response.json(NCHAN, { status: 403 }), 'status_403'],
    ['a redirect', () => Response.redirect('http://127.0.0.1:1/'), 'status_302'],
  ])('reports an answer with %s as a failure', async (_, answer, kind) => {
    expect(await posted(answer)).toEqual(refused(kind))
  })

  test('reports a connection that is reset before the answer', async () => {
    using server = resettingServer()
    const write = postOf(`http://127.0.0.1:${server.port}/{id}`)
    expect(await post([write(1, 'x')])).toEqual(refused('reset'))
  })
})
