// Goal: a file is accepted if all of it is known, and everything that is wrong with one is reported
// at once, with its place and without a secret. Method: files of every kind, and a few commands.

import { describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { success } from '../core/result.ts'
import { parseToml, readConfigFile, tableOf } from './config-file.ts'
import { address, count, flag } from './option.ts'
import type { OptionTable } from './option-sources.ts'

const TABLES: OptionTable[] = [
  {
    path: ['serve'],
    options: { listen: address(':8000', 'port'), 'max-users': count('10', 'users') },
  },
  { path: ['friends', 'load'], options: { json: flag('as JSON') } },
]

function read(text: string) {
  const folder = mkdtempSync(`${tmpdir()}/comet-config-`)
  try {
    writeFileSync(`${folder}/f.toml`, text)
    const result = readConfigFile(`${folder}/f.toml`, TABLES)
    return result.ok ? result.value : result.why.map((each) => each.replace(`${folder}/`, ''))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('tables of commands, and of commands of commands, are found', () => {
  const table = read('[serve]\nmax-users = 5\n[friends.load]\njson = true\n')
  if (Array.isArray(table)) throw new Error(table.join())
  expect(tableOf(table as Record<string, unknown>, ['serve'])).toEqual({ 'max-users': 5 })
  expect(tableOf(table as Record<string, unknown>, ['friends', 'load'])).toEqual({ json: true })
  expect(tableOf(table as Record<string, unknown>, ['flood'])).toBeUndefined()
  expect(tableOf(table as Record<string, unknown>, ['friends', 'export'])).toBeUndefined()
})

test('an empty file is one', () => {
  expect(read('')).toEqual({})
  expect(read('# nothing\n')).toEqual({})
})

describe('a mistake is reported', () => {
  test.each([
    ['[serv]\n', 'f.toml: unknown table [serv]; did you mean serve?'],
    ['[friends.laod]\n', 'f.toml: unknown table [friends.laod]; did you mean load?'],
    [
      '[serve]\nmax_users = 1\n',
      'f.toml: unknown option max_users in [serve]; did you mean max-users?',
    ],
    ['[serve]\nnonsense = 1\n', 'f.toml: unknown option nonsense in [serve]'],
    ['[serve]\nconstructor = 1\n', 'f.toml: unknown option constructor in [serve]'],
    [
      'listen = ":80"\n',
      'f.toml: listen is not in the table of a command; listen belongs in [serve]',
    ],
    [
      '[friends]\njson = true\n',
      'f.toml: friends.json is not in the table of a command; json belongs in [friends.load]',
    ],
    ['listn = 1\n', 'f.toml: listn is not in the table of a command; did you mean listen?'],
    [
      '[serve]\njson = true\n',
      'f.toml: unknown option json in [serve]; json belongs in [friends.load]',
    ],
    ['serve = 1979-05-27\n', 'f.toml: serve must be a table, [serve]'],
    ['serve = 1\n', 'f.toml: serve must be a table, [serve]'],
    ['[friends]\nload = 1\n', 'f.toml: friends.load must be a table, [friends.load]'],
  ])('%j', (text, complaint) => {
    expect(read(text)).toEqual([complaint])
  })

  test('with all others', () => {
    expect(read('[serve]\nlisten = "x"\nmax-users = "many"\n[flod]\n')).toHaveLength(3)
  })

  test('with the values that an option takes', () => {
    expect(read('[serve]\nlisten = "x"\n')).toEqual([
      expect.stringMatching(/^f\.toml: listen in \[serve\]: expected an address like/),
    ])
  })

  test('in a file that is not TOML, or not there', () => {
    expect(read('[serve\n')).toEqual([expect.stringMatching(/^f\.toml: this is not TOML: /)])
    expect(readConfigFile('/nonexistent/f.toml', TABLES)).toEqual({
      ok: false,
      why: ['/nonexistent/f.toml is not there'],
    })
  })
})

const parsed = (text: string) => parseToml(text, ['erlang-cookie'])

const failureOf = (text: string) => {
  const result = parsed(text)
  return result.ok ? '' : result.why
}

test('a TOML file is parsed', () => {
  expect(parsed('[serve]\nlisten = ":80" # a port\n')).toEqual(
    success({ serve: { listen: ':80' } }),
  )
  expect(parsed('')).toEqual(success({}))
})

describe('text that is not TOML is reported with its line and column', () => {
  test.each([
    ['[serve]\noutbox = 64KiB\n', 'line 2, column 12: ', ': outbox = 64KiB'],
    ['[serve\n', 'line 1, column 7: ', ': [serve'],
    ['[serve]\r\na = 1\r\na = 2\r\n', 'line 3, column 1: trying to redefine', ': a = 2'],
    ['[serve]\na = 1 b = 2\n', 'line 2, column 7: ', ': a = 1 b = 2'],
    ['[serve]\na = \u001b[31m\n', 'line 2, column 5: ', ': a = ?[31m'],
  ])('%j', (text, where, line) => {
    expect(failureOf(text)).toStartWith(`this is not TOML: ${where}`)
    expect(failureOf(text)).toEndWith(line)
  })
})

test('a line that is very long is cut', () => {
  expect(failureOf(`a = ${'x'.repeat(5_000)}`).length).toBeWithin(1, 300)
})

describe('a message shows no secret', () => {
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
    expect(failureOf(text)).toStartWith('this is not TOML: line ')
    expect(failureOf(text)).not.toContain('hush')
  })
})
