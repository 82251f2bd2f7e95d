// Goal: the search for a rate listens where the messages go. Method: a table of options.

import { expect, test } from 'bun:test'
import { streamsOf } from './gen.ts'
import { parseUserNames } from './user-names.ts'

test.each([
  [null, '', 'http://127.0.0.1:8000/test/{id}'],
  [null, 'user-{id}.x', 'http://127.0.0.1:8000/stream/user-{id}.x?format=raw'],
  ['10.0.0.9:80', '', 'http://10.0.0.9:80/test/{id}'],
  ['10.0.0.9:80', 'user-{id}.x', 'http://10.0.0.9:80/stream/user-{id}.x?format=raw'],
  ['10.0.0.9:80/sub/{id}', 'user-{id}.x', 'http://10.0.0.9:80/sub/{id}'],
  ['http://host/sub/{id}', 'user-{id}.x', 'http://host/sub/{id}'],
])('with --streams %p and names %p, streams are at %s', (streams, names, url) => {
  const userNames = parseUserNames(names) ?? null
  expect(streamsOf({ streams, 'user-names': userNames })).toBe(url)
})
