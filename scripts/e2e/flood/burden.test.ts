// Goal: streams of flood that stop reading or vanish are a burden on the server as real ones would
// be, and are counted. Method: the executable against comet; what the kernel knows of its
// connections.

import { expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, NONE_CLOSED, run, serve, start } from '../../support/comet.ts'
import { RawClient } from '../../support/raw-client.ts'
import { floodReport } from '../../support/reports.ts'

const BODY = 'x'.repeat(60_000)

// Streams that vanish need a filter of the Linux kernel.
const onLinux = test.skipIf(process.platform !== 'linux')

test('--slow has one in ten stop reading; comet keeps it until its outbox is full', async () => {
  await using server = await serve(['--outbox', '64KiB'])
  const url = `${server.publicUrl}/test/{id}`
  const options = ['--connections', '20', '--slow', '10%', '--json']
  await using flooding = start(['flood', url, ...options])
  await server.open(20)
  // Of the tenth user, who reads no more, and of one who reads.
  await waitFor('the slow stream to be cut', async () => {
    for (let each = 0; each < 20; each++) await server.publish({ to: 10, body: BODY })
    expect(await server.publish({ to: 9, body: 'still there' })).toBe(1)
    return (await server.stats()).streams.closed.slow === 1
  })
  // A little fits the buffers of the other one.
  expect(await server.publish({ to: 20, body: 'x' })).toBe(1)
  const { streams } = await server.stats()
  expect([streams.open, streams.closed]).toEqual([19, { ...NONE_CLOSED, slow: 1 }])
  flooding.kill('SIGINT')
  const flooded = await flooding.finished
  // It is what was asked for, not a fault of the server.
  expect(flooded.exitCode).toBe(0)
  const { connections, behaviour, errors } = floodReport(flooded)
  expect(behaviour).toMatchObject({ slow: 2, slowEnded: 1, vanished: 0 })
  expect(connections).toEqual({ wanted: 20, opened: 20, failed: 0, closed: 0 })
  expect(errors).toEqual({ reset: 1 })
})

/** How the kernel sees the server's ends of its connections. */
async function serverEnds({
  publicPort,
}: CometServer): Promise<{ state: string; queued: number }[]> {
  const port = publicPort.toString(16).toUpperCase().padStart(4, '0')
  // 127.0.0.1; a client's end may have the same port at another address.
  const address = `0100007F:${port}`
  const lines = (await Bun.file('/proc/net/tcp').text()).split('\n')
  return lines.flatMap((line) => {
    const [, local = '', , state = '', queues = ''] = line.trim().split(/\s+/)
    if (local !== address || state === LISTENING) return []
    return [{ state, queued: Number.parseInt(queues.split(':')[0] ?? '', 16) }]
  })
}

const ESTABLISHED = '01'
const LISTENING = '0A'

onLinux('--silent-drop has one in ten vanish without a word to the server', async () => {
  await using server = await serve()
  const url = `${server.publicUrl}/test/{id}`
  const options = ['--connections', '20', '--silent-drop', '10%', '--json']
  await using flooding = start(['flood', url, ...options])
  await server.open(20)
  const others = await Promise.all(
    [101, 102].map((user) => RawClient.stream(server.publicPort, user)),
  )
  for (const other of others) other.close()
  await waitFor('those who do say a word to be gone', async () => {
    return (await server.stats()).streams.closed.client === 2
  })
  // The tenth of the twenty and the last are gone, but the server believes in them.
  for (const user of [1, 2, 10, 11, 12, 20]) {
    expect(await server.publish({ to: user, body: 'x' })).toBe(1)
  }
  // What was sent to the others has been acknowledged, and nothing of what was sent to those.
  const ends = await waitFor('the acknowledgements', async () => {
    const all = await serverEnds(server)
    return all.length === 20 && all.filter(({ queued }) => queued > 0).length === 2 && all
  })
  expect(ends.map(({ state }) => state)).toEqual(Array.from({ length: 20 }, () => ESTABLISHED))
  const { streams } = await server.stats()
  expect([streams.open, streams.closed.client, streams.closed.lost]).toEqual([20, 2, 0])
  flooding.kill('SIGINT')
  const flooded = await flooding.finished
  expect(flooded.exitCode).toBe(0)
  const { connections, behaviour, received, errors } = floodReport(flooded)
  expect(behaviour).toMatchObject({ vanished: 2, slow: 0 })
  expect(connections).toEqual({ wanted: 20, opened: 20, failed: 0, closed: 0 })
  // Eighteen have their welcome, and four of them the message.
  expect([received.chunks, errors]).toEqual([22, {}])
})

onLinux.each([
  ['50%', '50%', 11, 5, 6],
  ['10%', '10%', 19, 1, 2],
  ['20%', '10%', 20, 4, 2],
])('--slow %s and --silent-drop %s of %p streams are different ones', async (...of) => {
  const [slow, silentDrop, streams, slowCount, vanishedCount] = of
  await using server = await serve()
  const shares = ['--slow', slow, '--silent-drop', silentDrop]
  const finished = await run([
    ...['flood', `${server.publicUrl}/test/{id}`, '--connections', String(streams), ...shares],
    ...['--hold', '1ms', '--json'],
  ])
  expect(floodReport(finished).behaviour).toMatchObject({
    slow: slowCount,
    vanished: vanishedCount,
  })
})

test.each([
  [['--slow', '60%', '--silent-drop', '50%'], 'add up to more than 100%'],
  [['--slow', '101%'], 'a share from 0% to 100%'],
  [['--silent-drop', '10'], 'a share from 0% to 100%'],
  [['--churn', '5%'], 'a share per second, like 1%/s'],
  [['--reconnect', '0s'], 'at least 1ms'],
  [['--hold', '5'], 'a duration like'],
])('%p is an error', async (options, text) => {
  const { exitCode, stdout, stderr } = await run(['flood', ...options])
  expect([exitCode, stdout]).toEqual([2, ''])
  expect(stderr).toContain(text)
})

onLinux('what streams did is told in the summary', async () => {
  await using server = await serve()
  const url = `${server.publicUrl}/test/{id}`
  const shares = ['--slow', '20%', '--silent-drop', '10%']
  const { exitCode, stdout } = await run([
    ...['flood', url, '--connections', '20', '--hold', '100ms', ...shares],
  ])
  expect(exitCode).toBe(0)
  expect(stdout).toMatch(/^slow {6}4 stopped reading, 0 ended$/m)
  expect(stdout).toMatch(/^vanished {2}2 without FIN or RST$/m)
})
