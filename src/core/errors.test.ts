// Goal: the table of errors is consistent, and every error has the same shape. Method: checks of
// all rows, and the schema against the values that the helper makes.

import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { ERRORS, ErrorBody, type ErrorCode, errorBody } from './errors.ts'

const CODES = Object.keys(ERRORS) as ErrorCode[]

describe('the table of errors', () => {
  test.each(CODES)('%s is a lower-case code with an error status', (code) => {
    expect(code).toMatch(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/)
    expect(ERRORS[code].status).toBeWithin(400, 600)
  })

  test('has server errors only for a bug, the database, the bus, a bound and a stop', () => {
    const codes = CODES.filter((code) => ERRORS[code].status >= 500)
    expect(codes).toEqual([
      'internal',
      'storage_failed',
      'bus_unavailable',
      'too_many_names',
      'too_many_keys',
      'too_many_tickets',
      'too_many_readers',
      'draining',
      'outcome_unknown',
    ])
  })
})

describe('an error body', () => {
  test.each(CODES)('with %s fits the schema', (code) => {
    const body = errorBody({ code, message: 'Why.' })
    expect(body).toEqual({ error: { code, message: 'Why.' } })
    expect(Value.Check(ErrorBody, body)).toBe(true)
  })

  test('with a code that is not in the table does not fit', () => {
    expect(Value.Check(ErrorBody, { error: { code: 'oops', message: 'Why.' } })).toBe(false)
  })

  test('has only the code and message of a failure', () => {
    const failure = { code: 'internal' as const, message: 'Why.', stack: 'secret' }
    expect(errorBody(failure)).toEqual({ error: { code: 'internal', message: 'Why.' } })
  })
})
