// Goal: a client that knows the token passes, no other, and the log says why without the token.
// Method: a table of heads, as clients and strangers send them.

import { describe, expect, test } from 'bun:test'
import { parseHost } from '../core/address.ts'
import type { Head } from '../http/exchange.ts'
import type { Reply } from '../http/response.ts'
import { CONFIG, settingsOf } from '../hub/settings.fixture.ts'
import type { ServerConfig } from '../hub/settings.ts'
import { ControlAuth } from './auth.ts'

const TOKEN = 'a token of some length'

/** In the log, in the header, and in the answer. */
const MISSING = ['it has no token', 'Bearer', 'Send the token'] as const
const WRONG = ['its token is wrong', 'Bearer error="invalid_token"', 'The token is wrong.'] as const

function tokens(token: string | null): Pick<ServerConfig, 'controlTokens'> {
  return { controlTokens: token === null ? [] : [{ role: 'admin', token }] }
}

function locked(
  token: string | null = TOKEN,
  others: Partial<ServerConfig> = {},
  hostname = '127.0.0.1',
) {
  const refused: string[] = []
  const controlAddress = { hostname, port: 8001 }
  const onRefused = (why: string) => refused.push(why)
  const settings = settingsOf({ ...tokens(token), ...others, controlAddress })
  const change = (next: Partial<ServerConfig>) => settings.replace({ ...CONFIG, ...next })
  return { auth: new ControlAuth({ settings, onRefused }), change, refused }
}

function headOf(target: string, headers: Readonly<Record<string, string>>): Head {
  const path = target.split('?')[0] ?? ''
  const host = parseHost(headers['host'] ?? '') ?? null
  return {
    method: 'GET',
    path,
    query: '',
    host,
    peer: null,
    minor: 1,
    header: (name) => headers[name] ?? null,
  }
}

function request(authorization: string | null, path = '/messages'): Head {
  return headOf(path, authorization === null ? {} : { authorization })
}

/** The JSON of an answer. */
function json(reply: Reply | null): unknown {
  return JSON.parse(String(reply?.body))
}

test.each([`Bearer ${TOKEN}`, `bearer ${TOKEN}`, `BEARER   ${TOKEN}  `])('%p passes', (head) => {
  const { auth, refused } = locked()
  expect([auth.authorize(request(head)), refused]).toEqual([null, []])
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
  ])('%p is answered with 401', (head, why, challenge, words) => {
    const { auth, refused } = locked()
    const answer = auth.authorize(request(head))
    expect(answer?.status).toBe(401)
    expect(answer?.headers?.['www-authenticate']).toBe(challenge)
    expect(json(answer)).toMatchObject({
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
    expect(locked().auth.authorize(request(null, path))?.status).toBe(401)
  })
})

test.each(['/livez', '/readyz', '/readyz?x=1', '/', '/?x=1'])('%s needs no token', (path) => {
  expect(locked().auth.authorize(request(null, path))).toBeNull()
})

describe('a page', () => {
  const post = (headers: Record<string, string>) => headOf('/messages', headers)

  test.each([
    ['http://127.0.0.1:8001', '127.0.0.1:8001'],
    ['https://comet.example', 'comet.example'],
    ['https://dash.example', '127.0.0.1:8001'],
  ])('of this port, %s, passes', (origin, host) => {
    const rules = { controlHosts: ['comet.example'], controlOrigins: ['https://dash.example'] }
    expect(locked(null, rules).auth.authorize(post({ origin, host }))).toBeNull()
  })

  test.each([
    ['http://evil.example', '127.0.0.1:8001'],
    ['http://127.0.0.1:8000', '127.0.0.1:8001'],
    ['null', '127.0.0.1:8001'],
    ['', '127.0.0.1:8001'],
    ['http://127.0.0.1:8001.evil.example', '127.0.0.1:8001'],
  ])('of %p is refused, and told of', (origin, host) => {
    const { auth, refused } = locked(null)
    const answer = auth.authorize(post({ origin, host }))
    expect([answer?.status, json(answer)]).toMatchObject([
      403,
      { error: { code: 'foreign_origin' } },
    ])
    expect(refused).toEqual([`a page of ${origin} made it`])
  })

  test('of elsewhere is refused whatever token it knows', () => {
    const headers = { origin: 'http://evil.example', authorization: `Bearer ${TOKEN}` }
    expect(locked().auth.authorize(post({ ...headers, host: 'localhost' }))?.status).toBe(403)
  })
})

