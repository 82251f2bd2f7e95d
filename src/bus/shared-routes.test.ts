// Goal: what the control port answers to changes of shared subscriptions while Redis is away says
// what became of them. Method: the routes, before a real Redis that is frozen and killed.

import { describe, expect, test } from 'bun:test'
import { waitFor } from '../../scripts/support/child-process.ts'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { subscriptionRoutes } from '../control/subscriptions.ts'
import { systemClock } from '../core/clock.ts'
import { settingsOf } from '../hub/settings.fixture.ts'
import { SharedNode } from './shared-node.fixture.ts'

function routesOf({ names, subscriptions }: SharedNode) {
  const app = subscriptionRoutes({
    ...{ names, subscriptions, settings: settingsOf({ subscriptionsPerUserMax: 2 }) },
    clock: systemClock,
    onStorageError: () => expect.unreachable(),
  })
  return async (method: string, path: string, body?: string | ReadableStream) => {
    const init = { method, ...(body === undefined ? {} : { body }) }
    const response = await app.handle(new Request(`http://localhost${path}`, init))
    return { status: response.status, body: await response.json() }
  }
}

describe.skipIf(!HAS_REDIS)('a change of shared subscriptions', () => {
  test('is answered by what was so before, as one of a database is', async () => {
    await using redis = await RedisServer.start()
    await using node = await SharedNode.open(redis.url, { prefix: 'comet:' })
    const ask = routesOf(node)
    const path = '/users/alice/subscriptions/news'
    expect(await ask('DELETE', path)).toEqual({ status: 200, body: { changed: false } })
    expect(await ask('PUT', path)).toEqual({ status: 200, body: { changed: true } })
    expect(await ask('PUT', path)).toEqual({ status: 200, body: { changed: false } })
    expect(await ask('POST', '/subscriptions', 'alice 1\nalice 2\nx! y\nbob news')).toMatchObject({
      status: 200,
      body: {
        ...{ lines: 4, changed: 2, unchanged: 0, rejectedCount: 2 },
        rejected: [
          { line: 2, error: { code: 'subscription_limit' } },
          { line: 3, error: { code: 'invalid_user_id' } },
        ],
      },
    })
    expect(await ask('GET', '/users/news/subscribers')).toMatchObject({
      body: { users: expect.arrayContaining(['alice', 'bob']), next: null },
    })
  })

  test('is unknown if Redis is lost meanwhile, and of many the lines before stand', async () => {
    await using redis = await RedisServer.start()
    await using node = await SharedNode.open(redis.url, { prefix: 'comet:' })
    const ask = routesOf(node)
    const body = new ReadableStream<Uint8Array>({
      type: 'bytes',
      async pull(controller) {
        if (node.subscriptions.counts().subscriptions === 0) {
          controller.enqueue(Buffer.from('1 2\n3 2\n'))
          await waitFor('the first lines', () => node.subscriptions.has(3, 2))
          return
        }
        redis.pause()
        controller.enqueue(Buffer.from('5 2\n'))
        controller.close()
      },
    })
    expect(await ask('POST', '/subscriptions', body)).toMatchObject({
      status: 504,
      body: {
        error: {
          code: 'outcome_unknown',
          message: expect.stringContaining('The batches before stand, the rest was not tried.'),
        },
        ...{ lines: 3, changed: 2 },
      },
    })
    redis.resume()
  })

  test('is refused while Redis is away, and reading goes on', async () => {
    await using redis = await RedisServer.start()
    await using node = await SharedNode.open(redis.url, { prefix: 'comet:' })
    const ask = routesOf(node)
    await ask('PUT', '/users/1/subscriptions/2')
    await redis.kill()
    await waitFor('Redis to be away', () => !node.bus.figures.link.isConnected)
    const refused = { status: 503, body: { error: { code: 'bus_unavailable' } } }
    const answers = await Promise.all([
      ask('PUT', '/users/1/subscriptions/3'),
      ask('DELETE', '/users/1/subscriptions/2'),
      ask('POST', '/subscriptions', '1 3\n'),
    ])
    for (const answer of answers) expect(answer).toMatchObject(refused)
    expect(await ask('GET', '/users/1/subscriptions')).toEqual({
      status: 200,
      body: { users: [2], next: null },
    })
  })
})
