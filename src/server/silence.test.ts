// Goal: how long a silent client has, in the kernel's whole seconds. Method: a table. That the kernel goes
// by it, the end-to-end tests show.

import { expect, test } from 'bun:test'
import { FakeClock } from '../core/time.fixture.ts'
import { Log } from './log.ts'
import { askSilent, probesOf } from './silence.ts'

test.each([
  [120_000, 120, 15],
  [60_000, 60, 8],
  [1_000, 1, 1],
  [1, 1, 1],
  [3_600_000, 3_600, 450],
])('after %p ms of silence', (keepaliveMs, idleSeconds, everySeconds) => {
  expect(probesOf(keepaliveMs)).toEqual({ idleSeconds, everySeconds, count: 4 })
})

test('a port that nobody listens on is told of, unless nobody is to be asked', () => {
  const lines: string[] = []
  const log = new Log({
    format: 'json',
    clock: new FakeClock(),
    write: (line) => lines.push(line) > 0,
  })
  const address = { hostname: '127.0.0.1', port: 1 }
  askSilent(0, log)(address)
  expect(lines).toEqual([])
  askSilent(1_000, log)(address)
  expect(lines.map((line) => JSON.parse(line).event)).toEqual(['keepalive'])
})
