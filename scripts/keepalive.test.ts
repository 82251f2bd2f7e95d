// Goal: a client that vanishes without a word is found out, one that is only silent is left alone.
// Method: `comet flood --silent-drop`, whose kernel drops all that comes for a connection, so that the
// server sees neither FIN nor RST.

import { afterEach, describe, expect, test } from 'bun:test'
import { run, serve, start, waitFor } from './comet.ts'
import { RawClient } from './socket.ts'
import { noProcessIsLeft } from './workers.ts'

afterEach(noProcessIsLeft)

describe.skipIf(process.platform !== 'linux').each([[[]], [['--workers', '2']]])(
  '--keepalive, %p',
  (args) => {
    test('ends the streams of clients that have vanished, and no others', async () => {
      await using server = await serve(['--keepalive', '1s', ...args])
      await using silent = await RawClient.stream(server.publicPort, 1_000)
      const url = `${server.publicUrl}/test/{id}`
      const flood = ['flood', url, '--connections', '40', '--silent-drop', '50%']
      await using flooding = start([...flood, '--duration', '60s', '--json'])
      await waitFor('all to come', async () => (await server.stats()).streams.opened === 41)
      await waitFor('half to be found out', async () => {
        return (await server.stats()).streams.closed.client === 20
      })
      // Many probes later: the others have answered them.
      const deadlineMs = performance.now() + 4_000
      await waitFor('four seconds', () => performance.now() > deadlineMs)
      expect((await server.stats()).streams).toMatchObject({ open: 21, closed: { client: 20 } })
      expect([silent.end, await server.publish({ to: 1_000, body: 'x' })]).toEqual([null, 1])
      flooding.process.kill('SIGINT')
      await flooding.finished
    })
  },
)

test.skipIf(Bun.which('ss') === null)('--keepalive 0s asks nobody', async () => {
  await using asking = await serve()
  await using still = await serve(['--keepalive', '0s'])
  await using one = await RawClient.stream(asking.publicPort, 1)
  await using other = await RawClient.stream(still.publicPort, 1)
  const timers = async (port: number) => (await Bun.$`ss -tnoH src 127.0.0.1:${port}`.text()).trim()
  expect(await timers(asking.publicPort)).toMatch(/timer:\(keepalive,(1min5\dsec|2min),0\)/)
  expect(await timers(still.publicPort)).not.toContain('timer:')
  expect([one.end, other.end]).toEqual([null, null])
})

test('a silence that makes no sense is refused', async () => {
  const { exitCode, words } = await run(['serve', '--keepalive', '2h'])
  expect(exitCode).toBe(2)
  expect(words).toContain('--keepalive')
})
