// Goal: the text of a field is what was written, whatever stands around it. Method: examples, and
// arbitrary JSON in arbitrary objects.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { rawField, rawItems } from './json.ts'

describe('the text of a field', () => {
  test.each([
    [
      'a number with more digits than a double has',
      '{"data":12345678901234567890}',
      '12345678901234567890',
    ],
    ['a number as it is written', '{"data":1.0e2,"to":1}', '1.0e2'],
    ['a string with quotes and braces', '{"a":"}","data":"\\"},{"}', '"\\"},{"'],
    ['an object, on one line', '{"data":{\n "a": [1,\r\n2]}\n}', '{  "a": [1,  2]}'],
    ['null', ' {"data" : null }', 'null'],
    ['the last of two', '{"data":1,"data":2}', '2'],
    ['a name with an escape', '{"\\u0064ata":3}', '3'],
    ['not the one of an inner object', '{"x":{"data":1},"data":2,"y":[{"data":3}]}', '2'],
  ])('is %s', (_, json, text) => {
    expect(rawField(json, 'data')).toBe(text)
  })

  test('has the value that JSON.parse reads, and no line end', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.jsonValue(),
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.constantFrom(undefined, 1, '\t'),
        (before, data, after, space) => {
          const json = JSON.stringify({ ...before, data, ...after }, null, space)
          const text = rawField(json, 'data')
          expect(JSON.parse(text)).toEqual((JSON.parse(json) as { data: unknown }).data)
          expect(text).not.toMatch(/[\n\r]/)
        },
      ),
    )
  })
})

test('an object without the field is a bug', () => {
  expect(() => rawField('{"a":1}', 'data')).toThrow('no field data')
  expect(() => rawField('{}', 'data')).toThrow('no field data')
})

describe('the items of an array', () => {
  test.each([
    ['[]', []],
    [' [ ] ', []],
    ['[1.0]', ['1.0']],
    ['[{"a":[1,2]}, "],[" ,\n[[]]]', ['{"a":[1,2]}', '"],["', '[[]]']],
  ])('of %s are their texts', (json, items) => {
    expect(rawItems(json)).toEqual(items)
  })

  test('have the values that JSON.parse reads', () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue()),
        fc.constantFrom(undefined, 1, '\t'),
        (values, space) => {
          const json = JSON.stringify(values, null, space)
          expect(rawItems(json).map((item) => JSON.parse(item))).toEqual(JSON.parse(json))
        },
      ),
    )
  })
})
