// Goal: --max-streams-per-address and --max-new-streams hold exactly, with and without workers and
// behind proxies. Method: the executable, and clients at several loopback addresses.

import { afterEach, describe, expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, NONE_REFUSED, run, serve, start } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { scrape } from '../../support/metrics.ts'
import { get, RawClient } from '../../support/raw-client.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

/** A client's answer so far: 200 and open, or refused with its whole text. */
async function ask(server: CometServer, from: string, headers = ''): Promise<RawClient> {
  const text = get('/test/7').replace('\r\n\r\n', `\r\n${headers}\r\n`)
  const client = await RawClient.open(server.publicPort, text, { from })
  await waitFor('an answer', () => client.text.includes('Id: 7\n') || client.end !== null)
  return client
}

/** So many streams from one address, one after the other. */
async function askMany(server: CometServer, from: string, count: number): Promise<RawClient[]> {
  const clients: RawClient[] = []
  while (clients.length < count) clients.push(await ask(server, from))
  return clients
}

function statusOf({ text }: RawClient): number {
  return Number(text.split(' ')[1])
}

function closeAll(clients: readonly RawClient[]): void {
  for (const client of clients) client.terminate()
}

describe.each([[[]], [['--workers', '4']]])('--max-streams-per-address, %p', (args) => {
  test('the next stream of an address gets 429, and those of others do not', async () => {
    await using server = await serve(['--max-streams-per-address', '8', ...args])
    const here = await askMany(server, '127.0.0.1', 10)
    expect(here.map(statusOf)).toEqual([...new Array(8).fill(200), 429, 429])
    const refused = here[8]?.text.toLowerCase() ?? ''
    expect(refused).toContain('retry-after: 5\r\n')
    expect(refused).toContain('connection: close\r\n')
    expect(refused).toEndWith('too many streams from this address\n')
    const there = await askMany(server, '127.0.0.2', 9)
    expect(there.map(statusOf)).toEqual([...new Array(8).fill(200), 429])
    expect((await server.stats()).streams.refused).toEqual({ ...NONE_REFUSED, address: 3 })
    expect((await scrape(server)).value('comet_streams_refused_total{reason="address"}')).toBe(3)
    await server.logged('127.0.0.1 has as many open as --max-streams-per-address allows.')
    // The others were not disturbed.
    expect(await server.publish({ to: 7, body: 'x' })).toBe(16)

    here[0]?.terminate()
    await server.open(15)
    expect((await askMany(server, '127.0.0.1', 2)).map(statusOf)).toEqual([200, 429])
  })

  test('a client that has gone does not count, however it went', async () => {
    await using server = await serve(['--max-streams-per-address', '100', ...args])
    for (let round = 0; round < 3; round++) {
      const clients = await askMany(server, '127.0.0.1', 101)
      expect(clients.map(statusOf)).toEqual([...new Array(100).fill(200), 429])
      for (const [at, client] of clients.entries()) {
        if (at % 2 === 0) client.close()
        else client.terminate()
      }
      await server.open(0)
    }
    // Those who hang up before they have an answer, too.
    for (let round = 0; round < 300; round++) {
      const client = await RawClient.open(server.publicPort, get('/test/7'))
      client.terminate()
    }
    await server.open(0)
    const clients = await waitFor('room for a hundred', async () => {
      const some = await askMany(server, '127.0.0.1', 100)
      if (some.every((client) => statusOf(client) === 200)) return some
      closeAll(some)
      await server.open(0)
      return undefined
    })
    expect(statusOf(await ask(server, '127.0.0.1'))).toBe(429)
    closeAll(clients)
  })

  test('a client that closes its half behind its request has left, and does not count', async () => {
    await using server = await serve(['--max-streams-per-address', '100', ...args])
    for (let round = 0; round < 3; round++) {
      const clients = await Promise.all(
        Array.from({ length: 100 }, async () => {
          const client = await RawClient.open(server.publicPort, get('/test/7'))
          client.closeSendingHalf()
          return client
        }),
      )
      for (const client of clients) await client.ended()
      await server.open(0)
    }
  })

  test('X-Forwarded-For tells clients apart behind a trusted proxy, and only there', async () => {
    const proxy = ['--trusted-proxy', '127.0.0.1,10.0.0.0/8']
    await using server = await serve(['--max-streams-per-address', '1', ...proxy, ...args])
    const by = async (client: string, from = '127.0.0.1') =>
      statusOf(await ask(server, from, `X-Forwarded-For: ${client}\r\n`))
    expect([await by('192.0.2.1'), await by('192.0.2.2'), await by('192.0.2.1')]).toEqual([
      ...[200, 200, 429],
    ])
    // What the client wrote itself stands before what the proxy wrote.
    expect([await by('1.1.1.1, 192.0.2.1'), await by('192.0.2.3, 10.1.1.1')]).toEqual([429, 200])
    expect([await by('2001:db8::1'), await by('2001:db8::ffff')]).toEqual([200, 429])
    expect([await by('192.0.2.8', '127.0.0.9'), await by('192.0.2.9', '127.0.0.9')]).toEqual([
      ...[200, 429],
    ])
    await server.logged('If 127.0.0.9 is a proxy, name it by --trusted-proxy')
  })

  test('--forwarded-header chooses the header that is read', async () => {
    const proxy = ['--trusted-proxy', '127.0.0.1', '--forwarded-header', 'Forwarded']
    await using server = await serve(['--max-streams-per-address', '1', ...proxy, ...args])
    const by = async (headers: string) => statusOf(await ask(server, '127.0.0.1', headers))
    expect(await by('Forwarded: for="[2001:db8:cafe::17]:4711";proto=https\r\n')).toBe(200)
    expect(await by('Forwarded: proto=https;for="[2001:db8:cafe::18]"\r\n')).toBe(429)
    expect(await by('X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.2\r\n')).toBe(200)
    expect(await by('X-Forwarded-For: 192.0.2.3\r\nForwarded: for=192.0.2.2\r\n')).toBe(429)
  })
})

