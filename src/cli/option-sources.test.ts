// Goal: the value that counts is that of the first source that has one.
// Method: options of every kind, given in every combination of sources.

import { describe, expect, test } from 'bun:test'
import { count, flag, list, text } from './option.ts'
import { type Given, type OptionTable, resolveOptions, variableOf } from './option-sources.ts'

const OPTIONS = {
  users: count('10k', 'users', { max: 1_000_000 }),
  name: text('name', null, 'a name'),
  alias: text('alias', null, 'another'),
  quiet: flag('say nothing'),
  visit: list(count(null, 'visits', { max: 9 })),
}

const TABLE: OptionTable = { path: ['try'], options: OPTIONS }

function given(some: Partial<Given>): Given {
  return { flags: {}, environment: {}, file: null, ...some }
}

function resolution(some: Partial<Given>, conflicts: OptionTable['conflicts'] = []) {
  const result = resolveOptions({ ...TABLE, conflicts }, given(some))
  if (!result.ok) throw new Error(result.why.join())
  return result.value
}

function inFile(table: Record<string, unknown>) {
  return { path: 'comet.toml', table }
}

describe('the name in the environment', () => {
  test.each([
    [['serve'], 'max-users', 'COMET_MAX_USERS'],
    [['flood'], 'rate', 'COMET_FLOOD_RATE'],
    [['friends', 'load'], 'db', 'COMET_FRIENDS_LOAD_DB'],
  ])('of %p, --%s is %s', (path, option, variable) => {
    expect(variableOf(path, option)).toBe(variable)
  })
})

describe('of several sources the first counts', () => {
  const places = {
    flags: { users: '1' },
    environment: { COMET_TRY_USERS: '2' },
    file: inFile({ users: 3 }),
  }
  test.each([
    [['flags', 'environment', 'file'], 1, '--users'],
    [['flags', 'file'], 1, '--users'],
    [['environment', 'file'], 2, 'COMET_TRY_USERS'],
    [['file'], 3, 'comet.toml'],
    [[], 10_000, 'default'],
  ] as const)('of %p', (names, value, from) => {
    const some = Object.fromEntries(names.map((name) => [name, places[name]]))
    expect(resolution(some)['users']).toMatchObject({ value, from })
  })

  test('and an empty variable is no value', () => {
    expect(resolution({ environment: { COMET_TRY_NAME: '' } })['name']).toMatchObject({
      value: null,
      from: 'not set',
    })
  })
})

describe('a flag', () => {
  test.each([
    ['true', true],
    ['1', true],
    ['YES', true],
    ['on', true],
    ['false', false],
    ['0', false],
    ['no', false],
    ['off', false],
  ])('may be %s in the environment', (word, value) => {
    expect(resolution({ environment: { COMET_TRY_QUIET: word } })['quiet']).toMatchObject({ value })
  })

  test('is a boolean in a file', () => {
    expect(resolution({ file: inFile({ quiet: true }) })['quiet']).toMatchObject({ value: true })
    expect(
      resolution({ flags: { quiet: true }, file: inFile({ quiet: false }) })['quiet'],
    ).toMatchObject({
      value: true,
      from: '--quiet',
    })
  })
})

describe('an option of several values', () => {
  test.each([
    [{ flags: { visit: ['1', '2'] } }, [1, 2]],
    [{ environment: { COMET_TRY_VISIT: '1\n2\n' } }, [1, 2]],
    [{ file: inFile({ visit: [1, '2'] }) }, [1, 2]],
    [{ file: inFile({ visit: 3 }) }, [3]],
    [{}, []],
  ])('given as %j is %p', (some, value) => {
    expect(resolution(some)['visit']).toMatchObject({ value })
  })
})

describe('an invalid value is refused with its source', () => {
  test.each([
    [
      { environment: { COMET_TRY_USERS: 'many' } },
      'users of COMET_TRY_USERS: expected a whole number',
    ],
    [{ file: inFile({ users: 2_000_000 }) }, 'users of comet.toml: expected a whole number'],
    [{ file: inFile({ users: true }) }, 'users of comet.toml'],
    [{ file: inFile({ users: [1] }) }, 'users of comet.toml'],
    [{ file: inFile({ quiet: 'maybe' }) }, 'quiet of comet.toml: expected true or false'],
    [{ file: inFile({ quiet: 1 }) }, 'quiet of comet.toml: expected true or false'],
    [
      { file: inFile({ visit: [1, 10] }) },
      'visit of comet.toml: expected for each: a whole number',
    ],
    [{ environment: { COMET_TRY_VISIT: '1,2' } }, 'visit of COMET_TRY_VISIT: expected for each:'],
  ])('%j', (some, why) => {
    expect(resolveOptions(TABLE, given(some))).toMatchObject({
      ok: false,
      why: [expect.stringContaining(why)],
    })
  })

  test('but not in a source that does not count', () => {
    const some = { flags: { users: '1' }, environment: { COMET_TRY_USERS: 'many' } }
    expect(resolution(some)['users']).toMatchObject({ value: 1 })
  })
})

describe('of two options of which one may be given', () => {
  const conflicts = [['name', 'alias']] as const

  test('the one of the earlier source counts', () => {
    const flags = { alias: 'x' }
    const environment = { COMET_TRY_NAME: 'y' }
    const { name, alias } = resolution({ flags, environment }, conflicts)
    expect([name?.value, name?.from, alias?.value]).toEqual([null, 'not set', 'x'])
    const file = inFile({ alias: 'z' })
    const other = resolution({ environment, file }, conflicts)
    expect([other['name']?.value, other['alias']?.value]).toEqual(['y', null])
  })

  test('the other is as if it were left out, so that its default stays', () => {
    const some = { flags: { name: 'x' }, environment: { COMET_TRY_USERS: '3' } }
    const { users } = resolution(some, [['name', 'users']])
    expect(users).toEqual(resolution({})['users'])
  })

  test('both of the same source are refused', () => {
    const flags = { name: 'x', alias: 'y' }
    expect(resolveOptions({ ...TABLE, conflicts }, given({ flags }))).toEqual({
      ok: false,
      why: ['give --name or --alias, not both'],
    })
  })

  test('neither need be given', () => {
    expect(resolution({}, conflicts)['name']?.value).toBeNull()
  })
})