describe('a request for', () => {
  const forHost = (host: string) => headOf('/livez', { host })

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
    const { auth } = locked(null, { controlHosts: ['comet.example'] }, hostname)
    expect(auth.authorize(forHost(host))).toBeNull()
  })

  test.each([
    ['127.0.0.1', 'evil.example:8001'],
    ['127.0.0.1', '127.0.0.1.evil.example'],
    ['127.0.0.1', '10.1.2.3'],
    ['0.0.0.0', 'evil.example'],
  ])('a port on %s by the name %s is refused, health too, and told of', (hostname, host) => {
    const { auth, refused } = locked(TOKEN, {}, hostname)
    const answer = auth.authorize(forHost(host))
    expect(answer?.status).toBe(421)
    expect(answer?.body).toContain('--control-host')
    expect(refused).toEqual([`it is for ${host.replace(/:\d+$/, '')}`])
  })

  test('nothing, as HTTP/1.0 may, passes', () => {
    expect(locked(null).auth.authorize(headOf('/livez', {}))).toBeNull()
  })
})

test('without a token everybody passes', () => {
  expect(locked(null).auth.authorize(request(null))).toBeNull()
})

test('a token that was changed is the only one', () => {
  const { change, auth } = locked()
  change(tokens('another token, as long'))
  expect(auth.authorize(request(`Bearer ${TOKEN}`))?.status).toBe(401)
  expect(auth.authorize(request('Bearer another token, as long'))).toBeNull()
})

describe('a token with a role', () => {
  const settings = {
    controlTokens: [
      { role: 'publish', token: 'the token of a publisher' },
      { role: 'read', token: 'the token of Prometheus' },
      { role: 'admin', token: 'the token of an admin' },
    ],
  } as const
  const statusOf = (token: string, method: string, path: string) => {
    const { auth } = locked(null, settings)
    const head = { ...request(`Bearer ${token}`, path), method }
    return auth.authorize(head)?.status ?? 'passes'
  }

  test.each([
    ['POST', '/messages', 'passes', 403, 'passes'],
    ['POST', '/users/7', 'passes', 403, 'passes'],
    ['POST', '/subjects/7', 'passes', 403, 'passes'],
    ['POST', '/users/..\\subscriptions', 403, 403, 'passes'],
    ['POST', '/users/7/', 403, 403, 'passes'],
    ['GET', '/stats', 403, 'passes', 'passes'],
    ['HEAD', '/metrics', 403, 'passes', 'passes'],
    ['GET', '/users/7', 403, 'passes', 'passes'],
    ['GET', '/messages', 403, 'passes', 'passes'],
    ['GET', '/livez', 'passes', 'passes', 'passes'],
    ['POST', '/subscriptions', 403, 403, 'passes'],
    ['PUT', '/users/7/subscriptions/8', 403, 403, 'passes'],
    ['DELETE', '/subscriptions', 403, 403, 'passes'],
  ])('%s %s: publish %p, read %p, admin %p', (method, path, publish, read, admin) => {
    expect([
      statusOf('the token of a publisher', method, path),
      statusOf('the token of Prometheus', method, path),
      statusOf('the token of an admin', method, path),
    ]).toEqual([publish, read, admin])
  })

  test('says for what it is, in the answer and the log', () => {
    const { auth, refused } = locked(null, settings)
    const reply = auth.authorize(request('Bearer the token of a publisher', '/stats'))
    expect(json(reply)).toEqual({
      error: { code: 'forbidden', message: 'This token is for publish alone.' },
    })
    expect(refused).toEqual(['its token is for publish alone'])
  })
})
