// Goal: a batch is answered with the server's promise or with the kind of its failure.
// Method: real servers on free ports that answer as comet does, or wrongly, or not at all.

import { describe, expect, test } from 'bun:test'
import { publisherTo } from './publisher.ts'

/** A server that answers every request in the same way. */
function serverThat(answer: (request: Request) => Response | Promise<Response>) {
  return Bun.serve({ hostname: '127.0.0.1', port: 0, development: false, fetch: answer })
}

const LINES = ['{"to":1,"body":"a"}', '{"to":2,"body":"é"}']

describe('a publisher', () => {
  test.each([
    ['', '/messages'],
    ['/', '/messages'],
    ['/comet', '/comet/messages'],
    ['/a/b//', '/a/b/messages'],
  ])('at %p posts a line each to %s and passes the promise on', async (path, posted) => {
    const requests: unknown[] = []
    await using server = serverThat(async (request) => {
      const { pathname } = new URL(request.url)
      const type = request.headers.get('content-type')
      requests.push([request.method, pathname, type, await request.text()])
      return Response.json({ accepted: 1, delivered: 7, rejected: [{ line: 2 }], rejectedCount: 1 })
    })
    const publish = publisherTo(`http://127.0.0.1:${server.port}${path}`)
    expect(await publish(LINES)).toEqual({ ok: true, accepted: 1, delivered: 7 })
    expect(requests).toEqual([
      ['POST', posted, 'application/x-ndjson', '{"to":1,"body":"a"}\n{"to":2,"body":"é"}'],
    ])
  })

  test('posts one message alone as one, and takes the shorter answer', async () => {
    const requests: unknown[] = []
    await using server = serverThat(async (request) => {
      requests.push([request.headers.get('content-type'), await request.text()])
      return Response.json({ delivered: 3, unknown: 2 })
    })
    const publish = publisherTo(server.url.href)
    expect(await publish(LINES.slice(0, 1))).toEqual({
      ok: true,
      accepted: 1,
      delivered: 3,
      unknown: 2,
    })
    expect(requests).toEqual([['application/json', '{"to":1,"body":"a"}']])
    // To many, it is no answer.
    expect(await publish(LINES)).toEqual({ ok: false, kind: 'not_a_comet_server' })
  })

  test.each<[string, () => Response, string]>([
    ['a status that is an error', () => new Response('no', { status: 404 }), 'status_404'],
    ['a stop', () => Response.json({ error: {} }, { status: 503 }), 'status_503'],
    ['what is no JSON', () => new Response('<html>'), 'not_a_comet_server'],
    ['nothing', () => new Response(''), 'not_a_comet_server'],
    ['other JSON', () => Response.json({ ok: true }), 'not_a_comet_server'],
    ['null', () => Response.json(null), 'not_a_comet_server'],
    [
      'text for numbers',
      () => Response.json({ accepted: '1', delivered: 1 }),
      'not_a_comet_server',
    ],
  ])('that is answered with %s says so', async (_, answer, kind) => {
    await using server = serverThat(answer)
    expect(await publisherTo(server.url.href)(LINES)).toEqual({ ok: false, kind })
  })

  test('that finds nobody says refused', async () => {
    const { port, stop } = freePort()
    await stop()
    expect(await publisherTo(`http://127.0.0.1:${port}`)(LINES)).toEqual({
      ok: false,
      kind: 'refused',
    })
  })

  test('whose connection is reset before the answer says reset', async () => {
    using server = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: { data: (socket) => socket.terminate() },
    })
    expect(await publisherTo(`http://127.0.0.1:${server.port}`)(LINES)).toEqual({
      ok: false,
      kind: 'reset',
    })
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
      { ok: false, kind: 'status_500' },
      { ok: true, accepted: 2, delivered: 0 },
    ])
  })
})

/** A port that was free a moment ago. */
function freePort() {
  const server = serverThat(() => new Response('yes'))
  return { port: server.port, stop: () => server.stop(true) }
}