describe('with workers', () => {
  test('the streams of a worker that is killed do not count for their address', async () => {
    await using server = await serve(['--workers', '3', '--max-streams-per-address', '60'])
    const clients = await askMany(server, '127.0.0.1', 60)
    const [victim] = (await server.stats()).workers
    process.kill(Number(victim?.pid), 'SIGKILL')
    const lost = victim?.open ?? 0
    await server.open(60 - lost)
    await waitFor('it to run again', async () => {
      const { workers } = await server.stats()
      return workers.every(({ state }) => state === 'running')
    })
    const again = await askMany(server, '127.0.0.1', lost + 1)
    expect(again.map(statusOf)).toEqual([...new Array(lost).fill(200), 429])
    closeAll([...clients, ...again])
  })

  test('clients that leave or time out while the parent is stopped do not count', async () => {
    await using server = await serve(['--workers', '2', '--max-streams-per-address', '20'])
    server.kill('SIGSTOP')
    const clients: RawClient[] = []
    while (clients.length < 20) {
      clients.push(await RawClient.open(server.publicPort, get('/test/7')))
    }
    const [waiting, ...leaving] = clients
    for (const client of leaving) client.close()
    // Its own ten seconds would be over if it were only slow.
    const text = await waiting?.ended(9_000)
    expect(text).toStartWith('HTTP/1.1 503 ')
    expect(text).toEndWith('busy: The server is busy\n')
    server.kill('SIGCONT')
    await server.open(0)
    const all = await waitFor('all to be free', async () => {
      const some = await askMany(server, '127.0.0.1', 20)
      if (some.every((client) => statusOf(client) === 200)) return some
      closeAll(some)
      return undefined
    })
    expect(statusOf(await ask(server, '127.0.0.1'))).toBe(429)
    closeAll(all)
  })
})

describe.each([[[]], [['--workers', '4']]])('--max-new-streams, %p', (args) => {
  test('so many streams a second are admitted, the others get Retry-After, and come in later', async () => {
    await using server = await serve(['--max-new-streams', '50', ...args])
    const startedMs = performance.now()
    const clients = await Promise.all(Array.from({ length: 200 }, () => ask(server, '127.0.0.1')))
    const seconds = (performance.now() - startedMs) / 1_000
    const admitted = clients.filter((client) => statusOf(client) === 200)
    expect(admitted.length).toBeGreaterThanOrEqual(50)
    expect(admitted.length).toBeLessThanOrEqual(50 + Math.ceil(seconds * 50))
    const refused = clients.filter((client) => statusOf(client) === 503)
    expect(refused).toHaveLength(200 - admitted.length)
    const told = refused.map(({ text }) => Number(/retry-after: (\d+)/i.exec(text)?.[1]))
    expect(Math.min(...told)).toBe(1)
    // Fewer wait at once where it took the machine longer than a second to ask.
    expect(Math.max(...told)).toBeWithin(seconds < 1 ? 3 : 1, 4)
    const { streams } = await server.stats()
    expect(streams.refused).toEqual({ ...NONE_REFUSED, rate: refused.length })
    await server.logged('more come a second than --max-new-streams allows.')
    closeAll(clients)

    // A flood that comes again gets all of its streams, at that rate.
    const url = `${server.publicUrl}/test/{id}`
    const flood = ['flood', url, '--connections', '200', '--reconnect', '300ms']
    await using _ = start([...flood, '--duration', '60s', '--json'])
    await server.open(200)
  })
})

