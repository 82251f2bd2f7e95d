// Goal: a service manager is notified when the server is ready, alive and stopping; the unit in the
// repository is valid. Method: a socket like the manager's, and the executable.

import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { waitFor } from '../../support/child-process.ts'
import { run, serve } from '../../support/comet.ts'
import { Datagrams } from '../../support/datagram.ts'
import { makeFolder } from '../../support/folder.ts'
import { RawClient } from '../../support/raw-client.ts'

const UNIT = `${import.meta.dir}/../../operate/comet.service`

function isReady(datagrams: Datagrams): boolean {
  return datagrams.all().some((text) => text.startsWith('READY=1\nSTATUS=Streams on http://'))
}

test('the manager is notified when both ports are open, and when the server stops', async () => {
  await using folder = await makeFolder()
  using datagrams = new Datagrams(`${folder.path}/notify`)
  const env = { NOTIFY_SOCKET: `${folder.path}/notify` }
  await using server = await serve(['--drain', '500ms'], { env })
  await using _ = await RawClient.stream(server.publicPort, 1)
  await waitFor('READY', () => isReady(datagrams))
  expect(datagrams.all().filter((text) => text.includes('WATCHDOG'))).toEqual([])
  server.kill('SIGTERM')
  await waitFor('STOPPING', () =>
    datagrams.all().includes('STOPPING=1\nEXTEND_TIMEOUT_USEC=15000000'),
  )
  expect((await server.finished).exitCode).toBe(0)
})

test('the watchdog is notified as often as it asks for', async () => {
  const name = `@comet-test-${crypto.randomUUID()}`
  using datagrams = new Datagrams(name)
  const env = { NOTIFY_SOCKET: name, WATCHDOG_USEC: '100000' }
  await using server = await serve([], { env })
  await waitFor(
    'signs of life',
    () => datagrams.all().filter((text) => text === 'WATCHDOG=1').length > 5,
  )
  // A loop that does not turn gives none.
  server.kill('SIGSTOP')
  const before = datagrams.all().length
  const until = performance.now() + 500
  await waitFor('half a second', () => performance.now() > until)
  expect(datagrams.all().length - before).toBeLessThan(2)
  server.kill('SIGCONT')
})

test('a watchdog for another process is ignored, and workers get neither variable', async () => {
  const name = `@comet-test-${crypto.randomUUID()}`
  using datagrams = new Datagrams(name)
  const env = { NOTIFY_SOCKET: name, WATCHDOG_USEC: '100000', WATCHDOG_PID: '1' }
  await using server = await serve(['--workers', '2'], { env })
  await waitFor('READY', () => isReady(datagrams))
  for (const { pid } of (await server.stats()).workers) {
    const environment = readFileSync(`/proc/${pid}/environ`, 'latin1')
    expect(environment).not.toContain('NOTIFY_SOCKET')
    expect(environment).not.toContain('WATCHDOG')
  }
  expect(datagrams.all().filter((text) => text.includes('WATCHDOG'))).toEqual([])
})

test('a server runs without a service manager, and with one that is gone', async () => {
  for (const path of ['', '/nonexistent/notify', `/${'x'.repeat(200)}`]) {
    await using server = await serve([], { env: { NOTIFY_SOCKET: path } })
    server.kill('SIGTERM')
    expect((await server.finished).exitCode).toBe(0)
    expect(server.stderr).not.toContain('"event":"bug"')
  }
})

test('the unit starts comet with options that exist', async () => {
  const unit = await Bun.file(UNIT).text()
  const commands = [...unit.matchAll(/^ExecStart(?:Pre)?=\S*\/comet (.+)$/gm)].map(([, of]) => of)
  expect(commands).toHaveLength(2)
  const help = (await run(['serve', '--help'])).stdout
  for (const [option] of commands.join(' ').matchAll(/--[a-z-]+/g)) expect(help).toContain(option)
  expect(unit).toContain('Type=notify')
  expect(unit).toMatch(/^WatchdogSec=\d+$/m)
})

test.skipIf(Bun.which('systemd-analyze') === null)('systemd-analyze accepts the unit', async () => {
  await using folder = await makeFolder()
  const path = `${folder.path}/comet.service`
  const unit = await Bun.file(UNIT).text()
  await Bun.write(path, unit.replaceAll('/usr/local/bin/comet', '/bin/true'))
  const { stderr, exitCode } = await Bun.$`systemd-analyze verify ${path}`.quiet().nothrow()
  expect([exitCode, stderr.toString().includes('comet.service')]).toEqual([0, false])
})
