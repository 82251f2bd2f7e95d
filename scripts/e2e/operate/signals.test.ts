// Goal: a server stops in order and says so with its exit code; ports in use are an error at once.
// Method: real signals to the executable.

import { expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, NO_FILE, run, serve } from '../../support/comet.ts'
import { chunk, FINAL_CHUNK, get, RawClient } from '../../support/raw-client.ts'

/** Publishes to user 1, who no longer reads, until something waits in the outbox. */
async function fill(server: CometServer, client: RawClient): Promise<void> {
  client.pause()
  await waitFor('the socket to fill', async () => {
    await server.publish({ to: 1, body: 'x'.repeat(60_000) })
    return (await server.stats()).outbox.queuedBytes > 0
  })
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s ends every stream properly and exits 0',
  async (signal) => {
    await using server = await serve()
    const clients = await Promise.all(
      Array.from({ length: 50 }, (_, at) => RawClient.stream(server.publicPort, at + 1)),
    )
    expect(await server.publish({ to: 1, body: 'last words' })).toBe(1)
    server.kill(signal)
    const { exitCode, stderr } = await server.finished
    expect(exitCode).toBe(0)
    for (const client of clients) {
      await client.ended()
      expect(client.text.endsWith(FINAL_CHUNK)).toBe(true)
    }
    expect(clients[0]?.text).toContain(chunk('last words') + FINAL_CHUNK)
    expect(stderr).toContain('"event":"draining"')
    expect(stderr).toContain('"event":"stopped"')
  },
)

test('while draining, readiness fails, nothing is accepted, and a second signal ends at once', async () => {
  await using server = await serve()
  // A client with unread megabytes keeps the drain waiting.
  await using stalled = await RawClient.stream(server.publicPort, 1)
  await fill(server, stalled)
  server.kill('SIGTERM')
  await waitFor('readiness to fail', async () => {
    return (await server.ask('/readyz')).status === 503
  })
  await expect(RawClient.open(server.publicPort, get('/test/2'))).rejects.toThrow()
  await expect(server.publish({ to: 2, body: 'too late' })).rejects.toThrow('"code":"draining"')
  expect(server.exitCode).toBeNull()
  server.kill('SIGTERM')
  expect((await server.finished).exitCode).toBe(143)
})

test('a stalled client does not keep a server from ending', async () => {
  await using server = await serve()
  await using stalled = await RawClient.stream(server.publicPort, 1)
  await fill(server, stalled)
  server.kill('SIGTERM')
  const { exitCode, stderr } = await server.finished
  expect(exitCode).toBe(0)
  expect(stderr).toContain('Clients that did not take their last bytes in time were cut')
})

test('a second server on the same public port is an error at once, exit 69', async () => {
  await using server = await serve()
  const listen = `127.0.0.1:${server.publicPort}`
  const second = await run(['serve', '--listen', listen, '--control', '127.0.0.1:0', ...NO_FILE])
  expect(second.exitCode).toBe(69)
  expect(second.stderr).toContain(`${listen} is in use`)
  expect(second.stderr.trim().split('\n')).toHaveLength(1)
})

test('a second server on the same control port is an error at once, exit 69', async () => {
  await using server = await serve()
  const control = `127.0.0.1:${server.controlPort}`
  const second = await run(['serve', '--listen', '127.0.0.1:0', '--control', control, ...NO_FILE])
  expect(second.exitCode).toBe(69)
  expect(second.stderr).toContain(`the control port ${control} is in use`)
})

test('an address of another machine is an error, exit 69', async () => {
  const result = await run([
    'serve',
    '--anonymous',
    '--listen',
    '198.51.100.1:0',
    '--control',
    '127.0.0.1:0',
    ...NO_FILE,
  ])
  expect(result.exitCode).toBe(69)
  expect(result.stderr).toContain('198.51.100.1')
})
