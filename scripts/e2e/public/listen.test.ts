// Goal: each of several addresses of --listen works as a single one does, with workers too.
// Method: the executable on IPv4 and IPv6 loopback, with streams on both.

import { describe, expect, test } from 'bun:test'
import { ask, freePort, NO_FILE, run, serve } from '../../support/comet.ts'
import { chunk, get, RawClient } from '../../support/raw-client.ts'

const BOTH = '127.0.0.1:0,[::1]:0'

describe.each([
  ['one process', []],
  ['two workers', ['--workers', '2']],
] as const)('--listen with several addresses, in %s', (_, args) => {
  test('each address takes streams, and a message reaches all of them', async () => {
    await using server = await serve(['--listen', BOTH, ...args])
    expect(server.publicUrls).toEqual([
      expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      expect.stringMatching(/^http:\/\/\[::1\]:\d+$/),
    ])
    const [v4 = '', v6 = ''] = server.publicUrls
    using one = await RawClient.open(Number(new URL(v4).port), get('/test/7'))
    using other = await RawClient.open(Number(new URL(v6).port), get('/test/7'), { to: '::1' })
    await server.open(2)
    expect(await server.publish({ to: 7, body: 'both' })).toBe(2)
    for (const client of [one, other]) await client.received(chunk('both'))
    server.kill('SIGTERM')
    expect((await server.finished).exitCode).toBe(0)
    expect(server.stderr).not.toContain('"event":"bug"')
  })

  test('0.0.0.0 and [::] can share a port', async () => {
    const port = freePort()
    await using _server = await serve([
      ...['--anonymous', '--listen', `0.0.0.0:${port},[::]:${port}`, ...args],
    ])
    for (const host of ['127.0.0.1', '[::1]']) {
      const { status } = await ask(`http://${host}:${port}`, '/test/1', { method: 'HEAD' })
      expect([host, status]).toEqual([host, 200])
    }
  })

  test('none is opened if one is in use, and the error names it', async () => {
    using taken = Bun.listen({ hostname: '::1', port: 0, socket: { data: () => undefined } })
    const listen = ['--listen', `127.0.0.1:0,[::1]:${taken.port}`, '--control', '127.0.0.1:0']
    const ended = await run(['serve', ...listen, ...NO_FILE, ...args])
    expect([ended.exitCode, ended.stderr]).toEqual([
      69,
      expect.stringContaining(`the public port ::1:${taken.port} is in use`),
    ])
    expect(ended.stderr).not.toContain('"event":"listening"')
  })

  test('--head-timeout cuts connections without a request at each address', async () => {
    await using server = await serve(['--listen', BOTH, '--head-timeout', '1s', ...args])
    for (const url of server.publicUrls) {
      const { hostname, port } = new URL(url)
      const to = hostname.replace(/[[\]]/g, '')
      await using client = await RawClient.open(Number(port), '', { to, from: to })
      expect(await client.ended()).toBe('')
    }
  }, 20_000)
})

test('--listen can be repeated, and COMET_LISTEN can hold a list', async () => {
  await using twice = await serve(['--listen', '127.0.0.1:0', '--listen', '[::1]:0'])
  expect(twice.publicUrls).toHaveLength(2)
  const listen = { COMET_LISTEN: BOTH }
  const { stdout } = await run(['config'], { env: listen })
  expect(stdout).toMatch(/^listen = \["127\.0\.0\.1:0","\[::1\]:0"\] +# COMET_LISTEN$/m)
})

test('a port without an address means every address for streams, and loopback for the control port', async () => {
  await using server = await serve(['--anonymous', '--listen', '0', '--control', '0'])
  expect(server.publicUrl).toStartWith('http://0.0.0.0:')
  expect(server.controlUrl).toStartWith('http://127.0.0.1:')
})

test.each([
  ['127.0.0.1:8000,127.0.0.1:8000', '--listen has 127.0.0.1:8000 twice'],
  [Array.from({ length: 17 }, () => '127.0.0.1:0').join(), '--listen takes 16 addresses at most'],
  ['127.0.0.1:8000,nonsense', 'an address like 127.0.0.1:8001'],
])('--listen %p is refused', async (listen, why) => {
  const { exitCode, stderr } = await run(['serve', '--listen', listen, ...NO_FILE])
  expect([exitCode, stderr]).toEqual([2, expect.stringContaining(why)])
})
