// Goal: `--post` takes addresses that messages can be posted to. Method: addresses and other texts.

import { expect, test } from 'bun:test'
import { isPostTemplate } from './command.ts'

test.each([
  ['http://127.0.0.1:8080/pub/{id}', true],
  ['http://host/pub?id={id}', true],
  ['http://host/everybody', true],
  ['https://host/{id}', false],
  ['nonsense', false],
  ['127.0.0.1:8080/{id}', false],
])('isPostTemplate of %s is %p', (template, is) => {
  expect(isPostTemplate(template)).toBe(is)
})
