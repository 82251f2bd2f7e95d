// Goal: whoever knows the token passes, nobody else, and the log says why without the token. Method: a
// table of heads, as clients and strangers send them.

import { describe, expect, test } from 'bun:test'
import { Lock } from './lock.ts'

const TOKEN = 'a token of some length'

function locked(token: string | null = TOKEN) {
  const refused: string[] = []
  return { lock: new Lock({ token, onRefused: (why) => refused.push(why) }), refused }
}

function request(authorization: string | null, path = '/messages'): Request {
  const headers = authorization === null ? {} : { authorization }
  return new Request(`http://localhost:8001${path}`, { headers })
}

test.each([`Bearer ${TOKEN}`, `bearer ${TOKEN}`, `BEARER   ${TOKEN}  `])('%p passes', (head) => {
  const { lock, refused } = locked()
  expect([lock.refuse(request(head)), refused]).toEqual([null, []])
})

describe('what does not pass', () => {
  test.each([
    [null, 'it has no token'],
    ['', 'its token is another one'],
    ['Bearer', 'its token is another one'],
    ['Bearer ', 'its token is another one'],
    [TOKEN, 'its token is another one'],
    [`Basic ${TOKEN}`, 'its token is another one'],
    [`Bearer ${TOKEN}x`, 'its token is another one'],
    [`Bearer ${TOKEN.slice(1)}`, 'its token is another one'],
    [`Bearer ${TOKEN.toUpperCase()}`, 'its token is another one'],
  ])('%p is answered with 401', async (head, why) => {
    const { lock, refused } = locked()
    const answer = lock.refuse(request(head))
    expect(answer?.status).toBe(401)
    expect(answer?.headers.get('www-authenticate')).toBe('Bearer')
    expect(await answer?.json()).toMatchObject({ error: { code: 'unauthorized' } })
    expect(refused).toEqual([why])
  })

  test.each([
    '/dashboard/live',
    '//',
    '/stats',
    '/metrics',
    '/livez/x',
    '/readyz/../stats',
    '/openapi?/livez',
  ])('is whatever asks for %s', (path) => {
    expect(locked().lock.refuse(request(null, path))?.status).toBe(401)
  })
})

test.each(['/livez', '/readyz', '/readyz?x=1', '/', '/?x=1'])('%s needs no token', (path) => {
  expect(locked().lock.refuse(request(null, path))).toBeNull()
})

describe('a page', () => {
  const post = (headers: Record<string, string>) =>
    new Request('http://127.0.0.1:8001/messages', { method: 'POST', headers })

  test.each([
    ['http://127.0.0.1:8001', '127.0.0.1:8001'],
    ['https://comet.example', 'comet.example'],
  ])('of this port, %s, passes', (origin, host) => {
    expect(locked(null).lock.refuse(post({ origin, host }))).toBeNull()
  })

  test.each([
    ['http://evil.example', '127.0.0.1:8001'],
    ['http://127.0.0.1:8000', '127.0.0.1:8001'],
    ['null', '127.0.0.1:8001'],
    ['', '127.0.0.1:8001'],
    ['http://127.0.0.1:8001.evil.example', '127.0.0.1:8001'],
  ])('of %p is refused, and told of', async (origin, host) => {
    const { lock, refused } = locked(null)
    const answer = lock.refuse(post({ origin, host }))
    expect([answer?.status, await answer?.json()]).toMatchObject([
      403,
      { error: { code: 'foreign_origin' } },
    ])
    expect(refused).toEqual([`a page of ${origin} made it`])
  })

  test('of elsewhere is refused whatever token it knows', () => {
    const headers = { origin: 'http://evil.example', authorization: `Bearer ${TOKEN}` }
    expect(locked().lock.refuse(post({ ...headers, host: 'x' }))?.status).toBe(403)
  })
})

test('without a token everybody passes', () => {
  expect(locked(null).lock.refuse(request(null))).toBeNull()
})

test('a token that was changed is the only one', () => {
  const { lock } = locked()
  lock.change('another token, as long')
  expect(lock.refuse(request(`Bearer ${TOKEN}`))?.status).toBe(401)
  expect(lock.refuse(request('Bearer another token, as long'))).toBeNull()
})
