// Goal: a file is taken if all of it is known, and everything that is wrong with one is told at once.
// Method: files of every kind, held against a small tree of commands.

import { describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { readConfigFile, tableOf } from './config-file.ts'
import { address, count, flag } from './option.ts'

const TREE = {
  serve: { options: { listen: address(':8000', 'port'), 'max-users': count('10', 'users') } },
  friends: { commands: { load: { options: { json: flag('as JSON') } } } },
}

function read(text: string) {
  const folder = mkdtempSync(`${tmpdir()}/comet-config-`)
  try {
    writeFileSync(`${folder}/f.toml`, text)
    const result = readConfigFile(`${folder}/f.toml`, TREE)
    return result.ok
      ? result.table
      : result.complaints.map((each) => each.replace(`${folder}/`, ''))
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

describe('what is wrong is told', () => {
  test.each([
    ['[serv]\n', 'f.toml: there is no table [serv]; did you mean serve?'],
    ['[friends.laod]\n', 'f.toml: there is no table [friends.laod]; did you mean load?'],
    [
      '[serve]\nmax_users = 1\n',
      'f.toml: there is no option max_users in [serve]; did you mean max-users?',
    ],
    ['[serve]\nnonsense = 1\n', 'f.toml: there is no option nonsense in [serve]'],
    ['[serve]\nconstructor = 1\n', 'f.toml: there is no option constructor in [serve]'],
    ['listen = ":80"\n', "f.toml: listen is in no command's table; listen belongs under [serve]"],
    [
      '[friends]\njson = true\n',
      "f.toml: friends.json is in no command's table; json belongs under [friends.load]",
    ],
    ['listn = 1\n', "f.toml: listn is in no command's table; did you mean listen?"],
    [
      '[serve]\njson = true\n',
      'f.toml: there is no option json in [serve]; json belongs under [friends.load]',
    ],
    ['serve = 1979-05-27\n', 'f.toml: serve is to be a table, [serve]'],
    ['serve = 1\n', 'f.toml: serve is to be a table, [serve]'],
    ['[friends]\nload = 1\n', 'f.toml: friends.load is to be a table, [friends.load]'],
  ])('%j', (text, complaint) => {
    expect(read(text)).toEqual([complaint])
  })

  test('all of it at once', () => {
    expect(read('[serve]\nlisten = "x"\nmax-users = "many"\n[flod]\n')).toHaveLength(3)
  })

  test('with what an option takes', () => {
    expect(read('[serve]\nlisten = "x"\n')).toEqual([
      expect.stringMatching(/^f\.toml: listen in \[serve\]: it takes an address like/),
    ])
  })

  test('of a file that is no TOML, or not there', () => {
    expect(read('[serve\n')).toEqual([expect.stringMatching(/^f\.toml: this is not TOML: /)])
    expect(readConfigFile('/nonexistent/f.toml', TREE)).toEqual({
      ok: false,
      complaints: ['/nonexistent/f.toml is not there'],
    })
  })
})
