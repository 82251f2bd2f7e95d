// Goal: the executable reads each format, resumes streams that it cuts itself and those that the
// server cuts, and its exit code and report say what the server does wrong. Method: a small server
// with a log that loses, doubles and tells gaps to order, under messages with stamps and chains.

import { describe, expect, test } from 'bun:test'
import { chmod } from 'node:fs/promises'
import { ChainedMessages } from '../../../src/flood/format-run.fixture.ts'
import { LogServer } from '../../../src/flood/log-server.fixture.ts'
import { makeCertificate } from '../../support/certificate.ts'
import { ChildProcess } from '../../support/child-process.ts'
import { COMET, run, start } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { floodReport } from '../../support/reports.ts'

const STREAMS = 20
const FORMATS = ['json', 'sse', 'websocket', 'poll'] as const
const CHURN = ['--resume', '--churn', '100%/s', '--reconnect', '100ms']
const FINE = { missed: 0, doubled: 0, unfounded: 0, away: 0 }

/** Messages to all users, each some times a second, for a while. */
function messagesTo(server: LogServer, ms = 1_800): Disposable & { readonly sent: number } {
  const messages = new ChainedMessages()
  let sent = 0
  const timer = setInterval(() => {
    for (let at = 0; at < 4; at++) {
      const user = 1 + (sent % STREAMS)
      server.publish(user, messages.next(user, 5 + (sent++ % 3)))
    }
  }, 5)
  setTimeout(() => clearInterval(timer), ms)
  return {
    get sent() {
      return sent
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}

function flood(server: LogServer, format: string, ...options: string[]) {
  const wanted = ['--connections', String(STREAMS), '--format', format, '--json']
  return start(['flood', `http://127.0.0.1:${server.port}`, ...wanted, ...options])
}

describe.each(FORMATS)('in %s', (format) => {
  test(
    'streams that churn miss and repeat nothing',
    async () => {
      using server = new LogServer()
      await using flooding = flood(server, format, ...CHURN, '--hold', '2s')
      using sending = messagesTo(server)
      const flooded = await flooding.finished
      const report = floodReport(flooded)
      expect(report.resume).toMatchObject({ ...FINE, gaps: { lost: 0, tooMany: 0, unknown: 0 } })
      expect(report.resume?.resumed).toBeWithin(20, 60)
      expect(report.resume?.replayed).toBeGreaterThan(0)
      expect(report.resume?.chained).toBe(report.received.messages)
      expect(sending.sent).toBeGreaterThan(500)
      expect([flooded.exitCode, report.errors]).toEqual([0, {}])
      // On a machine that is busy with other tests, the hold may be over before there was a churn.
    },
    { retry: 2 },
  )

  test('streams that the server cuts come back, and what it loses then fails the run', async () => {
    using server = new LogServer()
    await using flooding = flood(server, format, '--resume', '--reconnect', '50ms', '--hold', '2s')
    using _ = messagesTo(server)
    await Bun.sleep(800)
    let isLost = false
    server.faults.deliver = (message, isReplay) => {
      const loses = isReplay && !isLost && message.user === '7'
      isLost ||= loses
      return loses ? [] : [message]
    }
    while (!isLost) {
      server.cut()
      await Bun.sleep(300)
    }
    const flooded = await flooding.finished
    const report = floodReport(flooded)
    expect(report.resume).toMatchObject({ ...FINE, missed: 1 })
    expect(report.examples).toMatchObject([{ wrong: 'missed', id: 7 }])
    expect([flooded.exitCode, Object.keys(report.errors)]).toEqual([1, ['cut_short']])
  })

  test('a restart without its log is a gap of all streams, and no failure', async () => {
    using server = new LogServer()
    await using flooding = flood(server, format, '--resume', '--reconnect', '50ms', '--hold', '2s')
    using _ = messagesTo(server)
    await Bun.sleep(800)
    server.cut()
    server.restart()
    const flooded = await flooding.finished
    const report = floodReport(flooded)
    const gaps = { lost: 0, tooMany: 0, unknown: STREAMS }
    expect([flooded.exitCode, report.resume]).toMatchObject([0, { ...FINE, gaps }])
  })

  test('what is accepted is promised, also to those that are away', async () => {
    await using folder = await makeFolder()
    using server = new LogServer()
    const file = `${folder.path}/gen.json`
    const options = [...CHURN, '--hold', '1500ms', '--expect', file]
    await using flooding = flood(server, format, ...options)
    while (server.open < STREAMS) await Bun.sleep(5)
    let sent = 0
    {
      using sending = messagesTo(server)
      await Bun.sleep(1_000)
      sent = sending.sent
    }
    const deliveries = { sent, rejected: 0, delivered: 0, unpromised: 0, unknown: 0, unanswered: 0 }
    await Bun.write(file, JSON.stringify(deliveries))
    const flooded = await flooding.finished
    const { comparison } = floodReport(flooded)
    expect([flooded.exitCode, comparison]).toMatchObject([0, { promised: sent, lost: 0 }])
  })
})

test('the summary says what streams got that came back', async () => {
  using server = new LogServer()
  const address = `127.0.0.1:${server.port}`
  const options = ['--format', 'json', '--resume', '--churn', '100%/s', '--hold', '1s']
  const flooded = await run(['flood', address, '--connections', '5', ...options])
  expect(flooded.stdout).toMatch(
    /resumed {3}\d+ times, 0 messages replayed, 0 missed without a gap/,
  )
  expect(flooded.stdout).toContain('gaps      0 lost, 0 too many, 0 unknown; 0 without reason')
  expect(flooded.stdout).toContain('unproven  whether any were missed')
  expect(flooded.exitCode).toBe(0)
})

test.each([
  [['--resume'], '--resume needs a format with cursors: --format json, sse, websocket or poll'],
  [['--resume', '--format', 'raw'], '--resume needs a format with cursors'],
  [['--format', 'sse', '--framing', 'line'], 'leave out --framing line'],
  [['ws://127.0.0.1:1/x/{id}', '--format', 'json'], '--format json is not of a WebSocket'],
])('%p is refused', async (options, why) => {
  const { exitCode, stderr } = await run(['flood', ...options])
  expect([exitCode, stderr]).toEqual([2, expect.stringContaining(why)])
})

describe('over TLS', () => {
  test.each(FORMATS)('streams in %s resume', async (format) => {
    await using folder = await makeFolder()
    const { cert, key } = await makeCertificate(folder.path, 'flood')
    using server = new LogServer({ cert: Bun.file(cert), key: Bun.file(key) })
    const address = `https://localhost:${server.port}`
    const options = ['--ca', cert, '--format', format, '--connections', '10', ...CHURN]
    await using flooding = start(['flood', address, ...options, '--hold', '1s', '--json'])
    using _ = messagesTo(server)
    const flooded = await flooding.finished
    const report = floodReport(flooded)
    expect(report.resume).toMatchObject({ ...FINE, gaps: { lost: 0, tooMany: 0, unknown: 0 } })
    expect(report.resume?.resumed).toBeGreaterThan(3)
    expect([flooded.exitCode, report.errors]).toEqual([0, {}])
  })

  test('a certificate is checked, unless it need not be', async () => {
    await using folder = await makeFolder()
    const { cert, key } = await makeCertificate(folder.path, 'flood')
    const other = await makeCertificate(folder.path, 'other')
    using server = new LogServer({ cert: Bun.file(cert), key: Bun.file(key) })
    const address = `https://127.0.0.1:${server.port}`
    const shape = ['--format', 'json', '--connections', '3', '--hold', '100ms', '--json']
    const floodWith = async (...options: string[]) => {
      const flooded = await run(['flood', address, ...shape, ...options])
      return [flooded.exitCode, floodReport(flooded).errors]
    }
    expect(await floodWith()).toEqual([1, { tls_failed: 3 }])
    expect(await floodWith('--ca', other.cert)).toEqual([1, { tls_failed: 3 }])
    expect(await floodWith('--ca', cert)).toEqual([0, {}])
    expect(await floodWith('--insecure')).toEqual([0, {}])
    const refused = await run(['flood', address, '--ca', key])
    expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining('has no cert')])
  })
})

