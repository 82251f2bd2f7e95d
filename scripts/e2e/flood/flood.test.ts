// Goal: flood and gen tell the truth, of a good server and of bad ones, and end by themselves.
// Method: the executable against itself and against servers that break the rules.

import { describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { waitFor } from '../../support/child-process.ts'
import { freePort, run, serve, start } from '../../support/comet.ts'
import { floodReport, genReport } from '../../support/reports.ts'

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

describe('against comet', () => {
  test('what gen is promised, flood receives, once and in order', async () => {
    await using server = await serve()
    const url = `${server.publicUrl}/test/{id}`
    await using flooding = start(['flood', url, '--connections', '500', '--json'])
    await server.open(500)
    const generated = await run([
      'gen',
      server.controlUrl,
      ...['--rate', '5k', '--users', '600', '--messages', '5000', '--json'],
    ])
    const gen = genReport(generated)
    expect(generated.exitCode).toBe(0)
    expect(gen.sent).toBe(5_000)
    expect(gen.rejected).toBe(0)
    // A sixth of the users is not connected; the promise knows.
    expect(gen.delivered).toBeLessThan(gen.sent)
    expect(gen.delivered).toBeGreaterThan(gen.sent / 2)
    expect((await server.stats()).deliveries.delivered).toBe(gen.delivered)
    flooding.kill('SIGINT')
    const flooded = await flooding.finished
    expect(flooded.exitCode).toBe(0)
    const report = floodReport(flooded)
    expect(report.connections).toEqual({ wanted: 500, opened: 500, failed: 0, closed: 0 })
    expect(report.received).toMatchObject({
      messages: gen.delivered,
      chunks: gen.delivered + 500,
      duplicated: 0,
      reordered: 0,
      untracked: 0,
    })
    expect(report.latency.p50Ms).toBeGreaterThan(0)
    expect(report.latency.p99Ms).toBeLessThan(5_000)
    expect(report.errors).toEqual({})
  })

  test('the reference mode sends as many generators as asked, at their own intervals', async () => {
    await using server = await serve()
    const url = `${server.publicUrl}/test/{id}`
    await using flooding = start(['flood', url, '--connections', '50', '--json'])
    await server.open(50)
    const generated = await run([
      'gen',
      server.controlUrl,
      ...['--generators', '100', '--interval', '20ms-100ms', '--users', '50'],
      ...['--duration', '1s', '--address', 'to', '--json'],
    ])
    const gen = genReport(generated)
    // 100 generators, evenly from 50 to 10 a second.
    expect(gen.sent).toBeGreaterThan(1_500)
    expect(gen.sent).toBeLessThan(2_500)
    expect(gen.delivered).toBe(gen.sent)
    flooding.kill('SIGINT')
    const report = floodReport(await flooding.finished)
    expect(report.received).toMatchObject({ messages: gen.sent, duplicated: 0, reordered: 0 })
  })

  test('under a low open-files limit flood takes several processes', async () => {
    await using server = await serve()
    const url = `${server.publicUrl}/test/{id}`
    const args = ['flood', url, '--connections', '400', '--json']
    await using flooding = start(args, { openFiles: 200 })
    await waitFor('the streams', async () => (await server.stats()).streams.users === 400)
    expect(await server.publish({ to: 399, body: 'x' })).toBe(1)
    flooding.kill('SIGINT')
    const flooded = await flooding.finished
    const report = floodReport(flooded)
    expect(report.connections).toEqual({ wanted: 400, opened: 400, failed: 0, closed: 0 })
    expect(report.received.chunks).toBe(401)
    expect(flooded.exitCode).toBe(0)
    await server.open(0)
  })

  test('a process of its own that dies is reported, with its streams', async () => {
    await using server = await serve()
    const url = `${server.publicUrl}/test/{id}`
    await using flooding = start(['flood', url, '--connections', '250', '--json'], {
      openFiles: 200,
    })
    await waitFor('the streams', async () => (await server.stats()).streams.users === 250)
    const workers = await Bun.$`pgrep -P ${flooding.pid}`.text()
    process.kill(Number(workers.split('\n')[0]), 'SIGKILL')
    await waitFor('its streams to go', async () => (await server.stats()).streams.users < 250)
    flooding.kill('SIGINT')
    const flooded = await flooding.finished
    expect(flooded.exitCode).toBe(1)
    const report = floodReport(flooded)
    expect(report.errors['worker_died']).toBe(125)
    // What it had opened is known as of its last word, a second before at most.
    const { opened, failed, closed } = report.connections
    expect([opened + failed, closed + failed]).toEqual([250, 125])
  })

  test('its processes end when it is killed, though each has a session of its own', async () => {
    await using server = await serve()
    const url = `${server.publicUrl}/test/{id}`
    await using flooding = start(['flood', url, '--connections', '250', '--json'], {
      openFiles: 200,
    })
    await waitFor('the streams', async () => (await server.stats()).streams.users === 250)
    const pids = (await Bun.$`pgrep -P ${flooding.pid}`.text()).trim().split('\n')
    expect(pids).toHaveLength(2)
    flooding.kill('SIGKILL')
    await server.open(0)
    await waitFor('the processes to end', () => pids.every((pid) => !existsSync(`/proc/${pid}`)))
  })

  test('too few open files for any process are an error at once', async () => {
    const { exitCode, stderr } = await run(['flood', '--connections', '6'], { openFiles: 64 })
    expect(exitCode).toBe(2)
    expect(stderr).toContain('no room for 6 streams: a process may have')
  })

  test('a page is no stream', async () => {
    await using server = await serve()
    const url = `${server.controlUrl}/livez`
    const flooded = await run(['flood', url, '--connections', '5', '--json'])
    expect(flooded.exitCode).toBe(1)
    expect(floodReport(flooded).errors).toEqual({ not_a_stream: 5 })
  })

  test('--rate paces connections, --first-id and --source say which and from where', async () => {
    await using server = await serve()
    const startedMs = performance.now()
    await using flooding = start([
      'flood',
      `${server.publicUrl}/test/{id}`,
      ...['--connections', '50', '--rate', '100', '--first-id', '1000'],
      ...['--source', '127.0.2.1-127.0.2.2', '--json'],
    ])
    await server.open(50)
    expect(performance.now() - startedMs).toBeGreaterThan(450)
    expect(await server.publish({ to: 1_049, body: 'x' })).toBe(1)
    flooding.kill('SIGINT')
    expect((await flooding.finished).exitCode).toBe(0)
  })

  test('--pending is how many connections await their first byte at once', async () => {
    const waiting: Bun.Socket<undefined>[] = []
    let begun = 0
    let waitingMax = 0
    const answer = () => {
      for (const socket of waiting.splice(0)) socket.write(`${CHUNKED}1\r\nx\r\n`)
    }
    using server = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: {
        data: (socket) => {
          waitingMax = Math.max(waitingMax, waiting.push(socket))
          begun++
          // A moment later, in which any others that were begun have come.
          if (waiting.length === 3 || begun === 12) setTimeout(answer, 30)
        },
      },
    })
    const url = `http://127.0.0.1:${server.port}/{id}`
    const options = ['--connections', '12', '--pending', '3', '--duration', '2s', '--json']
    const flooded = await run(['flood', url, ...options])
    expect(floodReport(flooded).connections.opened).toBe(12)
    expect(waitingMax).toBe(3)
  })

  test('--duration ends it, with a summary for people', async () => {
    await using server = await serve()
    const flooded = await run([
      'flood',
      `${server.publicUrl}/test/{id}`,
      ...['--connections', '10', '--duration', '500ms'],
    ])
    expect(flooded.exitCode).toBe(0)
    expect(flooded.stdout).toContain('10 opened of 10 wanted')
  })

  test('streams that the server ends are counted, reported and exit 1', async () => {
    await using server = await serve()
    await using flooding = start([
      'flood',
      `${server.publicUrl}/test/{id}`,
      ...['--connections', '20', '--json'],
    ])
    await server.open(20)
    server.kill('SIGTERM')
    const flooded = await flooding.finished
    expect(flooded.exitCode).toBe(1)
    const report = floodReport(flooded)
    expect(report.connections).toEqual({ wanted: 20, opened: 20, failed: 0, closed: 20 })
    expect(report.errors).toEqual({ ended: 20 })
  })
})

