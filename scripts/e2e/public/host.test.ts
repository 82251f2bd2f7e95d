// Goal: DNS rebinding gives no page access to the control port, and a request with no host or two
// is refused on both ports. Method: the executable, raw requests, and Chromium with a mapped name.

import { expect, test } from 'bun:test'
import { BrowserPage, withChromium } from '../../support/browser.ts'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, run, serve } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { RawClient } from '../../support/raw-client.ts'

interface Answer {
  readonly status: number
  readonly text: string
}

/** What a head without a body is answered; each header is a line. */
async function answerTo(port: number, path: string, ...headers: string[]): Promise<Answer> {
  const head = [`GET ${path} HTTP/1.1`, ...headers, 'Connection: close', '', ''].join('\r\n')
  await using client = await RawClient.open(port, head)
  const text = await client.ended()
  return { status: Number(text.split(' ')[1]), text }
}

async function publish(server: CometServer, host: string, origin?: string): Promise<Response> {
  return server.ask('/messages', {
    method: 'POST',
    headers: { host, ...(origin === undefined ? {} : { origin }) },
    body: '{"to":1,"body":"x"}',
  })
}

test('the control port answers to hosts of loopback, and with 421 to any other', async () => {
  await using server = await serve()
  for (const host of ['localhost', '127.0.0.1:1', '127.8.8.8:8001', '[::1]:8001', 'LOCALHOST.']) {
    expect([host, (await answerTo(server.controlPort, '/stats', `Host: ${host}`)).status]).toEqual([
      ...[host, 200],
    ])
  }
  for (const path of ['/', '/stats', '/livez', '/nope', '/messages', '/dashboard/live']) {
    const { status, text } = await answerTo(server.controlPort, path, 'Host: evil.example:8001')
    expect([path, status]).toEqual([path, 421])
    expect(text).toContain('"code":"unknown_host"')
    expect(text).toContain('--control-host evil.example')
  }
  const rebound = await publish(server, 'evil.example:8001', 'http://evil.example:8001')
  expect(rebound.status).toBe(421)
  expect((await server.stats()).messages.accepted).toBe(0)
  await server.logged('it is for evil.example')
})

test('a control port off loopback answers to any address, as probes of pods use, but to no name', async () => {
  await using folder = await makeFolder()
  await Bun.write(`${folder.path}/token`, 'correct-horse-battery\n')
  const token = ['--control-token-file', `${folder.path}/token`]
  await using server = await serve(['--control', '0.0.0.0:0', ...token])
  const status = async (host: string) =>
    (await answerTo(server.controlPort, '/readyz', `Host: ${host}`)).status
  expect(await Promise.all(['10.1.2.3:8001', '[fd00::1]', '0.0.0.0'].map(status))).toEqual([
    ...[200, 200, 200],
  ])
  expect(await status('evil.example')).toBe(421)
})

test('SIGHUP changes --control-host, which adds names, and --control-origin, which adds pages', async () => {
  await using folder = await makeFolder()
  const file = `${folder.path}/comet.toml`
  const options = (name: string) =>
    `[serve]\ncontrol-host = ["${name}.example"]\ncontrol-origin = ["https://${name}.example"]\n`
  await Bun.write(file, options('one'))
  await using server = await serve(['--config', file])
  const statuses = async (name: string) => [
    (await publish(server, `${name}.example:8001`)).status,
    (await publish(server, 'localhost', `https://${name}.example`)).status,
  ]
  expect(await statuses('one')).toEqual([200, 200])
  expect(await statuses('two')).toEqual([421, 403])
  await Bun.write(file, options('two'))
  server.kill('SIGHUP')
  await server.logged('control-host is two.example now')
  expect(await statuses('one')).toEqual([421, 403])
  expect(await statuses('two')).toEqual([200, 200])
})

test.each([
  [['--control-host', 'comet.example:8001'], 'a name without a port like comet.example'],
  [['--control-host', 'http://comet'], 'a name without a port like comet.example'],
  [['--control-origin', 'comet.example'], 'an origin like https://dashboard.example'],
  [['--control-origin', '*'], 'an origin like https://dashboard.example'],
])('comet serve %p is refused with what is expected', async (args, why) => {
  const { exitCode, stderr } = await run(['serve', ...args])
  expect([exitCode, stderr]).toEqual([2, expect.stringContaining(why)])
})

test('a request with no host, two, or an invalid one gets 400 on both ports', async () => {
  await using server = await serve()
  const heads = [
    [],
    ['Host:'],
    ['Host: localhost', 'Host: localhost'],
    ['Host: localhost', 'Host: evil.example'],
    ['Host: localhost', 'host:'],
    ['Host: a b'],
    ['Host: ['],
    ['Host: [zz]'],
    ['Host: user@localhost'],
    ['Host: localhost/x'],
    ['Host: localhost:99999'],
  ]
  for (const [port, path] of [
    [server.controlPort, '/livez'],
    [server.controlPort, '/nope'],
    [server.publicPort, '/test/1'],
    [server.publicPort, '/nope'],
  ] as const) {
    for (const head of heads) {
      const { status } = await answerTo(port, path, ...head)
      expect([path, head, status]).toEqual([path, head, 400])
    }
  }
})

test('the public port answers to any name, unless it is for its own machine alone', async () => {
  const named = 'GET /test/1 HTTP/1.1\r\nHost: anything.example:1\r\n\r\n'
  await using open = await serve(['--anonymous'])
  await using client = await RawClient.open(open.publicPort, named)
  await client.received('Id: 1\n')
  await using local = await serve()
  await using refused = await RawClient.open(local.publicPort, named)
  await waitFor('the answer', () => refused.text.startsWith('HTTP/1.1 421 '))
  await local.open(0)
})

withChromium('a page that rebinds its name to the control port gets 421', async () => {
  await using server = await serve()
  await using page = await BrowserPage.open({ localNames: ['evil.example'] })
  const ask = (path: string, options = '{}') =>
    page.ask<number>(`fetch('${path}', ${options}).then(({ status }) => status)`)
  const type = `headers: { 'content-type': 'application/json' }`
  const message = `{ method: 'POST', ${type}, body: '{"to":1,"body":"x"}' }`
  await page.goTo(`http://evil.example:${server.controlPort}/`)
  expect(await page.ask('document.body.textContent')).toContain('unknown_host')
  expect([await ask('/stats'), await ask('/messages', message)]).toEqual([421, 421])
  await page.goTo(`${server.controlUrl}/`)
  expect([await ask('/stats'), await ask('/messages', message)]).toEqual([200, 200])
  expect((await server.stats()).messages.accepted).toBe(1)
})
