// Goal: which servers the bus takes. Method: a table of answers to `INFO`, some of them garbage.

import { expect, test } from 'bun:test'
import { parseInfo, whyUnusable } from './redis-info.ts'

const RUN_ID = '0123456789abcdef0123456789abcdef01234567'

function infoOf(lines: Readonly<Record<string, string>>) {
  const fields = { redis_version: '7.0.15', run_id: RUN_ID, role: 'master', ...lines }
  const text = Object.entries(fields).map(([name, value]) => `${name}:${value}`)
  return parseInfo(`# Server\r\n${text.join('\r\n')}\r\n`)
}

test.each([
  [{}, null],
  [{ valkey_version: '8.1.0' }, null],
  [{ redis_version: '6.2.9' }, 'Redis 6.2.9; the bus needs version 7'],
  [{ role: 'slave' }, 'It is a replica'],
  [{ loading: '1' }, 'still loading'],
])('a server that says %j can be used, or it is said why not', (lines, expected) => {
  const info = infoOf(lines)
  if (!info.ok) throw new Error(info.why)
  const why = whyUnusable(info.value, 7)
  if (expected === null) expect(why).toBeNull()
  else expect(why).toContain(expected)
})

test.each([
  null,
  7,
  '',
  'role:master',
  ['a'],
  `redis_version:x\r\nrun_id:${RUN_ID}\r\nrole:master`,
])('%j is no answer to INFO', (answer) => {
  expect(parseInfo(answer).ok).toBe(false)
})
