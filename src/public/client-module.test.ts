// Goal: /comet.js is the client library, cached and compressed as HTTP has it. Method: the reply to
// each kind of request.

import { describe, expect, test } from 'bun:test'
import { builtModule } from '../browser/module.ts'
import { moduleReply } from './client-module.ts'

function ask(fields: Readonly<Record<string, string>> = {}, method = 'GET') {
  return moduleReply({ method, header: (name) => fields[name] ?? null })
}

test('it is a module that pages of every origin may load', () => {
  const { status, headers, body } = ask()
  expect([status, body]).toEqual([200, builtModule().text])
  expect(headers).toMatchObject({
    'content-type': 'text/javascript;charset=utf-8',
    'access-control-allow-origin': '*',
    'cache-control': 'public, max-age=3600',
  })
})

test.each([
  ['gzip, deflate, br, zstd', true],
  ['br;q=1.0, gzip;q=0.8', true],
  ['gzip;q=0', false],
  ['gzip; q=0.00, br', false],
  ['br', false],
])('for %p it is compressed: %p', (coding, isCompressed) => {
  const { headers, body } = ask({ 'accept-encoding': coding })
  expect(headers?.['content-encoding']).toBe(isCompressed ? 'gzip' : undefined)
  const bytes = Buffer.from(body ?? '')
  const text = isCompressed ? Buffer.from(Bun.gunzipSync(bytes)) : bytes
  expect(text.toString()).toBe(builtModule().text)
})

describe('a browser that has it', () => {
  const tagOf = (coding: string) => String(ask({ 'accept-encoding': coding }).headers?.['etag'])

  test.each(['gzip', 'identity'])('as %s gets no body again', (coding) => {
    for (const known of [tagOf(coding), `"other", W/${tagOf(coding)}`, '*']) {
      const fields = { 'accept-encoding': coding, 'if-none-match': known }
      const { status, headers, body } = ask(fields)
      expect([status, body]).toEqual([304, undefined])
      expect(headers?.['etag']).toBe(tagOf(coding))
    }
  })

  test('in another version gets the new one', () => {
    expect(ask({ 'if-none-match': '"other"' }).status).toBe(200)
    expect(tagOf('gzip')).not.toBe(tagOf('identity'))
  })
})

test('other methods are refused', () => {
  expect([ask({}, 'POST').status, ask({}, 'HEAD').status]).toEqual([405, 200])
})