describe('a storm', () => {
  test.each([
    ['one process', 4_096],
    ['several', 128],
  ])('cuts the streams of %s, which come back with tokens and catch up', async (_, files) => {
    await using folder = await makeFolder()
    const secret = `${folder.path}/secret`
    await Bun.write(secret, 'a secret of at least thirty-two characters\n')
    await chmod(secret, 0o600)
    using server = new LogServer()
    const shape = ['--storm', '100', '--hold', '1s', '--format', 'websocket', '--json']
    const options = [...shape, '--token-secret-file', secret, '--assert', 'caught-up<3s,missed=0']
    const command = [COMET, 'flood', `http://127.0.0.1:${server.port}`, ...options]
    await using flooding = new ChildProcess(
      ['bash', '-c', `ulimit -n ${files} && exec "$@"`, 'bash', ...command],
      { name: 'comet flood' },
    )
    using __ = messagesTo(server, 4_000)
    const flooded = await flooding.finished
    const { connections, storm, resume, client } = floodReport(flooded)
    expect(connections).toEqual({ wanted: 100, opened: 100, failed: 0, closed: 0 })
    expect(client.processes).toBe(files === 128 ? 2 : 1)
    expect(storm).toMatchObject({ cut: 100 })
    const openedMs = storm?.openedMs ?? 0
    expect(storm?.resumedMs ?? 0).toBeWithin(openedMs, 3_000)
    expect(storm?.caughtUpMs ?? 0).toBeWithin(storm?.resumedMs ?? 0, 3_001)
    const opened = storm?.curve.reduce((sum, point) => sum + point.opened, 0)
    expect([opened, resume?.resumed]).toEqual([100, 100])
    expect(server.requests.get('100')).toMatch(
      /&after=[-0-9a-f]{25} HTTP.*\r\n(?:.+\r\n)*Authorization: Bearer ey/,
    )
    expect(flooded.exitCode).toBe(0)
  })

  test('at a rate is as fast as that, and the summary has its curve', async () => {
    using server = new LogServer()
    const shape = ['--storm', '50', '--hold', '500ms', '--format', 'json', '--rate', '50']
    const flooded = await run(['flood', `127.0.0.1:${server.port}`, ...shape])
    expect(flooded.exitCode).toBe(0)
    expect(flooded.stdout).toMatch(
      /storm {5}50 cut: all open after 9\d\d ms, resumed after 9\d\d ms/,
    )
    expect(flooded.stdout).toMatch(/opened\/s {2}[▁-█]{9,11} {2}max \d\d, 0.1 s a column/)
  })

  test.each([
    [['--format', 'raw', '--storm', '5'], '--storm needs a format with cursors'],
    [
      ['--format', 'sse', '--storm', '5', '--connections', '4'],
      'more streams than --connections 4',
    ],
    [['--format', 'sse', '--storm', '5', '--churn', '1%/s'], 'give --storm or --churn, not both'],
  ])('with %p is refused', async (options, why) => {
    const { exitCode, stderr } = await run(['flood', ...options])
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(why)])
  })
})
