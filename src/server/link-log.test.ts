// Goal: the log tells of a lost Redis and of one that is back, and not thousands of times of one
// that takes connections and nothing else. Method: the states of a link by hand, and short times.

import { expect, test } from 'bun:test'
import { Log } from '../core/log.ts'
import { parseRedisUrl } from '../core/redis-address.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import { LinkLog } from './link-log.ts'

const STEADY_MS = 20
const FULL = 'MISCONF Errors writing to the AOF file.'

function setUp() {
  const lines: string[] = []
  const clock = new FakeClock()
  const address = parseRedisUrl('redis://127.0.0.1')
  if (!address.ok) throw new Error(address.why)
  const log = new Log({ format: 'json', clock, write: (line) => lines.push(line) > 0 })
  const links = new LinkLog({ address: address.value, log, clock, steadyMs: STEADY_MS })
  const change = (isConnected: boolean) => {
    const why = isConnected ? null : FULL
    links.onChange({ isConnected, why, sinceMs: 0, failures: 1, info: null })
  }
  links.onStarted()
  return {
    ...{ links, clock },
    lose: () => change(false),
    connect: () => change(true),
    events: () => lines.map((line) => JSON.parse(line).event.replace('bus_', '')),
  }
}

test('a Redis that was lost and is back is told of at once, each time', () => {
  const { clock, lose, connect, events } = setUp()
  for (let time = 0; time < 2; time++) {
    lose()
    connect()
    clock.advance(STEADY_MS)
  }
  expect(events()).toEqual(['connected', 'lost', 'connected', 'lost', 'connected'])
})

test('one that ends each connection soon is lost, until one has lasted', async () => {
  const { clock, lose, connect, events } = setUp()
  for (let time = 0; time < 1_000; time++) {
    lose()
    connect()
  }
  expect(events()).toEqual(['connected', 'lost', 'connected', 'lost'])
  clock.advance(STEADY_MS)
  await until('it is told that it is back', () => events().length > 4)
  expect(events().slice(4)).toEqual(['connected'])
  lose()
  connect()
  expect(events().slice(5)).toEqual(['lost', 'connected'])
})

test('nothing is told once it is closed', async () => {
  const { links, lose, connect, events } = setUp()
  for (let time = 0; time < 2; time++) {
    lose()
    connect()
  }
  links.close()
  lose()
  await Bun.sleep(2 * STEADY_MS)
  expect(events()).toEqual(['connected', 'lost', 'connected', 'lost'])
})
