// Goal: a client that knows the token passes, no other, and the log says why without the token.
// Method: a table of heads, as clients and strangers send them.

import { describe, expect, test } from 'bun:test'
import { ControlAuth, type ControlAuthRules } from './auth.ts'

const TOKEN = 'a token of some length'

const RULES: ControlAuthRules = { controlToken: TOKEN, controlHosts: [], controlOrigins: [] }

/** In the log, in the header, and in the answer. */
const MISSING = ['it has no token', 'Bearer', 'Send the token'] as const
const WRONG = ['its token is wrong', 'Bearer error="invalid_token"', 'The token is wrong.'] as const

function locked(
  controlToken: string | null = TOKEN,
  rules: Partial<ControlAuthRules> = {},
  hostname = '127.0.0.1',
) {
  const refused: string[] = []
  const controlAddress = { hostname, port: 8001 }
  const onRefused = (why: string) => refused.push(why)
  const lock = new ControlAuth({ ...RULES, controlToken, ...rules, controlAddress, onRefused })
  return { lock, refused }
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
    [null, ...MISSING],
    ['', ...MISSING],
    ['Bearer', ...MISSING],
    ['Bearer ', ...MISSING],
    [TOKEN, ...MISSING],
    [`Basic ${TOKEN}`, ...MISSING],
    [`Bearer ${TOKEN}x`, ...WRONG],
    [`Bearer ${TOKEN.slice(1)}`, ...WRONG],
    [`Bearer ${TOKEN.toUpperCase()}`, ...WRONG],
  ])('%p is answered with 401', async (head, why, challenge, words) => {
    const { lock, refused } = locked()
    const answer = lock.refuse(request(head))
    expect(answer?.status).toBe(401)
    expect(answer?.headers.get('www-authenticate')).toBe(challenge)
    expect(await answer?.json()).toMatchObject({
      error: { code: 'unauthorized', message: expect.stringContaining(words) },
    })
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
    ['https://dash.example', '127.0.0.1:8001'],
  ])('of this port, %s, passes', (origin, host) => {
    const rules = { controlHosts: ['comet.example'], controlOrigins: ['https://dash.example'] }
    expect(locked(null, rules).lock.refuse(post({ origin, host }))).toBeNull()
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
    expect(locked().lock.refuse(post({ ...headers, host: 'localhost' }))?.status).toBe(403)
  })
})

describe('a request for', () => {
  const forHost = (host: string) => new Request('http://localhost/livez', { headers: { host } })

  test.each([
    ['127.0.0.1', 'localhost:8001'],
    ['127.0.0.1', '127.9.9.9:1'],
    ['127.0.0.1', '[::1]:8001'],
    ['127.0.0.1', 'comet.example:8001'],
    ['control.example', 'CONTROL.example'],
    ['10.0.0.1', '10.0.0.1'],
    ['0.0.0.0', '10.1.2.3:8001'],
    ['::', '[2001:db8::1]:8001'],
  ])('a port on %s by the name %s passes', (hostname, host) => {
    const { lock } = locked(null, { controlHosts: ['comet.example'] }, hostname)
    expect(lock.refuse(forHost(host))).toBeNull()
  })

  test.each([
    ['127.0.0.1', 'evil.example:8001'],
    ['127.0.0.1', '127.0.0.1.evil.example'],
    ['127.0.0.1', '10.1.2.3'],
    ['0.0.0.0', 'evil.example'],
  ])('a port on %s by the name %s is refused, health too, and told of', async (hostname, host) => {
    const { lock, refused } = locked(TOKEN, {}, hostname)
    const answer = lock.refuse(forHost(host))
    expect(answer?.status).toBe(421)
    expect(await answer?.text()).toContain('--control-host')
    expect(refused).toEqual([`it is for ${host.replace(/:\d+$/, '')}`])
  })

  test.each(['', 'a b', '127.0.0.1, 127.0.0.1'])('%p is refused as no host', (host) => {
    expect(locked(null).lock.refuse(forHost(host))?.status).toBe(400)
  })

  test('nothing, as HTTP/1.0 may, passes', () => {
    expect(locked(null).lock.refuse(new Request('http://localhost/livez'))).toBeNull()
  })
})

test('without a token everybody passes', () => {
  expect(locked(null).lock.refuse(request(null))).toBeNull()
})

test('a token that was changed is the only one', () => {
  const { lock } = locked()
  lock.change({ ...RULES, controlToken: 'another token, as long' })
  expect(lock.refuse(request(`Bearer ${TOKEN}`))?.status).toBe(401)
  expect(lock.refuse(request('Bearer another token, as long'))).toBeNull()
})
