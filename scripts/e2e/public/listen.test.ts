// Goal: the public port may have several addresses, and each does what a single one does, with workers
// too. Method: the executable on IPv4 and IPv6 loopback, with streams on both.

import { describe, expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, NO_FILE, run, serve } from '../../support/comet.ts'
import { RawClient } from '../../support/raw-client.ts'

const BOTH = '127.0.0.1:0,[::1]:0'

/** One stream of the user by each of the server's addresses; the second message is what they get. */
async function streamsOf({ publicUrls }: CometServer, user: number): Promise<string[]> {
  const abort = new AbortController()
  const texts = publicUrls.map(() => '')
  for (const [at, url] of publicUrls.entries()) {
    const response = await fetch(`${url}/test/${user}`, { signal: abort.signal })
    const read = async () => {
      for await (const part of response.body ?? []) texts[at] += new TextDecoder().decode(part)
    }
    read().catch(() => undefined)
  }
  return texts
}

/** A port that was free on all addresses a moment ago. */
function freePort(): number {
  const probe = Bun.listen({ hostname: '::', port: 0, socket: { data: () => undefined } })
  const { port } = probe
  probe.stop(true)
  return port
}

describe.each([
  ['one process', []],
  ['two workers', ['--workers', '2']],
] as const)('--listen with several addresses, in %s', (_, args) => {
  test('takes streams on each of them, and a message reaches all', async () => {
    await using server = await serve(['--listen', BOTH, ...args])
    expect(server.publicUrls).toEqual([
      expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      expect.stringMatching(/^http:\/\/\[::1\]:\d+$/),
    ])
    const texts = await streamsOf(server, 7)
    expect(await server.publish({ to: 7, body: 'both' })).toBe(2)
    await waitFor('the message', () => texts.every((text) => text.includes('both')))
    server.kill('SIGTERM')
    expect((await server.finished).exitCode).toBe(0)
    expect(server.stderr).not.toContain('"event":"bug"')
  })

  test('takes IPv4 and IPv6 of all addresses at the same port', async () => {
    const port = freePort()
    await using _server = await serve(['--listen', `0.0.0.0:${port},[::]:${port}`, ...args])
    for (const host of ['127.0.0.1', '[::1]']) {
      const response = await fetch(`http://${host}:${port}/test/1`, { method: 'HEAD' })
      expect([host, response.status]).toEqual([host, 200])
    }
  })

  test('opens none of them if one is taken, and says which', async () => {
    using taken = Bun.listen({ hostname: '::1', port: 0, socket: { data: () => undefined } })
    const listen = ['--listen', `127.0.0.1:0,[::1]:${taken.port}`, '--control', '127.0.0.1:0']
    const ended = await run(['serve', ...listen, ...NO_FILE, ...args])
    expect([ended.exitCode, ended.stderr]).toEqual([
      69,
      expect.stringContaining(`the public port ::1:${taken.port} is in use`),
    ])
    expect(ended.stderr).not.toContain('"event":"listening"')
  })

  test('cuts who sends no request on each of them', async () => {
    await using server = await serve(['--listen', BOTH, '--head-timeout', '1s', ...args])
    for (const url of server.publicUrls) {
      const { hostname, port } = new URL(url)
      const to = hostname.replace(/[[\]]/g, '')
      await using client = await RawClient.open(Number(port), '', { to, from: to })
      expect(await client.ended()).toBe('')
    }
  }, 20_000)
})

test('--listen may be given several times, and in a variable', async () => {
  await using twice = await serve(['--listen', '127.0.0.1:0', '--listen', '[::1]:0'])
  expect(twice.publicUrls).toHaveLength(2)
  const listen = { COMET_LISTEN: BOTH }
  const { stdout } = await run(['config'], { env: listen })
  expect(stdout).toMatch(/^listen = \["127\.0\.0\.1:0","\[::1\]:0"\] +# COMET_LISTEN$/m)
})

test('a port alone is on every address for streams, and on loopback for messages', async () => {
  await using server = await serve(['--listen', '0', '--control', '0'])
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
