// Goal: the control port can be a Unix socket, whose file mode controls access.
// Method: the executable with a socket in a folder of its own, asked by fetch, health and gen.

import { expect, test } from 'bun:test'
import { existsSync, statSync } from 'node:fs'
import { NO_FILE, run, serve } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { RawClient } from '../../support/raw-client.ts'

test.concurrent('a Unix socket as control port takes messages, by the mode of --control-mode', async () => {
  await using own = await makeFolder()
  const unix = `${own.path}/comet.sock`
  const control = `unix:${unix}`
  await using server = await serve(['--control', control, '--control-mode', '0660'])
  expect(server.controlUrl).toBe(control)
  expect(statSync(unix).mode & 0o777).toBe(0o660)
  expect(await server.publish({ to: 1, body: 'x' })).toBe(0)
  expect((await run(['health', control, '--ready'])).exitCode).toBe(0)
  expect((await run(['health'], { env: { COMET_CONTROL: control } })).exitCode).toBe(0)
  const sent = await run(['gen', control, '--messages', '5', '--json'])
  expect([sent.exitCode, (await server.stats()).messages.accepted]).toEqual([0, 6])
  const second = await run(['serve', '--listen', '127.0.0.1:0', ...NO_FILE, '--control', control])
  expect(second.exitCode).not.toBe(0)
  expect(second.stderr).toContain('in use')
  server.kill('SIGTERM')
  expect((await server.finished).exitCode).toBe(0)
  expect(existsSync(unix)).toBe(false)
})

test.concurrent('the socket file of a killed server is replaced, with mode 0600', async () => {
  await using own = await makeFolder()
  const unix = `${own.path}/comet.sock`
  const first = await serve(['--control', `unix:${unix}`])
  await first[Symbol.asyncDispose]()
  expect(existsSync(unix)).toBe(true)
  await using _second = await serve(['--control', `unix:${unix}`])
  expect(statSync(unix).mode & 0o777).toBe(0o600)
})

test.concurrent('an unfinished request on a Unix socket is cut as on a port', async () => {
  await using own = await makeFolder()
  const unix = `${own.path}/comet.sock`
  await using _server = await serve(['--control', `unix:${unix}`, '--body-timeout', '1s'])
  const half = 'POST /messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: 20\r\n'
  const [silent, head, body] = await Promise.all(
    ['', half, `${half}\r\n{"to"`].map((text) => RawClient.openUnix(unix, text)),
  )
  expect(await body?.ended()).toContain('HTTP/1.1 408')
  // Ten seconds for a head.
  expect(await Promise.all([silent?.ended(), head?.ended()])).toEqual(['', ''])
})
