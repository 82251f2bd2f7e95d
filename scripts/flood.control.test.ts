// Goal: with --control a flood says how many streams only it believes in, and fails if there are any.
// Method: the executable against comet, and against a server whose control port tells of fewer.

import { describe, expect, test } from 'bun:test'
import { closedPort, run, serve, start, waitFor } from './comet.ts'
import { makeFolder } from './folder.ts'
import { floodReport } from './reports.ts'

const TOKEN = 'correct-horse-battery-staple'

describe('a flood compares what it believes in with what the server has open', () => {
  test.each([[1], [2]])('of %p workers, and finds nothing missing', async (workers) => {
    await using server = await serve(['--workers', String(workers)])
    const url = `${server.publicUrl}/test/{id}`
    const options = ['--connections', '40', '--churn', '50%/s', '--hold', '1s', '--json']
    const flooded = await run(['flood', url, ...options, '--control', server.controlUrl])
    expect([flooded.exitCode, flooded.words]).toEqual([0, ''])
    const compared = floodReport(flooded).server
    expect(compared?.missing).toBe(0)
    expect(compared?.believed).toBeWithin(35, 41)
    expect(compared?.open).toBeWithin(compared?.believed ?? 0, 41)
  })

  test('whose streams of other floods are no fault', async () => {
    await using server = await serve()
    const url = `${server.publicUrl}/test/{id}`
    await using _other = start(['flood', url, '--connections', '20'])
    await waitFor('the other flood', async () => (await server.stats()).streams.open === 20)
    const options = ['--connections', '10', '--hold', '1ms', '--control', server.controlUrl]
    const flooded = await run(['flood', url, ...options])
    expect(flooded.exitCode).toBe(0)
    expect(flooded.out).toMatch(
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
    expect(floodReport(flooded).server).toEqual({ believed: 0, open: 0, missing: 0 })
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
  expect(flooded.words).toContain(
    'comet flood: 2 of 5 streams are believed to be open, but the server has only 3\n',
  )
  expect(floodReport(flooded).server).toEqual({ believed: 5, open: 3, missing: 2 })
  const unknown = await run(flood)
  expect([unknown.exitCode, floodReport(unknown).server]).toEqual([1, null])
  expect(unknown.words).toContain('asks for a token: --control-token-file')
})

test('a server that cannot be asked is a failure, and an address that is none is refused', async () => {
  await using server = await serve()
  const flood = ['flood', `${server.publicUrl}/test/{id}`, '--connections', '1', '--hold', '1ms']
  const nowhere = `http://127.0.0.1:${await closedPort()}`
  const flooded = await run([...flood, '--control', nowhere])
  expect(flooded.exitCode).toBe(1)
  expect(flooded.words).toContain(`comet flood: nothing listens at ${nowhere}\n`)
  expect((await run([...flood, '--control', 'nonsense'])).exitCode).toBe(2)
  expect((await run([...flood, '--control-token-file', 'x'])).exitCode).toBe(2)
})
