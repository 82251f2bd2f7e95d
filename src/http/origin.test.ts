// Goal: a page of the port's own origin is known, and no other is taken for one.

import { expect, test } from 'bun:test'
import { isOwnOrigin } from './origin.ts'

function from(fields: Readonly<Record<string, string>>) {
  return { header: (name: string) => fields[name] ?? null }
}

test.each([
  { origin: 'http://example.com', host: 'example.com' },
  { origin: 'https://example.com', host: 'EXAMPLE.com' },
  { origin: 'https://example.com', host: 'example.com:443' },
  { origin: 'http://example.com:8000', host: 'example.com:8000' },
  { origin: 'http://[::1]:8000', host: '[::1]:8000' },
  { 'sec-fetch-site': 'same-origin', origin: 'https://example.com', host: 'upstream:8000' },
  { 'sec-fetch-site': 'same-origin' },
])('%j is of its own origin', (fields) => {
  expect(isOwnOrigin(from(fields))).toBe(true)
})

test.each([
  {},
  { host: 'example.com' },
  { origin: 'http://example.com' },
  { origin: 'null', host: 'null' },
  { origin: 'http://evil.example', host: 'example.com' },
  { origin: 'http://example.com.evil', host: 'example.com' },
  { origin: 'http://example.com:8001', host: 'example.com:8000' },
  { origin: 'https://example.com', host: 'example.com:80' },
  { origin: 'chrome-extension://example.com', host: 'example.com' },
  { origin: 'http://evil.example', host: 'evil.example@example.com' },
  { 'sec-fetch-site': 'same-site', origin: 'http://a.example.com', host: 'example.com' },
])('%j is not', (fields) => {
  expect(isOwnOrigin(from(fields))).toBe(false)
})
