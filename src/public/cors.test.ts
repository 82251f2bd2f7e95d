// Goal: pages of the listed origins, and no others, may read what the port answers. Method: the
// fields of answers by the origin of the page, for each kind of list.

import { describe, expect, test } from 'bun:test'
import { CONFIG, identityOf, settingsOf } from '../hub/settings.fixture.ts'
import { Cors } from './cors.ts'

const APP = 'https://app.example'

/** A request of a page; of none that it names if null. */
function from(origin: string | null) {
  return { header: (name: string) => (name === 'origin' ? origin : null) }
}

const ALLOW = 'access-control-allow-origin'
const CREDENTIALS = 'access-control-allow-credentials'

test('without a list no answer has a field of CORS', () => {
  const cors = new Cors(settingsOf())
  expect([
    cors.headersFor(from(APP)),
    cors.headersFor(from(null)),
    cors.preflightFor(from(APP)),
  ]).toEqual([null, null, {}])
})

describe('with a list', () => {
  const cors = new Cors(settingsOf({ corsOrigins: [APP, 'http://localhost:3000'] }))

  test('a page of it may read, with its cookie', () => {
    expect(cors.headersFor(from(APP))).toMatchObject({
      [ALLOW]: APP,
      [CREDENTIALS]: 'true',
      vary: 'Origin',
    })
    expect(cors.headersFor(from('http://localhost:3000'))?.[ALLOW]).toBe('http://localhost:3000')
  })

  test.each([
    'https://evil.example',
    'null',
    'http://app.example',
    `${APP}:444`,
    `${APP}.evil`,
    '',
  ])('a page of %j may not, and caches are told that others may', (origin) => {
    expect(cors.headersFor(from(origin))).toEqual({ vary: 'Origin' })
    expect(cors.preflightFor(from(origin))).toEqual({ vary: 'Origin' })
  })

  test('a request that names no page gets what does not depend on one', () => {
    expect(cors.headersFor(from(null))).toEqual({ vary: 'Origin' })
  })

  test('a preflight request is told methods and fields', () => {
    expect(cors.preflightFor(from(APP))).toMatchObject({
      [ALLOW]: APP,
      'access-control-allow-methods': 'GET, HEAD',
      'access-control-allow-headers': 'Authorization, Last-Event-ID, Cache-Control, If-None-Match',
    })
  })

  test('one origin has one object, by which streams are told apart', () => {
    expect(cors.headersFor(from(APP))).toBe(cors.headersFor(from(APP)))
  })
})

test('* lets every page read, without its cookie', () => {
  const cors = new Cors(settingsOf({ corsOrigins: ['*'] }))
  for (const origin of [APP, 'null', null]) {
    expect(cors.headersFor(from(origin))).toMatchObject({ [ALLOW]: '*' })
    expect(cors.headersFor(from(origin))).not.toHaveProperty(CREDENTIALS)
  }
})

test('an origin that is named beside * may use its cookie', () => {
  const cors = new Cors(settingsOf({ corsOrigins: ['*', APP] }))
  expect(cors.headersFor(from(APP))).toMatchObject({ [ALLOW]: APP, [CREDENTIALS]: 'true' })
  expect(cors.headersFor(from('https://other.example'))).toMatchObject({
    ...{ [ALLOW]: '*', vary: 'Origin' },
  })
})

test('one origin has one object, whatever else is replaced in the settings', () => {
  const settings = settingsOf({ corsOrigins: [APP] })
  const cors = new Cors(settings)
  const before = cors.headersFor(from(APP))
  settings.replace({ ...CONFIG, userIdMax: 5, corsOrigins: [APP] })
  expect(cors.headersFor(from(APP))).toBe(before)
})

test('an origin that was taken out of the list and comes back has its object of before', () => {
  const settings = settingsOf({ corsOrigins: [APP] })
  const cors = new Cors(settings)
  const before = cors.headersFor(from(APP))
  settings.replace({ ...CONFIG, corsOrigins: [] })
  expect(cors.headersFor(from(APP))).toBeNull()
  settings.replace({ ...CONFIG, corsOrigins: ['https://other.example', APP] })
  expect(cors.headersFor(from(APP))).toBe(before)
})

