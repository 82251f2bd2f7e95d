// Goal: --keepalive ends the stream of a client that vanishes, and none of one that is only silent.
// Method: `comet flood --silent-drop`, whose kernel drops all that comes for a connection, so that
// the server sees neither FIN nor RST.

import { afterAll, describe, expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { run, serve, start } from '../../support/comet.ts'
import { RawClient } from '../../support/raw-client.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterAll(noProcessIsLeft)

// Nearly all of the time is waiting, so that the tests run at the same time.
const linuxTest = test.concurrent.skipIf(process.platform !== 'linux')

describe.each([[[]], [['--workers', '2']]])('--keepalive, %p', (args) => {
  linuxTest('the streams of clients that have vanished end, and no others', async () => {
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
    flooding.kill('SIGINT')
    await flooding.finished
  })
})

linuxTest(
  'none of 15,000 silent streams is cut in three intervals of --keepalive',
  async () => {
    const count = 15_000
    // From 33 s on, the kernel's timers go in steps of four seconds: left to them, all these probes
    // would be sent at once, and most of them would be lost.
    const intervalMs = 35_000
    await using server = await serve(['--keepalive', `${intervalMs}ms`])
    const url = `${server.publicUrl}/test/{id}`
    const flood = ['flood', url, '--connections', String(count), '--duration', '5min', '--json']
    await using flooding = start(flood)
    const streams = async () => (await server.stats()).streams
    await waitFor('all to come', async () => (await streams()).open === count, 60_000)
    const overMs = performance.now() + 3 * intervalMs
    await waitFor('three intervals', () => performance.now() > overMs, 4 * intervalMs)
    expect(await streams()).toMatchObject({ open: count, closed: { client: 0 } })
    flooding.kill('SIGINT')
    const { exitCode, stdout } = await flooding.finished
    expect([exitCode, JSON.parse(stdout).errors]).toEqual([0, {}])
  },
  240_000,
)

linuxTest('--keepalive 0s probes no client', async () => {
  await using server = await serve(['--keepalive', '0s'])
  const url = `${server.publicUrl}/test/{id}`
  const flood = ['flood', url, '--connections', '4', '--silent-drop', '100%', '--duration', '60s']
  await using flooding = start(flood)
  await waitFor('all to come', async () => (await server.stats()).streams.opened === 4)
  // Longer than it takes with --keepalive 1s.
  const deadlineMs = performance.now() + 10_000
  await waitFor('ten seconds', () => performance.now() > deadlineMs)
  expect((await server.stats()).streams.open).toBe(4)
  flooding.kill('SIGINT')
  await flooding.finished
})

test('--keepalive 2h is refused', async () => {
  const { exitCode, stderr } = await run(['serve', '--keepalive', '2h'])
  expect(exitCode).toBe(2)
  expect(stderr).toContain('--keepalive')
})
