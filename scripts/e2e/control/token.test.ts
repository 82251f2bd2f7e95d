// Goal: with a token the control port can be on any address, and no one without it publishes or
// reads. Method: the executable, requests with and without the token, and gen with it.

import { expect, test } from 'bun:test'
import { chmod } from 'node:fs/promises'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, NO_FILE, run, serve } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { RawClient } from '../../support/raw-client.ts'
import { genReport } from '../../support/reports.ts'

const TOKEN = 'correct-horse-battery'

async function tokenFile(text = `${TOKEN}\n`, mode = 0o600) {
  const folder = await makeFolder()
  const path = `${folder.path}/token`
  await Bun.write(path, text)
  await chmod(path, mode)
  return { path, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() }
}

/** A server whose control port is on every address. */
async function serveAnywhere(path: string): Promise<CometServer> {
  const server = await serve(['--control', '0.0.0.0:0', '--control-token-file', path])
  server.controlUrl = `http://127.0.0.1:${server.controlPort}`
  return server
}

async function statusOf(server: CometServer, path: string, token: string | null) {
  const headers = token === null ? {} : { authorization: `Bearer ${token}` }
  return (await server.ask(path, { headers })).status
}

test('comet serve refuses a control port off loopback without a token', async () => {
  const { exitCode, stderr } = await run(['serve', ...NO_FILE, '--control', '0.0.0.0:8001'])
  expect(exitCode).toBe(2)
  expect(stderr).toContain('without --control-token-file it must be on a loopback address')
})

test('all paths but health take the token, and refusals are logged without it', async () => {
  await using file = await tokenFile()
  await using server = await serveAnywhere(file.path)
  for (const path of ['/stats', '/users/1', '/openapi', '/nonsense', '/subscriptions']) {
    expect([path, await statusOf(server, path, null)]).toEqual([path, 401])
    expect(await statusOf(server, path, 'wrong-horse-battery!!')).toBe(401)
  }
  for (const path of ['/livez', '/readyz']) {
    expect(await statusOf(server, path, null)).toBe(200)
  }
  expect(await statusOf(server, '/stats', TOKEN)).toBe(200)
  const publish = (headers: Record<string, string>) =>
    server.ask('/messages', { method: 'POST', headers, body: '{"to":1,"body":"x"}' })
  expect((await publish({})).status).toBe(401)
  expect(await (await publish({ authorization: `Bearer ${TOKEN}` })).json()).toMatchObject({
    delivered: 0,
  })
  await server.logged('"event":"unauthorized"')
  await server.logged('it has no token')
  expect(server.stderr).not.toContain(TOKEN)
})

test('comet gen sends the token of --control-token-file', async () => {
  await using file = await tokenFile()
  await using server = await serveAnywhere(file.path)
  const gen = ['gen', server.controlUrl, '--rate', '500', '--duration', '200ms', '--json']
  const report = genReport(await run([...gen, '--control-token-file', file.path]))
  expect([report.sent > 0, report.errors]).toEqual([true, {}])
  const refused = await run(gen)
  expect(refused.exitCode).toBe(1)
  expect(genReport(refused).errors).toHaveProperty('status_401')
  expect(refused.stderr).toContain(
    `comet gen: ${server.controlUrl} asks for a token: --control-token-file\n`,
  )
  await using other = await tokenFile('another-horse-battery-staple')
  const wrong = await run([...gen, '--control-token-file', other.path])
  expect(wrong.stderr).toContain(`${server.controlUrl} rejects the token of`)
})

test('a token with a role allows no more than that, and roles are read again at SIGHUP', async () => {
  const [publisher, reader] = ['publisher-horse-battery', 'prometheus-horse-battery']
  await using file = await tokenFile(`publish ${publisher}\nread ${reader}\nadmin ${TOKEN}\n`)
  await using server = await serveAnywhere(file.path)
  const publish = async (token: string) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const message = { method: 'POST', headers, body: '{"to":1,"body":"x"}' }
    return (await server.ask('/messages', message)).status
  }
  expect([await publish(publisher), await statusOf(server, '/stats', publisher)]).toEqual([
    200, 403,
  ])
  expect([await publish(reader), await statusOf(server, '/metrics', reader)]).toEqual([403, 200])
  expect([await publish(TOKEN), await statusOf(server, '/stats', TOKEN)]).toEqual([200, 200])
  await server.logged('its token is for publish alone')
  await Bun.write(file.path, `publish ${reader}\n`)
  server.kill('SIGHUP')
  await waitFor('the new roles', async () => (await publish(reader)) === 200)
  expect(await statusOf(server, '/stats', TOKEN)).toBe(401)
})

test('a token with a role is not for a path that only looks like its own', async () => {
  const publisher = 'publisher-horse-battery'
  await using file = await tokenFile(`publish ${publisher}\nadmin ${TOKEN}\n`)
  await using server = await serveAnywhere(file.path)
  for (const path of [
    ...['/users/..\\subscriptions', '/users/../subscriptions', '/users/%2e%2e/subscriptions'],
    ...['/users/1\\..\\..\\subscriptions', '//subscriptions', '/users//subscriptions'],
    ...['/users/7/streams', '/tickets', '/subscriptions', '/messages/../subscriptions'],
  ]) {
    await using client = await RawClient.open(
      server.controlPort,
      `POST ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${publisher}\r\n` +
        'Content-Encoding: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\n5 6\n',
    )
    expect([path, (await client.ended()).split(' ')[1]]).toEqual([path, '403'])
  }
  const headers = { authorization: `Bearer ${TOKEN}` }
  const subscribers = await server.ask('/users/6/subscribers', { headers })
  expect(await subscribers.json()).toEqual({ users: [], next: null })
})

test('a token file that others can read, as in containers, is used with a warning', async () => {
  await using file = await tokenFile(`${TOKEN}\n`, 0o444)
  await using server = await serveAnywhere(file.path)
  expect(await statusOf(server, '/stats', TOKEN)).toBe(200)
  await server.logged('can be read by others; chmod 400')
})

test.each([
  ['short\n', 0o600, 'is shorter than 16 characters'],
  ['\n', 0o600, 'is empty'],
  [`${TOKEN}\u0001`, 0o600, 'has characters that a token cannot have'],
])(
  'a token file with %j and mode %o is refused, and its content not printed',
  async (text, mode, why) => {
    await using file = await tokenFile(text, mode)
    for (const command of [['serve', ...NO_FILE], ['gen']]) {
      const { exitCode, stderr } = await run([...command, '--control-token-file', file.path])
      expect(exitCode).toBe(2)
      expect(stderr).toContain(why)
      expect(stderr).not.toContain('horse')
    }
  },
)