test('a list that was replaced counts from then on', () => {
  const settings = settingsOf({ corsOrigins: [APP] })
  const cors = new Cors(settings)
  expect(cors.headersFor(from(APP))).toHaveProperty(ALLOW)
  settings.replace({ ...CONFIG, corsOrigins: ['https://other.example'] })
  expect(cors.headersFor(from(APP))).toEqual({ vary: 'Origin' })
})

describe('without keys, and for this machine alone', () => {
  const controlAddress = { hostname: '127.0.0.1', port: 8_001 }
  const LOCAL = { controlAddress }

  test.each(['http://127.0.0.1:8001', 'http://localhost:8001', 'http://[::1]:8001'])(
    'a page of the control port, as %s, may read, without its cookie',
    (origin) => {
      const cors = new Cors(settingsOf(LOCAL))
      expect(cors.headersFor(from(origin))).toMatchObject({ [ALLOW]: origin, vary: 'Origin' })
      expect(cors.headersFor(from(origin))).not.toHaveProperty(CREDENTIALS)
      expect(cors.preflightFor(from(origin))).toMatchObject({ [ALLOW]: origin })
    },
  )

  test.each([
    'http://127.0.0.1:8000',
    'http://localhost:3000',
    'http://evil.example:8001',
    'http://127.0.0.1.evil.example:8001',
    'https://127.0.0.1:8001',
    'null',
    null,
  ])('a page of %p may not, and no answer says more than before', (origin) => {
    const cors = new Cors(settingsOf(LOCAL))
    expect([cors.headersFor(from(origin)), cors.preflightFor(from(origin))]).toEqual([null, {}])
  })

  test('nor may it if there are keys, if everyone may read, or if the port is elsewhere', () => {
    const page = from('http://127.0.0.1:8001')
    for (const others of [
      { identity: identityOf() },
      { anonymous: true },
      { controlAddress: { hostname: '0.0.0.0', port: 8_001 } },
      { controlAddress: { hostname: 'localhost', port: 0, socketPath: '/run/comet.sock' } },
    ]) {
      expect(new Cors(settingsOf({ ...LOCAL, ...others })).headersFor(page)).toBeNull()
    }
  })

  test('a list is beside it', () => {
    const cors = new Cors(settingsOf({ ...LOCAL, corsOrigins: [APP, 'http://localhost:8001'] }))
    expect(cors.headersFor(from(APP))).toHaveProperty(CREDENTIALS)
    expect(cors.headersFor(from('http://localhost:8001'))).toHaveProperty(CREDENTIALS)
    expect(cors.headersFor(from('http://127.0.0.1:8001'))).not.toHaveProperty(CREDENTIALS)
    expect(cors.headersFor(from('https://evil.example'))).toEqual({ vary: 'Origin' })
  })
})

describe('a page that asks for what browsers keep from no page', () => {
  const asks = (fields: Readonly<Record<string, string>>, corsOrigins: readonly string[] = []) =>
    new Cors(settingsOf({ corsOrigins })).allowsPage({ header: (name) => fields[name] ?? null })

  test('may be of the own origin, or of one in the list, or of any if all may', () => {
    expect(asks({ origin: 'http://comet.example:8000', host: 'comet.example:8000' })).toBe(true)
    expect(asks({ origin: APP, host: 'comet.example' }, [APP])).toBe(true)
    expect(asks({ origin: 'null', host: 'comet.example' }, ['*'])).toBe(true)
  })

  test('may not be of another one', () => {
    expect(asks({ origin: APP, host: 'comet.example' })).toBe(false)
    expect(asks({ origin: 'https://evil.example', host: 'comet.example' }, [APP])).toBe(false)
    expect(asks({ origin: 'null', host: 'comet.example' }, [APP])).toBe(false)
  })

  test('may be of the control port of a server that is for its own machine alone', () => {
    const controlAddress = { hostname: '127.0.0.1', port: 8_001 }
    const cors = new Cors(settingsOf({ controlAddress }))
    const asking = (origin: string) => {
      const fields: Record<string, string> = { origin, host: '127.0.0.1:8000' }
      return cors.allowsPage({ header: (name) => fields[name] ?? null })
    }
    expect(asking('http://localhost:8001')).toBe(true)
    expect(asking('http://evil.example:8001')).toBe(false)
  })

  test('is none where no origin is named, as by all clients that are no browsers', () => {
    expect(asks({ host: 'comet.example' })).toBe(true)
  })
})
