// Goal: figures of the log say what is kept, where, and how clients came back; the dashboard shows
// them once there is something to show, and warns of a window that is too small. Method: the
// executable, driven so that every figure is known, and Chromium.

import { afterEach, describe, expect, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { opened, withChromium } from '../../support/browser.ts'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { LogStream } from '../../support/log-stream.ts'
import { scrape } from '../../support/metrics.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

const PATIENCE_MS = 90_000

async function history(server: CometServer) {
  return (await server.stats()).history
}

describe.each([[[]], [['--workers', '2']]])('the log in /stats, %p', (args) => {
  test('is empty at first, and then has what was published', async () => {
    await using server = await serve(args)
    const empty = await history(server)
    expect(empty).toMatchObject({
      ...{ oldest: null, entries: 0, bytes: 0, limitBytes: 64 * 1024 * 1024 },
      ...{ oldestAgeSeconds: null, place: { kind: 'memory', reason: null } },
      ...{ resumed: 0, replayed: 0, gaps: { lost: 0, too_many: 0, unknown: 0 } },
    })
    expect(empty.last).toBe(`${empty.epoch.toString(16).padStart(12, '0')}-000000000000`)
    expect((await scrape(server)).samples.has('comet_history_oldest_age_seconds')).toBe(false)
    for (const body of ['one', 'two']) await server.publish({ to: 7, body })
    const two = await history(server)
    expect([two.entries, two.oldest, two.last]).toEqual([
      2,
      `${empty.last.slice(0, 13)}000000000001`,
      `${empty.last.slice(0, 13)}000000000002`,
    ])
    expect(two.bytes).toBeWithin(6, 200)
    expect(two.oldestAgeSeconds).toBeWithin(0, 10)
  })

  test('counts the streams that resumed, their messages, and each reason for a gap', async () => {
    await using server = await serve([...args, '--history', '64KiB'])
    const { last } = await history(server)
    for (const body of ['one', 'two']) await server.publish({ to: 7, body })
    using resumed = await LogStream.open(server, 7, 'json', `after=${last}`)
    await resumed.has('two')
    using live = await LogStream.open(server, 7, 'json')
    expect(live.messages).toEqual([])
    expect(await history(server)).toMatchObject({ resumed: 1, replayed: 2, gaps: { lost: 0 } })
    for (let at = 0; at < 40; at++) await server.publish({ to: 9, body: 'x'.repeat(4_000) })
    using lost = await LogStream.open(server, 7, 'json', `after=${last}`)
    using unknown = await LogStream.open(server, 7, 'json', 'after=000000000001-000000000001')
    expect([lost.gap?.reason, unknown.gap?.reason]).toEqual(['lost', 'unknown'])
    const now = await history(server)
    expect(now).toMatchObject({ resumed: 1, gaps: { lost: 1, too_many: 0, unknown: 1 } })
    expect([now.entries < 17, now.bytes <= 65_536, now.bytes > 50_000]).toEqual([true, true, true])
    const page = await scrape(server)
    expect(page.value('comet_gaps_total{reason="lost"}')).toBe(1)
    expect(page.value('comet_streams_resumed_total')).toBe(1)
    expect(page.value('comet_messages_replayed_total')).toBe(2)
  })

  test('counts heartbeats of all processes', async () => {
    await using server = await serve([...args, '--heartbeat', '300ms'])
    using _ = await LogStream.open(server, 7, 'json')
    await waitFor('heartbeats', async () => (await server.stats()).streams.heartbeats >= 2)
  })
})

test('a log is in a file beside the database, and goes on there', async () => {
  await using folder = await makeFolder()
  const args = ['--db', `${folder.path}/comet.db`]
  let before: Awaited<ReturnType<typeof history>>
  {
    await using server = await serve(args)
    await server.publish({ to: 7, body: 'one' })
    before = await history(server)
    expect(before.place).toEqual({ kind: 'file', reason: null })
    server.kill('SIGKILL')
    await server.exited
  }
  await using again = await serve(args)
  const { epoch, last, entries, bytes, place } = await history(again)
  const { oldestAgeSeconds: _, ...kept } = before
  expect({ ...kept, epoch, last, entries, bytes, place }).toEqual(kept)
})

test('a log that cannot be in its file says why', async () => {
  await using folder = await makeFolder()
  mkdirSync(`${folder.path}/comet.db-log`)
  await using server = await serve(['--db', `${folder.path}/comet.db`])
  const { place } = await history(server)
  expect(place.kind).toBe('memory')
  expect(place.reason).toContain('comet.db-log is no file')
})

describe('the dashboard', () => {
  withChromium(
    'has a line about the log once a client has come back, and warns of what it had lost',
    async () => {
      await using server = await serve(['--history', '64KiB'])
      const { last } = await history(server)
      await using page = await opened(server.controlUrl, { width: 1_280, height: 800 })
      await page.until(`document.querySelector('#warnings').textContent === 'No warnings.'`)
      expect(await page.ask(`document.querySelector('#history').hidden`)).toBe(true)
      await server.publish({ to: 7, body: 'one' })
      using _resumed = await LogStream.open(server, 7, 'json', `after=${last}`)
      await page.until(`document.querySelector('#history').hidden === false`)
      expect(await page.text('history')).toContain('Streams resumed: 1, with 1 message.')
      for (let at = 0; at < 40; at++) await server.publish({ to: 9, body: 'x'.repeat(4_000) })
      using _lost = await LogStream.open(server, 7, 'json', `after=${last}`)
      await page.until(`document.querySelector('#warnings').textContent.includes('--history')`)
      expect(await page.text('warnings')).toContain('1 stream was told of a gap')
    },
    PATIENCE_MS,
  )
})
