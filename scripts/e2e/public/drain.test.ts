// Goal: a server that stops fails its readiness first, ends its streams evenly, and delivers to
// those that are left. Method: the executable, with one process and with workers.

import { expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { chunk, FINAL_CHUNK, RawClient } from '../../support/raw-client.ts'
import { publishAll, toEach, upFrom } from '../../support/workers.ts'

const STREAMS = 40

async function readyStatus(server: CometServer): Promise<string> {
  return ((await (await server.ask('/readyz')).json()) as { status: string }).status
}

async function openStreams({ publicPort }: CometServer): Promise<RawClient[]> {
  return Promise.all(upFrom(1, STREAMS).map((user) => RawClient.stream(publicPort, user)))
}

test('during --drain-grace a stopping server is not ready, but takes streams and messages', async () => {
  await using server = await serve(['--drain-grace', '1500ms'])
  await using before = await RawClient.stream(server.publicPort, 1)
  server.kill('SIGTERM')
  await waitFor('readiness to fail', async () => (await readyStatus(server)) === 'draining')
  // Anyone who still comes, and anyone who still publishes, is served.
  await using after = await RawClient.stream(server.publicPort, 2)
  expect(await server.publish({ to: 1, body: 'still here' })).toBe(1)
  expect(server.stderr).not.toContain('"event":"draining"')
  expect((await server.finished).exitCode).toBe(0)
  expect(before.text).toEndWith(chunk('still here') + FINAL_CHUNK)
  expect(after.text).toEndWith(FINAL_CHUNK)
})

test.each([[[]], [['--workers', '2']]])(
  'during --drain streams end evenly, and those left get messages, with %p',
  async (args) => {
    await using server = await serve(['--drain', '2s', ...args])
    const clients = await openStreams(server)
    server.kill('SIGTERM')
    const left = () => clients.filter(({ end }) => end === null)
    await waitFor('some to end', () => left().length < STREAMS * 0.7)
    // Those that are left are reached, those that have ended are not, and more end meanwhile.
    const before = left().length
    const { delivered } = await publishAll(server, toEach(upFrom(1, STREAMS), 'to those left'))
    const after = left()
    expect(delivered).toBeWithin(after.length, before + 1)
    expect(after.length).toBeGreaterThan(STREAMS * 0.1)
    const counts = new Set<number>()
    await waitFor('all to end', () => counts.add(left().length).has(0))
    // Not in one jump.
    expect(counts.size).toBeGreaterThan(5)
    expect((await server.finished).exitCode).toBe(0)
    for (const client of clients) expect(await client.ended()).toEndWith(FINAL_CHUNK)
    for (const { text } of after) expect(text).toEndWith(chunk('to those left') + FINAL_CHUNK)
  },
)

test('without --drain a server with few streams stops at once', async () => {
  await using server = await serve()
  await openStreams(server)
  const startedMs = performance.now()
  server.kill('SIGTERM')
  expect((await server.finished).exitCode).toBe(0)
  // Evenly over the 30 s that very many would take, it would be a minute of waiting in this test.
  expect(performance.now() - startedMs).toBeLessThan(10_000)
})

test('a second signal ends a drain at once, with exit code 130', async () => {
  await using server = await serve(['--drain-grace', '10min'])
  server.kill('SIGINT')
  await waitFor('readiness to fail', async () => (await readyStatus(server)) === 'draining')
  server.kill('SIGINT')
  expect((await server.finished).exitCode).toBe(130)
})