test('a worker that starts while SIGHUP changes the limits applies the new ones', async () => {
  await using folder = await makeFolder()
  const file = `${folder.path}/comet.toml`
  await Bun.write(file, '[serve]\nmax-new-streams = 1000\n')
  await using server = await serve(['--config', file, '--workers', '2'])
  for (let round = 0; round < 4; round++) {
    const [victim] = (await server.stats()).workers
    process.kill(Number(victim?.pid), 'SIGKILL')
    await waitFor('it to be started again', async () => {
      const [worker] = (await server.stats()).workers
      // It may have started between two looks.
      return worker?.state === 'starting' || worker?.restarts !== victim?.restarts
    })
    await Bun.write(file, `[serve]\nmax-users = ${10 + round}\n`)
    const before = server.stderr.length
    server.kill('SIGHUP')
    await waitFor('the change in the log', () =>
      server.stderr.slice(before).includes('max-users is'),
    )
    await waitFor('it to run', async () => {
      return (await server.stats()).workers.every(({ state }) => state === 'running')
    })
    const statuses = async () => [
      await server.headStatus(10 + round),
      await server.headStatus(11 + round),
    ]
    // Each process takes the new options at its own moment.
    let agreed = 0
    await waitFor('all processes to apply it', async () => {
      agreed = Bun.deepEquals(await statuses(), [200, 503]) ? agreed + 1 : 0
      return agreed === 16
    })
  }
})

test('SIGHUP changes the limits and the proxies of a running server', async () => {
  await using folder = await makeFolder()
  const file = `${folder.path}/comet.toml`
  const write = (lines: string) => Bun.write(file, `[serve]\n${lines}`)
  await write('max-streams-per-address = 1\ntrusted-proxy = ["10.0.0.0/8"]\n')
  await using server = await serve(['--config', file, '--workers', '2'])
  const by = async (client: string) =>
    statusOf(await ask(server, '127.0.0.1', `X-Forwarded-For: ${client}\r\n`))
  expect([await by('192.0.2.1'), await by('192.0.2.2')]).toEqual([200, 429])
  await write(
    'max-streams-per-address = 2\ntrusted-proxy = ["127.0.0.1"]\nmax-new-streams = 1000\n',
  )
  server.kill('SIGHUP')
  await waitFor('the change in the log', () =>
    server.stderr.includes('max-new-streams is 1000 now'),
  )
  await server.logged('trusted-proxy is 127.0.0.1 now; it was 10.0.0.0/8.')
  await waitFor('the workers', async () => (await by('192.0.2.9')) === 200)
  expect([await by('192.0.2.1'), await by('192.0.2.1'), await by('192.0.2.1')]).toEqual([
    ...[200, 200, 429],
  ])
  await write('max-new-streams = 1000\n')
  server.kill('SIGHUP')
  await server.logged('max-streams-per-address stays 2; not set takes a restart')
})

test.each([
  [['--trusted-proxy', 'proxy.example'], 'an address or a network like 10.0.0.0/8'],
  [['--trusted-proxy', '10.0.0.0/33'], 'an address or a network like 10.0.0.0/8'],
  [['--forwarded-header', 'X Forwarded'], 'the name of a header like X-Forwarded-For'],
  [['--trusted-proxy', ','], 'an address or a network like 10.0.0.0/8'],
  [['--trusted-proxy', '10.0.0.1'], '--trusted-proxy requires --max-streams-per-address'],
  [['--max-new-streams', '0'], 'a whole number'],
  [['--max-streams-per-address', '-1'], 'a whole number'],
])('comet serve %p exits 2 with what is expected', async (args, why) => {
  const finished = await run(['serve', ...args])
  expect(finished.exitCode).toBe(2)
  expect(finished.stderr).toContain(why)
})
