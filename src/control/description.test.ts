// Goal: the description of the port is valid, names every route and says all that a client needs.
// Method: what the server answers, by the linter of Redocly and by hand.

import { describe, expect, test } from 'bun:test'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import { Elysia } from 'elysia'
import type { OpenAPIV3_1 as OpenApi } from 'openapi-types'
import { type ControlOptions, describePort } from './app.ts'
import { OPERATIONS } from './description.ts'

const METHODS = ['get', 'put', 'post', 'delete', 'patch', 'head', 'options']

// No route is asked.
const document = await describePort({
  ...({ messages: {}, users: {}, subscriptions: {}, stats: {} } as unknown as ControlOptions),
  dashboard: () => new Elysia(),
})

/** Each operation, by its method and path. */
function operations(): [name: string, OpenApi.OperationObject][] {
  return Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    Object.entries(item ?? {})
      .filter(([method]) => METHODS.includes(method))
      .map(([method, of]) => [`${method} ${path}`, of as OpenApi.OperationObject] as const)
      .map(([name, of]): [string, OpenApi.OperationObject] => [name, of]),
  )
}

test('Redocly finds nothing to say of it', async () => {
  const config = await createConfig({ extends: ['recommended'] })
  const problems = await lintFromString({ source: JSON.stringify(document), config })
  expect(problems.map(({ ruleId, message }) => `${ruleId}: ${message}`)).toEqual([])
})

test('every route has a name of its own', () => {
  const names = operations().map(([name]) => name)
  expect(names.toSorted()).toEqual(Object.keys(OPERATIONS).toSorted())
  const ids = operations().map(([, { operationId }]) => operationId)
  expect(new Set(ids).size).toBe(ids.length)
  for (const id of ids) expect(id).toMatch(/^[a-z][A-Za-z]+$/)
})

describe('every route', () => {
  test.each(operations())(
    '%s says what it is refused for, and by whom it may be asked',
    (name, of) => {
      const isOpen = /livez|readyz/.test(name)
      const statuses = Object.keys(of.responses ?? {})
      expect(statuses).toContain('403')
      expect(statuses).toContain('421')
      expect(statuses.includes('401')).toBe(!isOpen)
      expect(of.security).toEqual(isOpen ? [] : undefined)
    },
  )
})

test('lists have the parameters of their pages', () => {
  const parametersOf = (name: string) =>
    operations()
      .find(([of]) => of === name)?.[1]
      .parameters?.map((each) => ('name' in each ? each.name : ''))
  expect(parametersOf('get /users')).toEqual(['after', 'limit'])
  expect(parametersOf('get /users/{id}/subscribers')).toEqual(['id', 'after', 'limit'])
  expect(parametersOf('delete /users/{id}/streams')).toEqual(['id', 'note'])
})
