// Goal: options and environment come to a node's configuration, or to one plain sentence that says why not.
// Method: every option alone and all together, and every refusal by its words, in an environment of the
// test's own.

import { describe, expect, test } from 'bun:test'
import { Environment, NAMED, node, type Options, SECRET, wish } from './erlang-options.fixture.ts'
import { ERLANG_OPTIONS, erlangWish } from './erlang-options.ts'

describe('a wish', () => {
  test('without any option is for no node, whatever the environment says', () => {
    using _ = new Environment({ COMET_ERLANG_COOKIE: SECRET, ERL_EPMD_PORT: 'none' })
    expect(wish()).toEqual({ config: null })
    expect(wish({ 'erlang-tick': 1_000 })).toEqual({ config: null })
  })

  test('with a name and a cookie is for a node that waits for others', () => {
    using _ = new Environment()
    expect(wish({ ...NAMED, 'erlang-cookie': SECRET })).toEqual({
      config: {
        ...{ name: node('comet@localhost'), peer: null, cookie: SECRET, listen: null },
        ...{ tickTimeMs: 60_000, mapperPort: 4369, required: false },
      },
    })
  })

  test('with every option has each of them in it', () => {
    using environment = new Environment({ ERL_EPMD_PORT: '4370' })
    const listen = { hostname: '127.0.0.1', port: 7 }
    const options: Options = {
      'erlang-node': node('other@localhost'),
      'erlang-name': node('comet@localhost'),
      'erlang-cookie-file': environment.file('cookie', SECRET),
      'erlang-cookie': null,
      'erlang-listen': listen,
      'erlang-tick': 7_000,
      'erlang-required': true,
    }
    expect(erlangWish(options)).toEqual({
      config: {
        ...{ name: node('comet@localhost'), peer: node('other@localhost'), cookie: SECRET },
        ...{ listen, tickTimeMs: 7_000, mapperPort: 4370, required: true },
      },
    })
  })

  test('takes the port mapper where Erlang takes it', () => {
    for (const [variable, port] of [
      ['', 4369],
      ['1', 1],
      ['65535', 65_535],
    ] as const) {
      using _ = new Environment({ ERL_EPMD_PORT: variable })
      const result = wish({ ...NAMED, 'erlang-cookie': SECRET })
      expect(result).toMatchObject({ config: { mapperPort: port } })
    }
  })
})

describe('refused is', () => {
  test.each([
    ['erlang-node', { 'erlang-node': node('other@localhost') }],
    ['erlang-cookie-file', { 'erlang-cookie-file': 'f' }],
    ['erlang-cookie', { 'erlang-cookie': SECRET }],
    ['erlang-listen', { 'erlang-listen': { hostname: '127.0.0.1', port: 0 } }],
    ['erlang-required', { 'erlang-required': true }],
  ])('--%s without a name', (option, options) => {
    using _ = new Environment()
    const why = `--${option} needs --erlang-name, the name of this server as a node`
    expect(wish(options)).toEqual({ why })
  })

  test.each([
    ['comet@localhost', 'other@host.example'],
    ['comet@host.example', 'other@localhost'],
    ['comet@localhost', 'other@127.0.0.1'],
  ])('a long name with a short one: %s and %s', (name, peer) => {
    using _ = new Environment()
    const options = { 'erlang-name': node(name), 'erlang-node': node(peer) }
    expect(wish({ ...options, 'erlang-cookie': SECRET })).toEqual({
      why:
        `${name} and ${peer} cannot talk: Erlang connects nodes whose hosts have dots (-name), ` +
        'or nodes whose hosts have none (-sname)',
    })
  })

  test('the name of the other node for its own', () => {
    using _ = new Environment()
    expect(wish({ ...NAMED, 'erlang-node': node('comet@localhost') })).toEqual({
      why: '--erlang-name is to be another one than --erlang-node',
    })
  })

  test.each(['0', '65536', '-1', '1.5', 'epmd', ' '])('%p for the port of the mapper', (port) => {
    using _ = new Environment({ ERL_EPMD_PORT: port })
    expect(wish({ ...NAMED, 'erlang-cookie': SECRET })).toEqual({
      why: 'ERL_EPMD_PORT in the environment is no port',
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
