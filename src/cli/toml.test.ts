// Goal: a message about a file that is no TOML names the place, and shows no secret.
// Method: a table of files with one mistake each.

import { describe, expect, test } from 'bun:test'
import { parseToml } from './toml.ts'

const parsed = (text: string) => parseToml(text, ['erlang-cookie'])

test('a file is read', () => {
  expect(parsed('[serve]\nlisten = ":80" # a port\n')).toEqual({ serve: { listen: ':80' } })
  expect(parsed('')).toEqual({})
})

describe('what is no TOML is told with its line and column', () => {
  test.each([
    ['[serve]\noutbox = 64KiB\n', 'line 2, column 12: ', ': outbox = 64KiB'],
    ['[serve\n', 'line 1, column 7: ', ': [serve'],
    ['[serve]\r\na = 1\r\na = 2\r\n', 'line 3, column 1: trying to redefine', ': a = 2'],
    ['[serve]\na = 1 b = 2\n', 'line 2, column 7: ', ': a = 1 b = 2'],
    ['[serve]\na = \u001b[31m\n', 'line 2, column 5: ', ': a = ?[31m'],
  ])('%j', (text, where, line) => {
    expect(parsed(text)).toStartWith(`this is not TOML: ${where}`)
    expect(parsed(text)).toEndWith(line)
  })
})

test('a line that is very long is cut', () => {
  expect(String(parsed(`a = ${'x'.repeat(5_000)}`)).length).toBeLessThan(300)
})

describe('no secret is shown', () => {
  test.each([
    'erlang-cookie = "hush\n',
    "erlang-cookie = 'hush\n",
    'erlang-cookie = "it\'s hush\n',
    'erlang-cookie = "x" "hush"\n',
    'erlang-cookie = hush\n',
    'erlang_cookie = hush\n',
    'erlang-cooki=hush\n',
    'erlang-cookie = """\nhush \u0001\n"""\n',
    'erlang-cookie = """\nhush\n',
    "erlang-cookie = '''\nhush' \u0001\n'''\n",
    '"erlang-cookie" = hush\n',
  ])('of %j', (text) => {
    expect(parsed(text)).toStartWith('this is not TOML: line ')
    expect(parsed(text)).not.toContain('hush')
  })
})
