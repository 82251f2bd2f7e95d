// Goal: a client that stops reading costs a bounded amount of memory, and other streams nothing.
// Method: stop reading on a real socket and publish until the server cuts the stream.

import { afterEach, describe, expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { chunk, RawClient } from '../../support/raw-client.ts'
import { noProcessIsLeft, serveWorkers } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

const OUTBOX_BYTES = 64 * 1024

test('a stream that is not read is cut once its outbox is full, and others go on', async () => {
  await using server = await serve(['--outbox', '64KiB'])
  await using bystander = await RawClient.stream(server.publicPort, 1)
  await using slow = await RawClient.stream(server.publicPort, 2)
  slow.pause()

  const body = 'x'.repeat(16_000)
  let delivered = 0
  let queuedMax = 0
  await waitFor(
    'the slow stream to be closed',
    async () => {
      for (let each = 0; each < 20; each++) {
        delivered += await server.publish({ to: 2, body })
        await server.publish({ to: 1, body: `tick ${delivered}.${each}` })
      }
      const stats = await server.stats()
      queuedMax = Math.max(queuedMax, stats.outbox.queuedBytes)
      return stats.streams.closed.slow === 1
    },
    60_000,
  )

  // The kernel's buffers took megabytes; the outbox at most what it may.
  expect(delivered).toBeGreaterThan(10)
  expect(queuedMax).toBeLessThanOrEqual(OUTBOX_BYTES)
  const stats = await server.stats()
  expect(stats.outbox.queuedBytes).toBe(0)
  const { undelivered } = stats.deliveries
  expect(undelivered).toBeGreaterThan(0)
  expect(undelivered * body.length).toBeLessThanOrEqual(OUTBOX_BYTES)
  expect(stats.streams.open).toBe(1)
  expect(await server.publish({ to: 2, body })).toBe(0)

  expect(await server.publish({ to: 1, body: 'after all' })).toBe(1)
  await bystander.received(chunk('after all'))
  await server.logged('User 2 read too slowly')
  expect(server.stderr).not.toContain('xxxx')

  // Cut, not ended: what it was promised did not arrive, and it must be able to tell.
  slow.resume()
  await slow.ended()
  expect(slow.text.endsWith('0\r\n\r\n')).toBe(false)
  // Only what waited in comet is counted as messages; of what the kernel had, the bytes are.
  const lost = delivered - Math.floor(slow.bytes / chunk(body).length)
  expect(lost).toBeGreaterThanOrEqual(undelivered)
})

/** Milliseconds in which Linux acknowledges all that it has (`TCP_DELACK_MAX`), twice as many. */
const ACKNOWLEDGED_MS_MAX = 400

/** Publishes to these users, whose clients do not read, until the kernel takes no more of each. */
async function publishUntilFull(
  server: CometServer,
  users: readonly number[],
  body: string,
): Promise<void> {
  for (const to of users) {
    const { queuedBytes } = (await server.stats()).outbox
    await waitFor('a message to wait in comet', async () => {
      await server.publish({ to, body })
      return (await server.stats()).outbox.queuedBytes > queuedBytes
    })
  }
}

/** Publishes to these users, whose clients do not read, until all are cut. */
async function publishUntilCut(
  server: CometServer,
  users: readonly number[],
  body: string,
): Promise<void> {
  await waitFor(
    'all slow streams to be closed',
    async () => {
      for (let each = 0; each < 20; each++) {
        for (const to of users) await server.publish({ to, body })
      }
      return (await server.stats()).streams.closed.slow === users.length
    },
    60_000,
  )
}

describe.each([
  ['one process', () => serve(['--outbox', '64KiB'])],
  ['workers', () => serveWorkers(['--outbox', '64KiB'])],
])('with %s', (_, start) => {
  test.each([4_000, 16_000])(
    '/stats counts what is lost by cutting slow streams, in messages of %i bytes',
    async (bytes) => {
      await using server = await start()
      await using bystander = await RawClient.stream(server.publicPort, 1)
      // Two at the same address, so that one could be taken for the other.
      await using slow = await RawClient.stream(server.publicPort, 2)
      await using slower = await RawClient.stream(server.publicPort, 3)
      const clients = [slow, slower]
      for (const client of clients) client.pause()
      const before = slow.bytes + slower.bytes
      const body = 'x'.repeat(bytes)
      await publishUntilFull(server, [2, 3], body)
      // What a client's machine has, it acknowledges late (RFC 1122 section 4.2.3.2).
      await Bun.sleep(ACKNOWLEDGED_MS_MAX)
      await publishUntilCut(server, [2, 3], body)
      const { deliveries, streams } = await server.stats()
      expect(streams.unmeasured).toBe(0)
      for (const client of clients) {
        client.resume()
        // Linux lets a client read what its machine had acknowledged before the reset.
        await client.ended()
      }
      const each = chunk(body).length
      const lost = deliveries.delivered * each - (slow.bytes + slower.bytes - before)
      const { undelivered, unacknowledgedBytes } = deliveries
      // Of each stream one message may be in the kernel in part, and one in Bun.
      const unknown = lost - undelivered * each - unacknowledgedBytes
      expect(unacknowledgedBytes).toBeGreaterThan(lost / 2)
      expect(Math.abs(unknown)).toBeLessThanOrEqual(2 * 2 * each)
      expect(await server.publish({ to: 1, body: 'after all' })).toBe(1)
      await bystander.received(chunk('after all'))
    },
  )
})

test('a stream that is read slowly but is read loses nothing', async () => {
  await using server = await serve()
  await using reader = await RawClient.stream(server.publicPort, 1)
  const body = 'y'.repeat(60_000)
  // More than the kernel holds in all, in steps that its buffers and the outbox can hold.
  for (let round = 0; round < 32; round++) {
    reader.pause()
    for (let each = 0; each < 5; each++) expect(await server.publish({ to: 1, body })).toBe(1)
    reader.resume()
    const wanted = (round + 1) * 5 * chunk(body).length
    await waitFor('the reader to catch up', () => reader.bytes > wanted)
  }
  expect((await server.stats()).streams.closed.slow).toBe(0)
})
