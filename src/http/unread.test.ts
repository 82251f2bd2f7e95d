// Goal: a connection goes on behind an answer only if the request's body was read. Method: a real
// port and a raw client; what refuses a message while the server is stopping is the route itself.

import { expect, test } from 'bun:test'
import { RawClient } from '../../scripts/support/raw-client.ts'
import { messageRoutes } from '../control/messages.ts'
import { systemClock } from '../core/clock.ts'
import { until } from '../core/time.fixture.ts'
import { LocalOutlet } from '../hub/outlet.ts'
import { Router } from '../hub/router.ts'
import { settingsOf } from '../hub/settings.fixture.ts'
import { storeFor } from '../hub/stream.fixture.ts'
import { FollowersIndex } from '../subscriptions/followers.ts'
import { closingUnread, listen } from './listener.ts'

type Fetch = (request: Request) => Response | Promise<Response>

function listening(fetch: Fetch) {
  const result = listen({
    isShared: false,
    addresses: [{ hostname: '127.0.0.1', port: 0 }],
    fetch: (request) => closingUnread(request, fetch(request)),
    idleTimeoutSeconds: () => 30,
    onError: (error) => {
      throw error
    },
  })
  if (!result.ok) throw new Error(result.why)
  return result.value
}

const GONE_ON = async () => {
  await Bun.sleep(1)
  return new Response('yes')
}
const READ = async (request: Request) => new Response(await request.text())
const READ_LATER = async (request: Request) => {
  await Bun.sleep(1)
  return READ(request)
}

test.each<[string, Fetch, string[], boolean]>([
  ['at once', () => new Response('yes'), ['content-length: 3'], true],
  ['later', GONE_ON, ['content-length: 3'], true],
  ['for chunks', GONE_ON, ['transfer-encoding: chunked'], true],
  ['without a body', GONE_ON, [], false],
  ['of an empty body', GONE_ON, ['content-length: 0'], false],
  ['when the body was read', READ, ['content-length: 3'], false],
  ['when the body was read later', READ_LATER, ['content-length: 3'], false],
])('an answer given %s', async (_, fetch, headers, closes) => {
  const listener = listening(fetch)
  using client = await RawClient.request(listener.port, 'POST / HTTP/1.1', ['Host: x', ...headers])
  if (!closes && headers.includes('content-length: 3')) client.send('yes')
  const { fields } = await client.headed()
  expect(fields.get('connection') === 'close').toBe(closes)
  if (closes) await until('the connection is closed', () => client.ending === 'cut')
  await listener.stop(0)
})

test('a server that is stopping refuses a message without waiting for it', async () => {
  const router = new Router(new LocalOutlet(storeFor()), new FollowersIndex([], 0, 0), settingsOf())
  const app = messageRoutes({
    ...{ router, clock: systemClock, settings: settingsOf({ bodyTimeoutMs: 60_000 }) },
    ...{ isDraining: () => true, onRejected: () => undefined },
  })
  const listener = listening((request) => app.fetch(request))
  const headers = ['Host: test', 'content-length: 30']
  using client = await RawClient.request(listener.port, 'POST /messages HTTP/1.1', headers)
  const { status, fields } = await client.headed()
  expect([status, fields.get('connection')]).toEqual([503, 'close'])
  await until('the connection is closed', () => client.ending === 'cut')
  await listener.stop(0)
})
