// Goal: with --control a flood says how many streams only it believes in, names some, and fails if
// there are any. Method: the executable against comet, also by way of something that loses streams
// on one side alone, and against a server whose control port tells of fewer.

import { describe, expect, test } from 'bun:test'
import { type CometServer, freePort, run, serve, start } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { RawClient } from '../../support/raw-client.ts'
import { floodReport } from '../../support/reports.ts'

const TOKEN = 'correct-horse-battery-staple'

describe('a flood compares what it believes in with what the server has open', () => {
  test.each([[1], [2]])('of %p workers, and finds nothing missing', async (workers) => {
    await using server = await serve(['--workers', String(workers)])
    const url = `${server.publicUrl}/test/{id}`
    const options = ['--connections', '40', '--churn', '50%/s', '--hold', '1s', '--json']
    const flooded = await run(['flood', url, ...options, '--control', server.controlUrl])
    expect([flooded.exitCode, flooded.stderr]).toEqual([0, ''])
    const compared = floodReport(flooded).server
    expect(compared?.missing).toBe(0)
    expect(compared?.believed).toBeWithin(35, 41)
    expect(compared?.open).toBeWithin(compared?.believed ?? 0, 41)
  })

  test('whose streams of other floods are no fault', async () => {
    await using server = await serve()
    const url = `${server.publicUrl}/test/{id}`
    await using _other = start(['flood', url, '--connections', '20'])
    await server.open(20)
    const options = ['--connections', '10', '--hold', '1ms', '--control', server.controlUrl]
    const flooded = await run(['flood', url, ...options])
    expect(flooded.exitCode).toBe(0)
    expect(flooded.stdout).toMatch(
      /^server {4}10 streams believed to be open, 30 open at the server$/m,
    )
  })

  test('that ended all streams, and is asked all the same', async () => {
    using streams = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      // A body whose length is not known, and that is over.
      fetch: () => new Response(new ReadableStream({ start: (body) => body.close() })),
    })
    using control = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: () => Response.json({ streams: { open: 0 } }),
    })
    const flooded = await run([
      ...['flood', `http://127.0.0.1:${streams.port}/{id}`, '--connections', '2', '--json'],
      ...['--control', `http://127.0.0.1:${control.port}`],
    ])
    expect(floodReport(flooded).server).toEqual({
      ...{ believed: 0, open: 0, missing: 0 },
      ...{ asked: 0, examples: [] },
    })
  })
})

/**
 * Stands before a server, and loses streams of some users as a kernel does that has dropped a
 * reset: the server sees them end, and their client does not.
 */
function losing(port: number, lost: readonly number[]) {
  interface Pair {
    other: Bun.Socket<Pair> | null
    /** What came before the connection to the server was there. */
    early: Buffer[]
  }
  const upstream: Bun.SocketHandler<Pair> = {
    data({ data: { other } }, bytes) {
      other?.write(bytes)
    },
  }
  return Bun.listen<Pair>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      async open(client) {
        const pair: Pair = { other: null, early: [] }
        client.data = pair
        const back: Pair = { other: client, early: [] }
        const socket = { hostname: '127.0.0.1', port, socket: upstream, data: back }
        pair.other = await Bun.connect<Pair>(socket)
        for (const bytes of pair.early) pair.other.write(bytes)
      },
      data({ data: pair }, bytes) {
        if (pair.other === null) pair.early.push(Buffer.from(bytes))
        else pair.other.write(bytes)
        const [, user] = /^GET \S*?(\d+)/.exec(String(bytes)) ?? []
        if (lost.includes(Number(user))) setTimeout(() => pair.other?.terminate(), 300)
      },
      close: ({ data: { other } }) => void other?.terminate(),
    },
  })
}

