// Goal: SIGHUP has files read again, at any time and from each process that it comes to, and what is no
// file keeps nobody waiting. Method: signals to all processes of a server, early ones, and odd files.

import { expect, test } from 'bun:test'
import { chmod } from 'node:fs/promises'
import { childrenOf, waitFor } from '../../support/child-process.ts'
import { NO_FILE, run, serve, start } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { RawClient } from '../../support/raw-client.ts'

test('to all processes of a server it costs no stream', async () => {
  await using server = await serve(['--workers', '2'])
  await using _one = await RawClient.stream(server.publicPort, 1)
  await using _two = await RawClient.stream(server.publicPort, 2)
  for (const pid of [...childrenOf(server.pid), server.pid]) process.kill(pid, 'SIGHUP')
  await waitFor('the message', () => server.stderr.includes('"event":"reloaded"'))
  expect(await server.publish({ to: 1, body: 'x' })).toBe(1)
  const { streams, workers } = await server.stats()
  expect([streams.open, workers.map(({ restarts }) => restarts)]).toEqual([2, [0, 0]])
})

test('before the ports are open it is remembered', async () => {
  const ports = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0']
  await using running = start(['serve', ...NO_FILE, ...ports, '--workers', '4'])
  await waitFor('the first worker', () => childrenOf(running.pid).length > 0)
  running.kill('SIGHUP')
  await waitFor('the message', () => running.stderr.includes('"event":"reloaded"'))
  expect(running.stderr).toContain('"event":"listening"')
})

test('a file that is none keeps nobody waiting', async () => {
  await using folder = await makeFolder()
  const file = `${folder.path}/comet.toml`
  await Bun.write(file, '[serve]\nmax-users = 10\n')
  await using server = await serve(['--config', file])
  await Bun.$`rm ${file} && mkfifo ${file}`
  server.kill('SIGHUP')
  await waitFor('the message', () => server.stderr.includes(`${file} is no file`))
  await Bun.$`rm ${file} && truncate -s 2M ${file}`
  server.kill('SIGHUP')
  await waitFor('the message', () => server.stderr.includes('is longer than 1048576 bytes'))
  await Bun.write(file, '')
  await Bun.$`truncate -s 0 ${file}`
  server.kill('SIGHUP')
  await waitFor('the message', () => server.stderr.includes('the file has no options any more'))
  expect(await server.publish({ to: 1, body: 'x' })).toBe(0)
})

test('mistakes in a file are reported without its secrets, and only the first of them', async () => {
  await using folder = await makeFolder()
  const file = `${folder.path}/comet.toml`
  const check = async (text: string) => {
    await Bun.write(file, text)
    return (await run(['config', 'check', file])).stderr
  }
  expect(await check('[serve]\nerlang-cookie = hushhush\n')).not.toContain('hush')
  const many = Array.from({ length: 5_000 }, (_, at) => `max-strea${at} = 1`).join('\n')
  const lines = (await check(`[serve]\n${many}\n`)).trim().split('\n')
  expect([lines.length, lines.at(-1)]).toEqual([21, `comet config check: ${file}: and more`])
  expect(await check('[serve]\nworkers = 2\nconnections = 5\n')).toContain('not both')
  await chmod(file, 0o644)
  const secret = '[serve]\nerlang-name = "a@b"\nerlang-cookie = "hushhush"\n'
  expect(await check(secret)).toContain('other users can read this file')
  await chmod(file, 0o600)
  expect(await check(secret)).toBe('')
  expect((await run(['serve', 'erlang-cookie=hushhush'])).stderr).not.toContain('hush')
})
