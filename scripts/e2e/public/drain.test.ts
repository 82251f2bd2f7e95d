// Goal: a server that is told to stop says so first, ends its streams evenly, and delivers to those that
// are left. Method: the executable, with one process and with workers, and streams that are watched.

import { expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { chunk, FINAL_CHUNK, RawClient } from '../../support/raw-client.ts'

const STREAMS = 40

async function readyStatus({ controlUrl }: CometServer): Promise<string> {
  return ((await (await fetch(`${controlUrl}/readyz`)).json()) as { status: string }).status
}

async function openStreams({ publicPort }: CometServer): Promise<RawClient[]> {
  const users = Array.from({ length: STREAMS }, (_, at) => at + 1)
  return Promise.all(users.map((user) => RawClient.stream(publicPort, user)))
}

test('it is not ready first, and goes on for as long as it was told', async () => {
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

test.each([[[]], [['--workers', '2']]])('streams end evenly, %p', async (args) => {
  await using server = await serve(['--drain', '2s', ...args])
  const clients = await openStreams(server)
  server.kill('SIGTERM')
  const left = () => clients.filter(({ end }) => end === null).length
  await waitFor('some to end', () => left() < STREAMS * 0.7)
  const [first] = clients.filter(({ end }) => end === null)
  const user = 1 + clients.indexOf(first as RawClient)
  // Those that are left are reached, those that ended are not.
  const delivered = await server.publish({ to: user, body: 'for those who are left' })
  expect(left()).toBeGreaterThan(STREAMS * 0.2)
  expect(delivered).toBe(1)
  await waitFor('most to end', () => left() < STREAMS * 0.2)
  expect((await server.finished).exitCode).toBe(0)
  for (const client of clients) expect(await client.ended()).toEndWith(FINAL_CHUNK)
  expect(first?.text).toEndWith(chunk('for those who are left') + FINAL_CHUNK)
})

test('few streams are not waited for, unless that was asked for', async () => {
  await using server = await serve()
  await openStreams(server)
  const startedMs = performance.now()
  server.kill('SIGTERM')
  expect((await server.finished).exitCode).toBe(0)
  // Evenly over the 30 s that very many would take, it would be a minute of waiting in this test.
  expect(performance.now() - startedMs).toBeLessThan(10_000)
})

test('a second signal ends the waiting', async () => {
  await using server = await serve(['--drain-grace', '10min'])
  server.kill('SIGINT')
  await waitFor('readiness to fail', async () => (await readyStatus(server)) === 'draining')
  server.kill('SIGINT')
  expect((await server.finished).exitCode).toBe(130)
})
