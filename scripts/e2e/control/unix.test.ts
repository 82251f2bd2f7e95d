// Goal: the control port may be a Unix socket, whose file says who may use it.
// Method: the executable with a socket in a folder of its own, asked by fetch, health and gen.

import { expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { run, type ServeStats, serve } from '../../support/comet.ts'
import { RawClient } from '../../support/raw-client.ts'

function folder() {
  const path = mkdtempSync(`${tmpdir()}/comet-unix-`)
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}

async function accepted(unix: string): Promise<number> {
  const stats = (await (await fetch('http://localhost/stats', { unix })).json()) as ServeStats
  return stats.messages.accepted
}

test('a control port on a Unix socket takes messages, and its file is the lock', async () => {
  using own = folder()
  const unix = `${own.path}/comet.sock`
  const control = `unix:${unix}`
  await using server = await serve(['--control', control, '--control-mode', '0660'])
  expect(server.controlUrl).toBe(control)
  expect(statSync(unix).mode & 0o777).toBe(0o660)
  const answer = await fetch('http://localhost/messages', {
    unix,
    method: 'POST',
    body: '{"to":1,"body":"x"}',
  })
  expect([answer.status, await answer.json()]).toEqual([200, { delivered: 0 }])
  expect((await run(['health', control, '--ready'])).exitCode).toBe(0)
  expect((await run(['health'], { env: { COMET_CONTROL: control } })).exitCode).toBe(0)
  const sent = await run(['gen', control, '--messages', '5', '--json'])
  expect([sent.exitCode, await accepted(unix)]).toEqual([0, 6])
  const second = await run([
    'serve',
    '--listen',
    '127.0.0.1:0',
    '--db',
    ':memory:',
    '--control',
    control,
  ])
  expect(second.exitCode).not.toBe(0)
  expect(second.stderr).toContain('in use')
  server.kill('SIGTERM')
  expect((await server.finished).exitCode).toBe(0)
  expect(existsSync(unix)).toBe(false)
})

test('the file of a server that was killed is replaced, and is for its user alone', async () => {
  using own = folder()
  const unix = `${own.path}/comet.sock`
  const first = await serve(['--control', `unix:${unix}`])
  await first[Symbol.asyncDispose]()
  expect(existsSync(unix)).toBe(true)
  await using _second = await serve(['--control', `unix:${unix}`])
  expect(statSync(unix).mode & 0o777).toBe(0o600)
})

test('a client that does not finish its request holds no connection there either', async () => {
  using own = folder()
  const unix = `${own.path}/comet.sock`
  await using _server = await serve(['--control', `unix:${unix}`, '--body-timeout', '1s'])
  const half = 'POST /messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: 20\r\n'
  const [silent, head, body] = await Promise.all(
    ['', half, `${half}\r\n{"to"`].map((text) => RawClient.openUnix(unix, text)),
  )
  expect(await body?.ended()).toContain('HTTP/1.1 408')
  // Bun's own ten seconds for a head, give or take two.
  expect(await Promise.all([silent?.ended(), head?.ended()])).toEqual(['', ''])
})
