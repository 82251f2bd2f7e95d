// Goal: a client that stops reading costs a bounded amount of memory and no time of anyone else's.
// Method: stop reading on a real socket and publish until the server gives the stream up.

import { expect, test } from 'bun:test'
import { serve, waitFor } from './comet.ts'
import { chunk, RawClient } from './socket.ts'

const OUTBOX_BYTES = 64 * 1024

test('a stream that is not read is cut once its outbox is full, and the others do not notice', async () => {
  await using server = await serve(['--outbox', '64KiB'])
  await using bystander = await RawClient.stream(server.publicPort, 1)
  await using slow = await RawClient.stream(server.publicPort, 2)
  slow.pause()

  const body = 'x'.repeat(16_000)
  let delivered = 0
  let queuedMax = 0
  await waitFor('the slow stream to be closed', async () => {
    for (let each = 0; each < 20; each++) {
      delivered += await server.publish({ to: 2, body })
      await server.publish({ to: 1, body: `tick ${delivered}.${each}` })
    }
    const stats = await server.stats()
    queuedMax = Math.max(queuedMax, stats.outbox.queuedBytes)
    return stats.streams.closed.slow === 1
  })

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
  expect(server.words()).toContain('User 2 read too slowly')
  expect(server.words()).not.toContain('xxxx')

  // Cut, not ended: what it was promised did not arrive, and it must be able to tell.
  slow.resume()
  await slow.ended()
  expect(slow.text.endsWith('0\r\n\r\n')).toBe(false)
  // Only what waited in comet is counted; what was lost in the kernel's buffers comes on top.
  const lost = delivered - Math.floor(slow.bytes / chunk(body).length)
  expect(lost).toBeGreaterThanOrEqual(undelivered)
})

test('a stream that reads slowly but does read loses nothing', async () => {
  await using server = await serve()
  await using reader = await RawClient.stream(server.publicPort, 1)
  const body = 'y'.repeat(60_000)
  // More than the kernel holds in all, in steps that its buffers and the outbox can hold.
  for (let round = 0; round < 8; round++) {
    reader.pause()
    for (let each = 0; each < 20; each++) expect(await server.publish({ to: 1, body })).toBe(1)
    reader.resume()
    const wanted = (round + 1) * 20 * chunk(body).length
    await waitFor('the reader to catch up', () => reader.bytes > wanted)
  }
  expect((await server.stats()).streams.closed.slow).toBe(0)
})
