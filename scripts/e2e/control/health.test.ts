// Goal: `comet health` exits 0 for a healthy server and 1 for anything else, within its time limit.
// Method: the executable against a real server, and against ones that misbehave.

import { expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { freePort, run, serve } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { RawClient } from '../../support/raw-client.ts'

const QUIET = { exitCode: 0, stdout: '', stderr: '' }

/** A server that sends these bytes to anyone who connects, and nothing more. */
function answering(text: string) {
  return Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: { data: (socket) => void socket.write(text) },
  })
}

test('comet health exits 0 and prints nothing for a healthy server', async () => {
  await using server = await serve()
  expect(await run(['health', server.controlUrl])).toEqual(QUIET)
  expect(await run(['health', server.controlUrl, '--ready'])).toEqual(QUIET)
})

test('a full server passes comet health and fails comet health --ready', async () => {
  await using server = await serve(['--max-streams', '1'])
  await using _client = await RawClient.stream(server.publicPort, 1)
  await waitFor('the server to be full', async () => (await server.stats()).state === 'full')
  expect(await run(['health', server.controlUrl])).toEqual(QUIET)
  const ready = await run(['health', server.controlUrl, '--ready'])
  expect(ready).toEqual({
    exitCode: 1,
    stdout: '',
    stderr: `comet health: ${server.controlUrl}/readyz answered 503, full\n`,
  })
})

test('comet health without a URL asks at COMET_CONTROL', async () => {
  await using server = await serve()
  const everywhere = { COMET_CONTROL: `0.0.0.0:${server.controlPort}` }
  expect(await run(['health'], { env: everywhere })).toEqual(QUIET)
  const elsewhere = await run(['health'], { env: { COMET_CONTROL: 'nonsense' } })
  expect(elsewhere.exitCode).toBe(2)
  expect(elsewhere.stderr).toContain('control of COMET_CONTROL: expected an address')
})

test('comet health without a URL asks where the configuration file says', async () => {
  await using folder = await makeFolder()
  const file = `${folder.path}/comet.toml`
  await using server = await serve()
  await Bun.write(file, `[serve]\ncontrol = "127.0.0.1:${server.controlPort}"\n`)
  expect(await run(['health', '--config', file])).toEqual(QUIET)
  expect(await run(['health', '--ready'], { env: { COMET_CONFIG: file } })).toEqual(QUIET)
})

test('comet health ignores the proxies of the environment', async () => {
  await using server = await serve()
  const nowhere = `http://127.0.0.1:${freePort()}`
  const env = { http_proxy: nowhere, HTTP_PROXY: nowhere, no_proxy: '', NO_PROXY: '' }
  expect(await run(['health', server.controlUrl], { env })).toEqual(QUIET)
})

test('comet health says so where nothing listens', async () => {
  const url = `http://127.0.0.1:${freePort()}`
  expect(await run(['health', url])).toEqual({
    exitCode: 1,
    stdout: '',
    stderr: `comet health: nothing listens at ${url}\n`,
  })
})

test.each([
  ['says nothing', '', 'has not answered for 3000 ms'],
  ['never ends its head', 'HTTP/1.1 200 OK\r\nX: ', 'has not answered for 3000 ms'],
  ['never ends its body', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{', 'for 3000 ms'],
  [
    'is not comet',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    '200, which is not from comet',
  ],
  ['speaks no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n', 'does not answer'],
  [
    'sends too long an answer',
    `HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n${'x'.repeat(9_999)}`,
    '',
  ],
  [
    'redirects',
    'HTTP/1.1 307 Go\r\nLocation: /readyz\r\nContent-Length: 0\r\n\r\n',
    'answered 307',
  ],
])('comet health exits 1 for a server that %s', async (_what, text, why) => {
  using listener = answering(text)
  const result = await run(['health', `http://127.0.0.1:${listener.port}`])
  expect(result.exitCode).toBe(1)
  expect(result.stderr).toContain(why)
  expect(result.stderr.trim().split('\n')).toHaveLength(1)
})

test.each(['https://127.0.0.1:8001', '127.0.0.1', 'http://127.0.0.1:8001/stats', 'http://['])(
  'comet health refuses %s as a URL, exit 2',
  async (url) => {
    const result = await run(['health', url])
    expect(result.exitCode).toBe(2)
    expect(result.stderr).toContain('expected a URL like http://127.0.0.1:8001')
  },
)
