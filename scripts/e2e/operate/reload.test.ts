// Goal: at SIGHUP a running server reads its files again, applies what can change, and says what
// that is; an invalid file changes nothing. Method: the executable with files that are written
// again.

import { describe, expect, test } from 'bun:test'
import { chmod } from 'node:fs/promises'
import { childrenOf, waitFor } from '../../support/child-process.ts'
import { type CometServer, NO_FILE, serve, start } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { RawClient } from '../../support/raw-client.ts'

/** How a user may open a stream, as a status. */
async function statusOf({ publicUrl }: CometServer, user: number): Promise<number> {
  return (await fetch(`${publicUrl}/test/${user}`, { method: 'HEAD' })).status
}

async function hangUp(server: CometServer, said: string): Promise<void> {
  const before = server.stderr.length
  server.kill('SIGHUP')
  await waitFor(said, () => server.stderr.slice(before).includes(said))
}

describe.each([[[]], [['--workers', '2']]])('a running server, %p', (args) => {
  test('applies what has changed, and says what takes a restart', async () => {
    await using folder = await makeFolder()
    const file = `${folder.path}/comet.toml`
    await Bun.write(file, '[serve]\nmax-users = 10\nhead-timeout = "9s"\n')
    await using server = await serve(['--config', file, ...args])
    expect(await statusOf(server, 20)).toBe(503)
    await using _ = await RawClient.stream(server.publicPort, 1)
    await Bun.write(
      file,
      '[serve]\nmax-users = 30\nhead-timeout = "8s"\nmax-subscriptions-per-user = 1\n',
    )
    // The last of the lines.
    await hangUp(server, 'head-timeout stays 9s; 8s takes a restart.')
    await server.logged('max-users is 30 now; it was 10.')
    await server.logged('max-subscriptions-per-user is 1 now; it was 10000.')
    await waitFor('the workers', async () => (await statusOf(server, 20)) === 200)
    const follow = (subject: number) =>
      server.ask(`/users/25/subscriptions/${subject}`, { method: 'PUT' })
    expect([(await follow(1)).status, (await follow(2)).status]).toEqual([200, 409])
    expect((await server.stats()).streams.open).toBe(1)
  })

  test('keeps the old values when the file is invalid', async () => {
    await using folder = await makeFolder()
    const file = `${folder.path}/comet.toml`
    await Bun.write(file, '[serve]\nmax-users = 10\n')
    await using server = await serve(['--config', file, ...args])
    for (const [text, why] of [
      ['[serve]\nmax-usrs = 30\n', 'did you mean max-users?'],
      ['[serve\n', 'this is not TOML'],
      ['[serve]\nmax-users = "many"\n', 'expected a whole number'],
    ] as const) {
      await Bun.write(file, text)
      await hangUp(server, why)
      await server.logged('"event":"reload_failed"')
      expect(await statusOf(server, 20)).toBe(503)
    }
    await Bun.$`rm ${file}`
    await hangUp(server, 'is not there')
    expect(await server.publish({ to: 1, body: 'x' })).toBe(0)
  })
})

test('workers that restart use the new values', async () => {
  await using folder = await makeFolder()
  const file = `${folder.path}/comet.toml`
  await Bun.write(file, '[serve]\nmax-users = 10\n')
  await using server = await serve(['--config', file, '--workers', '2'])
  await Bun.write(file, '[serve]\nmax-users = 30\n')
  await hangUp(server, 'max-users is 30 now')
  for (const { pid } of (await server.stats()).workers) process.kill(Number(pid), 'SIGKILL')
  await waitFor('both to run again', async () => {
    const { workers } = await server.stats()
    return workers.every(({ restarts, state }) => restarts === 1 && state === 'running')
  })
  for (let round = 0; round < 10; round++) expect(await statusOf(server, 20)).toBe(200)
})

