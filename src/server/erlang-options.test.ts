// Goal: options and environment become a node's configuration, or one sentence that says why not.
// The cookie comes from the first source that has one, no other user may read it, and it appears in
// no message and stays in no environment. Method: every option alone and together, in an
// environment of the test's own.

import { describe, expect, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { erlangLimits } from '../core/limits.ts'
import {
  configured,
  cookieOf,
  Environment,
  type ErlangOptions,
  NAMED,
  node,
  SECRET,
} from './erlang-options.fixture.ts'
import { ERLANG_OPTIONS, erlangConfig } from './erlang-options.ts'

describe('the configuration of a node', () => {
  test('is none without an option, regardless of the environment', () => {
    using _ = new Environment({ COMET_ERLANG_COOKIE: SECRET, ERL_EPMD_PORT: 'none' })
    expect(configured()).toEqual({ ok: true, value: null })
    expect(configured({ 'erlang-tick': 1_000 })).toEqual({ ok: true, value: null })
  })

  test('needs a name and a cookie to wait for other nodes', () => {
    using _ = new Environment()
    expect(configured({ ...NAMED, 'erlang-cookie': SECRET })).toEqual({
      ok: true,
      value: {
        ...{ name: node('comet@localhost'), peer: null, cookie: SECRET, listen: null },
        ...{ tickTimeMs: 60_000, epmdPort: 4369, required: false },
      },
    })
  })

  test('has every option in it', () => {
    using environment = new Environment({ ERL_EPMD_PORT: '4370' })
    const listen = { hostname: '127.0.0.1', port: 7 }
    const options: ErlangOptions = {
      'erlang-node': node('other@localhost'),
      'erlang-name': node('comet@localhost'),
      'erlang-cookie-file': environment.file('cookie', SECRET),
      'erlang-cookie': null,
      'erlang-listen': listen,
      'erlang-tick': 7_000,
      'erlang-required': true,
    }
    expect(erlangConfig(options)).toEqual({
      ok: true,
      value: {
        ...{ name: node('comet@localhost'), peer: node('other@localhost'), cookie: SECRET },
        ...{ listen, tickTimeMs: 7_000, epmdPort: 4370, required: true },
      },
    })
  })

  test('has the port of epmd from the variable that Erlang reads', () => {
    for (const [variable, port] of [
      ['', 4369],
      ['1', 1],
      ['65535', 65_535],
    ] as const) {
      using _ = new Environment({ ERL_EPMD_PORT: variable })
      const result = configured({ ...NAMED, 'erlang-cookie': SECRET })
      expect(result).toMatchObject({ value: { epmdPort: port } })
    }
  })
})

describe('options that are refused', () => {
  test.each([
    ['erlang-node', { 'erlang-node': node('other@localhost') }],
    ['erlang-cookie-file', { 'erlang-cookie-file': 'f' }],
    ['erlang-cookie', { 'erlang-cookie': SECRET }],
    ['erlang-listen', { 'erlang-listen': { hostname: '127.0.0.1', port: 0 } }],
    ['erlang-required', { 'erlang-required': true }],
  ])('--%s without a name', (option, options) => {
    using _ = new Environment()
    const why = `--${option} requires --erlang-name, the name of this server as a node`
    expect(configured(options)).toEqual({ ok: false, why })
  })

  test.each([
    ['comet@localhost', 'other@host.example'],
    ['comet@host.example', 'other@localhost'],
    ['comet@localhost', 'other@127.0.0.1'],
  ])('a long name together with a short one: %s and %s', (name, peer) => {
    using _ = new Environment()
    const options = { 'erlang-name': node(name), 'erlang-node': node(peer) }
    expect(configured({ ...options, 'erlang-cookie': SECRET })).toEqual({
      ok: false,
      why:
        `${name} and ${peer} cannot talk: Erlang connects nodes whose hosts have dots (-name), ` +
        'or nodes whose hosts have none (-sname)',
    })
  })

  test('the name of the other node as its own', () => {
    using _ = new Environment()
    expect(configured({ ...NAMED, 'erlang-node': node('comet@localhost') })).toEqual({
      ok: false,
      why: '--erlang-name must differ from --erlang-node',
    })
  })

  test.each(['0', '65536', '-1', '1.5', 'epmd', ' '])('%p as the port of epmd', (port) => {
    using _ = new Environment({ ERL_EPMD_PORT: port })
    expect(configured({ ...NAMED, 'erlang-cookie': SECRET })).toEqual({
      ok: false,
      why: 'ERL_EPMD_PORT in the environment is not a port',
    })
  })
})

describe('an option that names a node', () => {
  test.each(['erlang-node', 'erlang-name'] as const)(
    '--%s takes a name and nothing else',
    (name) => {
      const { parse, fallback } = ERLANG_OPTIONS[name]
      expect([parse('a@b')?.full, parse('a'), fallback]).toEqual(['a@b', undefined, null])
    },
  )
})

const file = 'given'

describe('the cookie', () => {
  test('comes from the option, before the environment and the home', () => {
    using environment = new Environment({ COMET_ERLANG_COOKIE: 'environment' })
    environment.file('.erlang.cookie', 'home')
    expect(cookieOf({ 'erlang-cookie': 'option' })).toBe('option')
  })

  test('comes from the file that is named, before the environment and the home', () => {
    using environment = new Environment({ COMET_ERLANG_COOKIE: 'environment' })
    environment.file('.erlang.cookie', 'home')
    expect(cookieOf({ 'erlang-cookie-file': environment.file(file, 'file') })).toBe('file')
  })

  test('comes from the environment, before the home', () => {
    using environment = new Environment({ COMET_ERLANG_COOKIE: 'environment' })
    environment.file('.erlang.cookie', 'home')
    expect(cookieOf()).toBe('environment')
    // It is not in the environment any more.
    expect(cookieOf()).toBe('home')
  })

  test('comes from the home where the environment has an empty one', () => {
    using environment = new Environment({ COMET_ERLANG_COOKIE: '' })
    environment.file('.erlang.cookie', 'home')
    expect(cookieOf()).toBe('home')
  })

  test('comes from a file that the environment names', () => {
    using environment = new Environment()
    process.env['COMET_ERLANG_COOKIE_FILE'] = environment.file(file, 'file')
    environment.file('.erlang.cookie', 'home')
    expect(cookieOf()).toBe('file')
    expect(cookieOf({ 'erlang-cookie': 'option' })).toBe('option')
  })

  test.each([
    ['a node', { ...NAMED, 'erlang-cookie': 'x' }],
    ['no node', {}],
    ['a cookie file that is missing', { ...NAMED, 'erlang-cookie-file': '/nonexistent' }],
  ])('is removed from the environment: %s', (_, options) => {
    using environment = new Environment({ COMET_ERLANG_COOKIE: SECRET })
    configured(options)
    expect([process.env['COMET_ERLANG_COOKIE'], process.env['HOME']]).toEqual([
      ...[undefined, environment.home],
    ])
  })

  test.each([
    ['\n', SECRET],
    ['\r\n', SECRET],
    ['', SECRET],
  ])('in a file may have %p behind it', (end, cookie) => {
    using environment = new Environment()
    environment.file('.erlang.cookie', `${SECRET}${end}`)
    expect(cookieOf()).toBe(cookie)
  })

  test('may be as long as in Erlang, of any printable characters', () => {
    using environment = new Environment()
    const cookie = `!~ "'`.padEnd(erlangLimits.cookieLengthMax, 'x')
    expect(cookieOf({ 'erlang-cookie': cookie })).toBe(cookie)
    expect(cookieOf({ 'erlang-cookie-file': environment.file(file, cookie) })).toBe(cookie)
  })

  test('is refused if other users can read its file', () => {
    for (const mode of [0o440, 0o404, 0o644, 0o600 | 0o020, 0o402, 0o410]) {
      using environment = new Environment()
      const path = environment.file('.erlang.cookie', SECRET, mode)
      expect(cookieOf()).toBe(`the cookie file ${path} can be read by others; chmod 400 ${path}`)
    }
    for (const mode of [0o400, 0o600, 0o700]) {
      using environment = new Environment()
      environment.file('.erlang.cookie', SECRET, mode)
      expect(cookieOf()).toBe(SECRET)
    }
  })

  test('is refused if its file is missing or a folder', () => {
    using environment = new Environment()
    const path = join(environment.home, '.erlang.cookie')
    const another = 'name another with --erlang-cookie-file'
    expect(cookieOf()).toBe(`the cookie file ${path} is not there; ${another}`)
    mkdirSync(path, { mode: 0o700 })
    expect(cookieOf()).toBe(`the cookie file ${path} is no file; ${another}`)
  })

  test('is refused when it is given twice', () => {
    using environment = new Environment()
    const options = { 'erlang-cookie': SECRET, 'erlang-cookie-file': environment.file(file, 'x') }
    const why = 'give --erlang-cookie or --erlang-cookie-file, not both'
    expect(cookieOf(options)).toBe(why)
  })

  test.each([
    ['an empty one', '', 'is empty'],
    ['a long one', SECRET.repeat(20), 'is longer than 255 characters'],
    ['one with a tab', `${SECRET}\ttab`, 'has characters that a cookie cannot have'],
    ['one with a line', `${SECRET}\nline`, 'has characters that a cookie cannot have'],
    ['one that is not ASCII', `${SECRET}é`, 'has characters that a cookie cannot have'],
    ['one with a delete', `${SECRET}\u007f`, 'has characters that a cookie cannot have'],
  ])('is refused without being shown, from any source: %s', (_, cookie, why) => {
    using environment = new Environment()
    const path = environment.file(file, Buffer.from(cookie))
    const inFile = `the cookie in ${path} ${why}`
    expect(cookieOf({ 'erlang-cookie-file': path })).toBe(inFile)
    expect(configured({ ...NAMED, 'erlang-cookie': cookie })).toEqual({
      ok: false,
      why: `the cookie ${why}`,
    })
    if (cookie === '') return
    process.env['COMET_ERLANG_COOKIE'] = cookie
    expect(cookieOf()).toBe(`the cookie ${why}`)
  })

  test('does not appear in a message about another option', () => {
    using environment = new Environment()
    const path = environment.file(file, SECRET, 0o644)
    const refused: Partial<ErlangOptions>[] = [
      { 'erlang-cookie': SECRET },
      { ...NAMED, 'erlang-cookie-file': path },
      { ...NAMED, 'erlang-cookie': SECRET, 'erlang-node': node('comet@localhost') },
      { ...NAMED, 'erlang-cookie': SECRET, 'erlang-node': node('comet@127.0.0.1') },
    ]
    for (const options of refused) {
      process.env['COMET_ERLANG_COOKIE'] = SECRET
      const result = configured(options)
      expect(result.ok).toBe(false)
      expect(JSON.stringify(result)).not.toContain(SECRET)
    }
  })
})
