// Goal: SIGHUP has a running server go by its file again, as far as that can be, and says what that is;
// a bad file changes nothing. Method: the executable with a file that is written anew.

import { describe, expect, test } from 'bun:test'
import { chmod } from 'node:fs/promises'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
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
  test('applies what has changed, says what, and what takes a restart', async () => {
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
    await hangUp(server, 'max-users is 30 now; it was 10.')
    expect(server.stderr).toContain('head-timeout stays 9s: 8s takes a restart.')
    expect(server.stderr).toContain('max-subscriptions-per-user is 1 now; it was 10000.')
    await waitFor('the workers', async () => (await statusOf(server, 20)) === 200)
    const follow = (subject: number) =>
      fetch(`${server.controlUrl}/users/25/subscriptions/${subject}`, { method: 'PUT' })
    expect([(await follow(1)).status, (await follow(2)).status]).toEqual([200, 409])
    // The stream that was there is there.
    expect((await server.stats()).streams.open).toBe(1)
  })

  test('goes on by the old values when the file is bad', async () => {
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
      expect(server.stderr).toContain('"event":"reload_failed"')
      expect(await statusOf(server, 20)).toBe(503)
    }
    await Bun.$`rm ${file}`
    await hangUp(server, 'is not there')
    expect(await server.publish({ to: 1, body: 'x' })).toBe(0)
  })
})

test('workers that start again go by the new values', async () => {
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

test('bodies are waited for as long as the file says then', async () => {
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

test('the token is read again, and may change', async () => {
  await using folder = await makeFolder()
  const path = `${folder.path}/token`
  await Bun.write(path, 'correct-horse-battery\n')
  await chmod(path, 0o600)
  await using server = await serve(['--control-token-file', path])
  const status = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` }
    return (await fetch(`${server.controlUrl}/stats`, { headers })).status
  }
  expect([await status('correct-horse-battery'), await status('another-horse-battery')]).toEqual([
    200, 401,
  ])
  await Bun.write(path, 'another-horse-battery\n')
  await hangUp(server, 'token and certificate were read again')
  expect([await status('correct-horse-battery'), await status('another-horse-battery')]).toEqual([
    401, 200,
  ])
  expect(server.stderr).not.toContain('can be read by others')
  await chmod(path, 0o644)
  await hangUp(server, 'can be read by others; chmod 400')
  expect(server.stderr).not.toContain('horse')
})

test('without anything new it says so, and goes on', async () => {
  await using server = await serve()
  await hangUp(server, 'No option has changed')
  expect(await server.publish({ to: 1, body: 'x' })).toBe(0)
})