test('bodies that come after a reload have its time limit', async () => {
  await using folder = await makeFolder()
  const file = `${folder.path}/comet.toml`
  await Bun.write(file, '[serve]\nbody-timeout = "200s"\n')
  await using server = await serve(['--config', file])
  const half = (path: string, body: string) =>
    `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 20\r\n\r\n${body}`
  await using before = await RawClient.open(server.controlPort, half('/subscriptions', '1 2\n'))
  await waitFor('its first line', async () => (await server.stats()).subscriptions.held === 1)
  await Bun.write(file, '[serve]\nbody-timeout = "1s"\n')
  await hangUp(server, 'body-timeout is 1s now; it was 200s.')
  for (const path of ['/messages', '/subscriptions']) {
    await using after = await RawClient.open(server.controlPort, half(path, '1'))
    expect(await after.ended()).toContain('HTTP/1.1 408')
  }
  expect([before.text, before.end]).toEqual(['', null])
})

test('the token is read again and may change', async () => {
  await using folder = await makeFolder()
  const path = `${folder.path}/token`
  await Bun.write(path, 'correct-horse-battery\n')
  await chmod(path, 0o600)
  await using server = await serve(['--control-token-file', path])
  const status = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` }
    return (await server.ask('/stats', { headers })).status
  }
  expect([await status('correct-horse-battery'), await status('another-horse-battery')]).toEqual([
    200, 401,
  ])
  await Bun.write(path, 'another-horse-battery\n')
  await hangUp(server, 'keys, tokens and certificate were read again')
  expect([await status('correct-horse-battery'), await status('another-horse-battery')]).toEqual([
    401, 200,
  ])
  expect(server.stderr).not.toContain('can be read by others')
  await chmod(path, 0o644)
  await hangUp(server, 'can be read by others; chmod 400')
  expect(server.stderr).not.toContain('horse')
})

test('a reload without a change is logged as such', async () => {
  await using server = await serve()
  await hangUp(server, 'No option has changed')
  expect(await server.publish({ to: 1, body: 'x' })).toBe(0)
})

test('SIGHUP to all processes of a server closes no stream', async () => {
  await using server = await serve(['--workers', '2'])
  await using _one = await RawClient.stream(server.publicPort, 1)
  await using _two = await RawClient.stream(server.publicPort, 2)
  for (const pid of [...childrenOf(server.pid), server.pid]) process.kill(pid, 'SIGHUP')
  await server.logged('"event":"reloaded"')
  expect(await server.publish({ to: 1, body: 'x' })).toBe(1)
  const { streams, workers } = await server.stats()
  expect([streams.open, workers.map(({ restarts }) => restarts)]).toEqual([2, [0, 0]])
})

test('SIGHUP before the ports are open is followed when they are', async () => {
  const ports = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0']
  await using running = start(['serve', ...NO_FILE, ...ports, '--workers', '4'])
  await waitFor('the first worker', () => childrenOf(running.pid).length > 0)
  running.kill('SIGHUP')
  await running.logged('"event":"reloaded"')
  await running.logged('"event":"listening"')
  const placeOf = (event: string) => running.stderr.indexOf(`"event":"${event}"`)
  expect(placeOf('listening')).toBeLessThan(placeOf('reloaded'))
})

test('a FIFO, a long file and an empty one are refused at once', async () => {
  await using folder = await makeFolder()
  const file = `${folder.path}/comet.toml`
  await Bun.write(file, '[serve]\nmax-users = 10\n')
  await using server = await serve(['--config', file])
  await Bun.$`rm ${file} && mkfifo ${file}`
  server.kill('SIGHUP')
  await server.logged(`${file} is no file`)
  await Bun.$`rm ${file} && truncate -s 2M ${file}`
  server.kill('SIGHUP')
  await server.logged('is longer than 1048576 bytes')
  await Bun.write(file, '')
  await Bun.$`truncate -s 0 ${file}`
  server.kill('SIGHUP')
  await server.logged('the file has no options any more')
  expect(await server.publish({ to: 1, body: 'x' })).toBe(0)
})