describe('against servers that break the rules, flood ends with 1 and a count by kind', () => {
  const flood = (port: number) =>
    run(['flood', `http://127.0.0.1:${port}/test/{id}`, '--connections', '5', '--json'])

  const badServer = (answer: string, close: boolean) =>
    Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: {
        data: (socket) => {
          socket.write(answer)
          if (close) socket.end()
        },
      },
    })

  test.each([
    ['a 404', 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n', false, 'status_404', 0],
    ['no HTTP', '220 smtp.example\r\n\r\n', false, 'bad_status_line', 0],
    ['nothing', '', true, 'cut_short', 0],
    ['half a head', 'HTTP/1.1 200 OK\r\n', true, 'cut_short', 0],
    ['a chunk size that is none', `${CHUNKED}zz\r\n`, false, 'bad_chunk_size', 5],
    ['a chunk that is too long', `${CHUNKED}fffffff\r\n`, false, 'chunk_too_large', 5],
    ['a chunk without its end', `${CHUNKED}1\r\nxyz`, false, 'bad_chunk_end', 5],
    ['a stream that ends', `${CHUNKED}1\r\nx\r\n0\r\n\r\n`, false, 'ended', 5],
    ['a stream that is cut', `${CHUNKED}1\r\nx\r\n`, true, 'cut_short', 5],
  ])('%s', async (_what, answer, close, kind, opened) => {
    using server = badServer(answer, close)
    const flooded = await flood(server.port)
    expect(flooded.exitCode).toBe(1)
    const report = floodReport(flooded)
    expect(report.errors).toEqual({ [kind]: 5 })
    expect(report.connections.opened).toBe(opened)
    expect(flooded.stderr).not.toContain(' at ')
  })

  test('a connection that is refused', async () => {
    const port = freePort()
    const flooded = await flood(port)
    expect([flooded.exitCode, floodReport(flooded).errors]).toEqual([1, { refused: 5 }])
    expect(flooded.stderr).toBe(`comet flood: nothing listens at http://127.0.0.1:${port}\n`)
  })

  test('a name that does not resolve', async () => {
    const flooded = await run(['flood', 'http://no-such-host.invalid/{id}', '--connections', '1'])
    expect(flooded.exitCode).toBe(2)
    expect(flooded.stderr).toContain('no-such-host.invalid cannot be resolved')
  })
})