describe('streams that the server has lost', () => {
  const TWELVE = Array.from({ length: 12 }, (_, at) => 21 + at)

  async function floodThrough(
    server: CometServer,
    lost: readonly number[],
    args: readonly string[],
    path = '/test/{id}',
  ) {
    using between = losing(server.publicPort, lost)
    const url = `http://127.0.0.1:${between.port}${path}`
    const compare = ['--hold', '1s', '--json', '--control', server.controlUrl]
    // Fewer open files than streams, so that there is more than one process.
    return await run(['flood', url, ...compare, ...args], { openFiles: 140 })
  }

  test.each([
    [1, 40, [30, 36, 39]],
    [2, 90, [30, 44, 88]],
  ])('are named, by %p processes of the flood, and its token', async (processes, count, lost) => {
    await using folder = await makeFolder()
    const token = `${folder.path}/token`
    await Bun.write(token, TOKEN)
    const withToken = ['--control-token-file', token]
    await using server = await serve(withToken)
    // The first of each process are closed and opened again, and those that are lost are not among
    // them.
    const options = ['--connections', String(count), ...withToken, '--churn', '10%/s']
    const flooded = await floodThrough(server, lost, options)
    expect(flooded.exitCode).toBe(1)
    const { server: compared, client } = floodReport(flooded)
    expect([compared?.missing, compared?.examples, client.processes]).toEqual([3, lost, processes])
    expect(flooded.stderr).toContain(` ids: the server has no stream for ${lost.join(', ')}\n`)
  })

  test('are named by their ids, though the server knows their users by name', async () => {
    await using server = await serve()
    // The users with these numbers have no stream at all.
    const path = '/stream/user-{id}?format=raw'
    const flooded = await floodThrough(server, [3, 5], ['--connections', '9'], path)
    expect(floodReport(flooded).server).toEqual({
      ...{ believed: 9, open: 7, missing: 2 },
      ...{ asked: 9, examples: [3, 5] },
    })
  })

  test('are ten at most', async () => {
    await using server = await serve()
    const flooded = await floodThrough(server, TWELVE, ['--connections', '40'])
    const { missing, examples } = floodReport(flooded).server ?? { examples: [] }
    expect([missing, examples.length]).toEqual([12, 10])
    expect(examples.filter((id) => !TWELVE.includes(id))).toEqual([])
  })

  test('are not named while another client holds one of the same user', async () => {
    await using server = await serve()
    await using _other = await RawClient.stream(server.publicPort, 3)
    const hidden = await floodThrough(server, [3, 5], ['--connections', '9'])
    expect(floodReport(hidden).server).toEqual({
      ...{ believed: 9, open: 8, missing: 1 },
      ...{ asked: 9, examples: [5] },
    })
  })
})

test('streams that only the client believes in are counted, and are a failure', async () => {
  await using server = await serve()
  using control = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: ({ headers }) =>
      headers.get('authorization') === `Bearer ${TOKEN}`
        ? Response.json({ streams: { open: 3 } })
        : new Response('', { status: 401 }),
  })
  await using folder = await makeFolder()
  const token = `${folder.path}/token`
  await Bun.write(token, TOKEN)
  const url = `${server.publicUrl}/test/{id}`
  const options = ['--connections', '5', '--hold', '1ms', '--json', '--assert', 'failed=0']
  const compare = ['--control', `http://127.0.0.1:${control.port}`]
  const flood = ['flood', url, ...options, ...compare]
  const flooded = await run([...flood, '--control-token-file', token])
  expect(flooded.exitCode).toBe(1)
  expect(flooded.stderr).toContain(
    'comet flood: 2 of 5 streams missing at the server, which has only 3\n',
  )
  expect(floodReport(flooded).server).toEqual({
    ...{ believed: 5, open: 3, missing: 2 },
    // It does not tell of users.
    ...{ asked: 0, examples: [] },
  })
  const unknown = await run(flood)
  expect([unknown.exitCode, floodReport(unknown).server]).toEqual([1, null])
  expect(unknown.stderr).toContain('requires a token; give --control-token-file')
})

test('a server that cannot be asked is a failure, and an address that is none is refused', async () => {
  await using server = await serve()
  const flood = ['flood', `${server.publicUrl}/test/{id}`, '--connections', '1', '--hold', '1ms']
  const nowhere = `http://127.0.0.1:${freePort()}`
  const flooded = await run([...flood, '--control', nowhere])
  expect(flooded.exitCode).toBe(1)
  expect(flooded.stderr).toContain(`comet flood: nothing listens at ${nowhere}\n`)
  expect((await run([...flood, '--control', 'nonsense'])).exitCode).toBe(2)
  expect((await run([...flood, '--control-token-file', 'x'])).exitCode).toBe(2)
})
