// Goal: the cookie comes from the first place that has one, nobody else may read it, and it gets into no
// sentence and stays in no environment. Method: options, variables and files of every sort, in a home folder
// of the test's own.

import { describe, expect, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { erlangLimits } from '../core/limits.ts'
import {
  cookieOf,
  Environment,
  NAMED,
  node,
  type Options,
  SECRET,
  wish,
} from './erlang-options.fixture.ts'

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
    // It is no more in the environment.
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
    ['a cookie that cannot be had', { ...NAMED, 'erlang-cookie-file': '/nonexistent' }],
  ])('is out of the environment afterwards: %s', (_, options) => {
    using environment = new Environment({ COMET_ERLANG_COOKIE: SECRET })
    wish(options)
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

  test('may be as long as Erlang has it, of any printable characters', () => {
    using environment = new Environment()
    const cookie = `!~ "'`.padEnd(erlangLimits.cookieLengthMax, 'x')
    expect(cookieOf({ 'erlang-cookie': cookie })).toBe(cookie)
    expect(cookieOf({ 'erlang-cookie-file': environment.file(file, cookie) })).toBe(cookie)
  })

  test('may be read by nobody else', () => {
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

  test('is refused where it cannot be had', () => {
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
    ['one with a tab', `${SECRET}\ttab`, 'has characters that no cookie has'],
    ['one with a line', `${SECRET}\nline`, 'has characters that no cookie has'],
    ['one that is not ASCII', `${SECRET}é`, 'has characters that no cookie has'],
    ['one with a delete', `${SECRET}\u007f`, 'has characters that no cookie has'],
  ])('refused is %s, wherever it comes from, and it is not repeated', (_, cookie, why) => {
    using environment = new Environment()
    const path = environment.file(file, Buffer.from(cookie))
    const inFile = `the cookie in ${path} ${why}`
    expect(cookieOf({ 'erlang-cookie-file': path })).toBe(inFile)
    expect(wish({ ...NAMED, 'erlang-cookie': cookie })).toEqual({ why: `the cookie ${why}` })
    if (cookie === '') return
    process.env['COMET_ERLANG_COOKIE'] = cookie
    expect(cookieOf()).toBe(`the cookie ${why}`)
  })

  test('is in no sentence that refuses something else', () => {
    using environment = new Environment()
    const path = environment.file(file, SECRET, 0o644)
    const refused: Partial<Options>[] = [
      { 'erlang-cookie': SECRET },
      { ...NAMED, 'erlang-cookie-file': path },
      { ...NAMED, 'erlang-cookie': SECRET, 'erlang-node': node('comet@localhost') },
      { ...NAMED, 'erlang-cookie': SECRET, 'erlang-node': node('comet@127.0.0.1') },
    ]
    for (const options of refused) {
      process.env['COMET_ERLANG_COOKIE'] = SECRET
      const result = wish(options)
      expect(result).toContainKey('why')
      expect('why' in result && result.why).not.toContain(SECRET)
    }
  })
})
