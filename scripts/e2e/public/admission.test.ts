// Goal: a server at its limit refuses with a reason, keeps its streams, and does not spin.
// Method: small limits on the executable; CPU time read from the server itself.

import { expect, test } from 'bun:test'
import { type CometServer, NONE_REFUSED, run, serve } from '../../support/comet.ts'
import { chunk, get, RawClient } from '../../support/raw-client.ts'

async function refusal(server: CometServer): Promise<string> {
  await using client = await RawClient.open(server.publicPort, get('/test/9'))
  return await client.ended()
}

test('beyond --max-streams a client gets 503, Retry-After and a closed connection', async () => {
  await using server = await serve(['--max-streams', '3'])
  const clients = await Promise.all([1, 2, 3].map((id) => RawClient.stream(server.publicPort, id)))
  expect(await (await server.ask('/readyz')).json()).toEqual({ status: 'full' })

  const text = await refusal(server)
  expect(text).toStartWith('HTTP/1.1 503 ')
  expect(text.toLowerCase()).toContain('retry-after: 5\r\n')
  expect(text.toLowerCase()).toContain('connection: close\r\n')
  expect((await server.stats()).streams).toMatchObject({
    open: 3,
    limit: 3,
    refused: { ...NONE_REFUSED, full: 1 },
  })

  clients[0]?.close()
  await server.open(2)
  await using next = await RawClient.stream(server.publicPort, 4)
  expect(next.text).toStartWith('HTTP/1.1 200 ')
  for (const client of clients) client.terminate()
})

test('a server refuses streams before its open files are used up, and logs what its limit follows from', async () => {
  await using server = await serve([], { openFiles: 256 })
  const { limit } = (await server.stats()).streams
  expect(limit).toBeLessThan(256)
  await server.logged('256 open files less 64 in reserve')
  const clients: RawClient[] = []
  let refused = 0
  for (let id = 1; id <= 300; id++) {
    const client = await RawClient.open(server.publicPort, get(`/test/${id}`))
    await client.received('\r\n\r\n')
    if (client.text.startsWith('HTTP/1.1 503 ')) refused++
    else clients.push(client)
  }
  expect(refused).toBeGreaterThanOrEqual(300 - limit)
  expect(clients.length).toBeGreaterThan(limit / 2)
  expect(await server.publish({ to: 1, body: 'still here' })).toBe(1)
  await clients[0]?.received(chunk('still here'))
  for (const client of clients) client.terminate()
})

test('connections that send no request neither make the server spin nor stop its streams', async () => {
  await using server = await serve([], { openFiles: 256 })
  await using bystander = await RawClient.stream(server.publicPort, 1)
  const silent: RawClient[] = []
  for (let at = 0; at < 320; at++) {
    // Once the port is paused, connecting is refused: that is what keeps the files in reserve.
    const client = await RawClient.open(server.publicPort).catch(() => null)
    if (client !== null) silent.push(client)
  }
  await server.logged('"event":"paused"')
  expect(await server.publish({ to: 1, body: 'tick' })).toBe(1)
  await bystander.received(chunk('tick'))
  const before = await server.stats()
  expect(before.process.openFiles).toBeLessThan(256)
  const beforeMs = performance.now()
  // Nothing to wait for: the measurement is that nothing happens.
  await Bun.sleep(1_000)
  const cpuSeconds = (await server.stats()).process.cpuSeconds - before.process.cpuSeconds
  // A process that spins on accept uses all of the time.
  expect(cpuSeconds / ((performance.now() - beforeMs) / 1_000)).toBeLessThan(0.5)

  for (const client of silent) client.terminate()
  await server.logged('"event":"resumed"')
  await using next = await RawClient.stream(server.publicPort, 2)
  expect(next.text).toStartWith('HTTP/1.1 200 ')
})

test('idle connections to the control port neither make the server spin nor stop its streams', async () => {
  await using server = await serve([], { openFiles: 256 })
  await using bystander = await RawClient.stream(server.publicPort, 1)
  const idle: RawClient[] = []
  for (let at = 0; at < 320; at++) {
    const client = await RawClient.open(server.controlPort).catch(() => null)
    if (client !== null) idle.push(client)
  }
  await server.logged('to the control port')
  for (const client of idle) client.terminate()
  await server.logged('the control port takes connections again')
  expect(await server.publish({ to: 1, body: 'tick' })).toBe(1)
  await bystander.received(chunk('tick'))
})

test('a server whose open files are too few for one stream exits 2 at once', async () => {
  const { exitCode, stderr } = await run(['serve'], { openFiles: 64 })
  expect(exitCode).toBe(2)
  expect(stderr).toContain('there is no room for streams: 64 open files less 64 in reserve')
})

test('--head-timeout cuts a connection without a complete head, but no silent stream', async () => {
  await using server = await serve(['--head-timeout', '2s'])
  await using stream = await RawClient.stream(server.publicPort, 1)
  await using silent = await RawClient.open(server.publicPort)
  await using dribbling = await RawClient.open(server.publicPort, 'GET /test/1 HTTP/1.1\r\n')
  const dribble = setInterval(() => dribbling.send('X-More: 1\r\n'), 250)
  const startedMs = performance.now()
  await Promise.all([silent.ended(), dribbling.ended()])
  clearInterval(dribble)
  // Well before Bun's own ten seconds.
  expect(performance.now() - startedMs).toBeLessThan(6_000)
  expect(stream.end).toBeNull()
  expect(await server.publish({ to: 1, body: 'still here' })).toBe(1)
  await stream.received(chunk('still here'))
})
