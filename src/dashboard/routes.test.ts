// Goal: the page loads nothing and holds no figure, figures are sent on request, and text stands
// out from its background. Method: the routes without a port; contrasts are computed from the style
// itself.

import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { identityOf, settingsOf } from '../hub/settings.fixture.ts'
import type { ServerConfig } from '../hub/settings.ts'
import { secretKey } from '../identity/keys.ts'
import type { Live } from './live.ts'
import { dashboardRoutes } from './routes.ts'
import { FakeServer } from './sample.fixture.ts'
import { Sampler } from './sampler.ts'

function serving(isLocked = false, config: Partial<ServerConfig> = {}) {
  const server = new FakeServer()
  const sampler = new Sampler(server.source, server.machine)
  sampler.take()
  const settings = settingsOf(config)
  const app = dashboardRoutes({ sampler, isLocked, settings, publicPort: () => 8_000 })
  const get = (path: string, host = '127.0.0.1:8001') =>
    app.handle(new Request(`http://localhost${path}`, { headers: { host } }))
  const live = async (path: string) => (await (await get(path)).json()) as Live
  return { server, sampler, get, live }
}

describe('the page', () => {
  test('may run only its own script, and contact only its own server', async () => {
    const { get } = serving()
    const response = await get('/')
    const html = await response.text()
    const policy = response.headers.get('content-security-policy') ?? ''
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(policy).toStartWith("default-src 'none'; script-src 'sha256-")
    expect(policy).toContain("connect-src 'self'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toContain('unsafe')
    for (const [element, directive] of [
      ['script', 'script-src'],
      ['style', 'style-src'],
    ]) {
      const [, text = ''] = new RegExp(`<${element}>(.*?)</${element}>`, 's').exec(html) ?? []
      expect(text.length).toBeGreaterThan(2_000)
      const hash = new Bun.CryptoHasher('sha256').update(text).digest('base64')
      expect(policy).toContain(`${directive} 'sha256-${hash}'`)
    }
    expect(html).not.toMatch(/ on[a-z]+=|<script [^>]*src|javascript:|<style[^>]* [^>]*>|url\(/)
    expect(html).toContain('Leon Sorokin')
  })

  test('has in it whether it needs a token', async () => {
    expect(await (await serving(false).get('/')).text()).toContain('data-lock="open"')
    expect(await (await serving(true).get('/')).text()).toContain('data-lock="locked"')
  })
})

describe('/try', () => {
  const CONTROL = { controlAddress: { hostname: '127.0.0.1', port: 8_001 } }

  test('may run only its own script, and contact only the two ports', async () => {
    const { get } = serving(false, CONTROL)
    const response = await get('/try', 'localhost:8001')
    const html = await response.text()
    const policy = response.headers.get('content-security-policy') ?? ''
    const connected = "connect-src 'self' http://localhost:8000 ws://localhost:8000;"
    expect(policy).toStartWith("default-src 'none'; script-src 'sha256-")
    expect(policy).toContain(connected)
    expect(policy).not.toContain('unsafe')
    const [, script = ''] = /<script>(.*?)<\/script>/s.exec(html) ?? []
    const hash = new Bun.CryptoHasher('sha256').update(script).digest('base64')
    expect(policy).toContain(`script-src 'sha256-${hash}'`)
    expect(html).toContain('data-streams="http://localhost:8000"')
    expect(html).not.toMatch(/ on[a-z]+=|<script [^>]*src|javascript:/)
  })

  test('has the host that it is asked for as it is', async () => {
    const html = await (await serving(false, CONTROL).get('/try', 'a$&b$`c:8001')).text()
    expect(html).toContain('data-streams="http://a$&b$`c:8000"')
  })

  const KEYS = { identity: identityOf(secretKey('x'.repeat(32))) }
  const LISTED = { corsOrigins: ['http://127.0.0.1:8001'] }
  const TLS = { certificate: { cert: '', key: '' } }

  test.each([
    ['without keys', {}, { foreign: 'no', tickets: 'no' }],
    ['for everyone', { anonymous: true }, { foreign: 'yes', tickets: 'no' }],
    ['with keys', KEYS, { foreign: 'yes', tickets: 'yes' }],
    ['with keys and a list', { ...KEYS, ...LISTED }, { foreign: 'no', tickets: 'yes' }],
    ['for everyone and every page', { anonymous: true, corsOrigins: ['*'] }, { foreign: 'no' }],
    ['with a heartbeat', { heartbeatMs: 7_000 }, { heartbeat: '7000' }],
    ['with TLS', TLS, { streams: 'https://127.0.0.1:8000' }],
  ])('knows how it may read from a server %s', async (_, config, expected) => {
    const html = await (await serving(false, { ...CONTROL, ...config }).get('/try')).text()
    for (const [name, value] of Object.entries(expected)) {
      expect(html).toContain(`data-${name}="${value}"`)
    }
  })
})

describe('/dashboard/live', () => {
  test('has all samples, or those since a time', async () => {
    const { server, sampler, live } = serving()
    for (let second = 0; second < 3; second++) {
      server.clock.advance(1_000)
      sampler.take()
    }
    const { now, seconds } = await live('/dashboard/live')
    expect(now).toMatchObject({ state: 'ready', limit: 1_000, warnings: [] })
    expect(now.subscriptions).toEqual({ subscriptions: 3, subjects: 2 })
    expect(seconds.times).toHaveLength(3)
    const later = await live(`/dashboard/live?since=${seconds.times[1]}`)
    expect(later.seconds.times).toEqual(seconds.times.slice(2))
    expect(later.seconds.values.messageRate).toEqual([0])
  })

  test('has warnings of the last minute', async () => {
    const { server, sampler, live } = serving()
    const codes = async () => (await live('/dashboard/live')).now.warnings.map(({ code }) => code)
    server.input.rejected = 7
    server.clock.advance(1_000)
    sampler.take()
    expect(await codes()).toEqual(['rejected'])
    for (let second = 0; second < 60; second++) {
      server.clock.advance(1_000)
      sampler.take()
    }
    expect(await codes()).toEqual([])
  })

  test('counts what was lost since the start, and lately', async () => {
    const { server, sampler, live } = serving()
    server.host = { ...server.host, totals: { ...server.host.totals, undelivered: 4 } }
    server.clock.advance(1_000)
    sampler.take()
    const { now } = await live('/dashboard/live')
    expect([now.totals.lost, now.lostLately]).toEqual([4, 4])
    for (let second = 0; second < 60; second++) {
      server.clock.advance(1_000)
      sampler.take()
    }
    const later = (await live('/dashboard/live')).now
    expect([later.totals.lost, later.lostLately]).toEqual([4, 0])
  })

  test('rejects a time that is not a number', async () => {
    const response = await serving().get('/dashboard/live?since=yesterday')
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { code: 'invalid_query' } })
  })
})

