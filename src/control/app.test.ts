// Goal: a bug that a request meets, in each of the ways that a request takes, is reported and
// answered in JSON. Method: the control port itself, over a router that fails when the test says
// so.

import { expect, test } from 'bun:test'
import { Elysia } from 'elysia'
import { answersIn } from '../../scripts/support/answers.ts'
import { RawClient } from '../../scripts/support/raw-client.ts'
import { systemClock } from '../core/clock.ts'
import { until } from '../core/time.fixture.ts'
import { listening } from '../http/listener.fixture.ts'
import { LocalOutlet } from '../hub/outlet.ts'
import { routerOptions } from '../hub/router.fixture.ts'
import { Router } from '../hub/router.ts'
import { settingsOf } from '../hub/settings.fixture.ts'
import { storeFor } from '../hub/stream.fixture.ts'
import { type ControlOptions, controlPort } from './app.ts'

const MESSAGE = '{"to":1,"body":"x"}'

class FailingRouter extends Router {
  how: 'throws' | 'rejects' = 'throws'

  override ready(): Promise<void> | null {
    return this.how === 'rejects' ? Promise.reject(new Error('a bug')) : null
  }

  override send(): never {
    throw new Error('a bug')
  }
}

function opened() {
  const settings = settingsOf({ bodyTimeoutMs: 60_000 })
  const outlet = new LocalOutlet(storeFor())
  const router = new FailingRouter(routerOptions(outlet, { settings }))
  const clock = systemClock
  const options = {
    // The routes that need them are not asked.
    ...({ subscriptions: {}, users: {}, stats: {} } as unknown as ControlOptions),
    settings,
    messages: {
      ...{ router, routerForAll: router, clock, settings },
      ...{ isDraining: () => false, onRejected: () => undefined },
    },
    dashboard: () => new Elysia(),
  }
  const bugs: string[] = []
  const onBug = (error: unknown) => bugs.push((error as Error).message)
  const control = controlPort(options, { authorize: () => null }, onBug)
  return { router, bugs, port: listening({ ...control, onBug }) }
}

test.each([
  ['throws', 'whole', `Content-Length: ${MESSAGE.length}\r\n\r\n${MESSAGE}`],
  ['rejects', 'whole', `Content-Length: ${MESSAGE.length}\r\n\r\n${MESSAGE}`],
  ['throws', 'in chunks', `Transfer-Encoding: chunked\r\n\r\n13\r\n${MESSAGE}\r\n0\r\n\r\n`],
] as const)('a message that %s, and has come %s, is a bug in JSON', async (how, _, rest) => {
  const { router, bugs, port } = opened()
  await using _port = port
  router.how = how
  using client = await RawClient.open(port.port, `POST /messages HTTP/1.1\r\nHost: x\r\n${rest}`)
  await until('the end', () => client.ending === 'cut')
  const [answer] = answersIn(client.text).answers
  expect([answer?.status, answer?.fields.get('connection')]).toEqual([500, 'close'])
  expect(answer?.fields.get('content-type')).toBe('application/json;charset=utf-8')
  expect(JSON.parse(answer?.body ?? '')).toMatchObject({ error: { code: 'internal' } })
  expect(bugs).toEqual(['a bug'])
})
