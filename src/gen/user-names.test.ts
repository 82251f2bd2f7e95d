// Goal: only texts are taken that give each user a valid name, and what is wrong with others is
// named. Method: tables of texts, and names of the greatest length.

import { describe, expect, test } from 'bun:test'
import { OK, refused } from '../core/result.ts'
import { checkLengths, parseUserNames, whyNoNames } from './user-names.ts'

describe('names by number', () => {
  test.each([
    ['user-{id}', 'user-', ''],
    ['{id}@example', '', '@example'],
    ['room:{id}.1', 'room:', '.1'],
    ['7{id}_', '7', '_'],
  ])('may be %s', (text, before, after) => {
    expect(parseUserNames(text)).toEqual({ before, after })
  })

  test.each([
    ['', 'this has no {id}'],
    ['alice', 'this has no {id}'],
    ['user-{ID}', 'this has no {id}'],
    ['{id}-{id}', 'this has {id} more than once'],
    ['{id}', 'this gives numbers, which are no names'],
    ['0{id}7', 'this gives numbers, which are no names'],
    ['user {id}', 'no name has the character " "'],
    ['user/{id}', 'no name has the character "/"'],
    ['user-{id}}', 'no name has the character "}"'],
    ['a"{id}', String.raw`no name has the character "\""`],
    ['é{id}', 'no name has the character "é"'],
    ['😀{id}', 'no name has the character "😀"'],
    ['a{id}\n', String.raw`no name has the character "\n"`],
  ])('may not be %p: %s', (text, why) => {
    expect(whyNoNames(text)).toBe(why)
    expect(parseUserNames(text)).toBeUndefined()
  })

  test('may have as many characters as a name has, with the highest number', () => {
    const names = { before: 'x'.repeat(60), after: '' }
    expect(checkLengths(names, 9_999)).toEqual(OK)
    const why = '--user-names gives user 10000 a name of 65 characters, and a name has at most 64'
    expect(checkLengths(names, 10_000)).toEqual(refused(why))
  })
})