describe('colors', () => {
  const css = readFileSync(`${import.meta.dir}/../report/report.css`, 'utf8')
  const [light = '', dark = ''] = [...css.matchAll(/:root \{([^}]*)\}/g)].map(([, rules]) => rules)

  function colorIn(rules: string, name: string): string {
    return new RegExp(`--${name}: (#[0-9a-f]{6});`).exec(rules)?.[1] ?? 'missing'
  }

  /** WCAG 2.2, relative luminance. */
  function luminance(color: string): number {
    const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
      const part = Number.parseInt(color.slice(at, at + 2), 16) / 255
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }

  function contrast(one: string, other: string): number {
    const [least = 0, most = 0] = [luminance(one), luminance(other)].toSorted((a, b) => a - b)
    return (most + 0.05) / (least + 0.05)
  }

  // Text needs 4.5 (success criterion 1.4.3), curves and borders of fields 3 (1.4.11).
  const texts = ['ink', 'muted', 'blue', 'green', 'bad'].map((name) => [name, 4.5] as const)
  const shapes = ['orange', 'purple', 'pink'].map((name) => [name, 3] as const)
  test.each([...texts, ...shapes])('%s stands out by %p, in light and dark', (name, least) => {
    for (const rules of [light, dark]) {
      for (const ground of ['ground', 'card']) {
        expect(contrast(colorIn(rules, name), colorIn(rules, ground))).toBeGreaterThan(least)
      }
    }
  })
})
