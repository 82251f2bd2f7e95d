// Goal: the log has the level and the format that are asked for, also while the server runs and in
// its workers. Method: servers, whose logs are read.

import { expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { startOnTerminal } from '../../../src/cli/pty.fixture.ts'
import { type ChildProcess, waitFor } from '../../support/child-process.ts'
import { COMET, freePort, serve, start } from '../../support/comet.ts'
import { folderOfTests } from '../../support/folder.ts'

const folder = folderOfTests()

/** Waits until the control port of a server answers, whose log does not say so. */
async function answers(server: ChildProcess, controlPort: number): Promise<void> {
  const look = async () => {
    try {
      return (await fetch(`http://127.0.0.1:${controlPort}/livez`)).ok
    } catch {
      return false
    }
  }
  await waitFor('the control port', look, undefined, { needs: [server] })
}

test('--log-format text is for people, without colours in a pipe', async () => {
  const places = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', '--db', ':memory:']
  await using server = start(['serve', ...places, '--log-format', 'text'])
  await server.logged('Streams on http://')
  await server.end('SIGTERM')
  for (const line of server.stderr.trim().split('\n')) {
    expect(line).toMatch(/^\d\d:\d\d:\d\d (info|warn) {2}[A-Z0-9]/)
  }
})

test('--log-format json is for programs, on a terminal too', async () => {
  const places = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', '--db', ':memory:']
  const command = [COMET, 'serve', ...places, '--log-format', 'json']
  await using terminal = startOnTerminal(command, { columns: 200, rows: 24 })
  await waitFor('its log', () => terminal.raw().includes('"event":"listening"'))
  expect(JSON.parse(String(terminal.raw().split('\r\n')[0]))).toMatchObject({ level: 'info' })
})

test('a warning stands out on a terminal', async () => {
  const places = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', '--db', ':memory:']
  await using terminal = startOnTerminal([COMET, 'serve', ...places], { columns: 200, rows: 24 })
  const [, port] = await waitFor(
    'its log',
    () => /control on \S+:(\d+)/.exec(terminal.raw()) ?? false,
  )
  await fetch(`http://127.0.0.1:${port}/stats`, { headers: { host: 'elsewhere.example' } })
  await waitFor('the warning', () => terminal.raw().includes('\x1b[33mwarn \x1b[m A request'))
  expect(terminal.raw()).toContain(' info  Streams on')
})

test.each([['1'], ['2']])('--log-level is changed by SIGHUP, with %s workers', async (workers) => {
  const file = `${folder}/level-${workers}.toml`
  const control = freePort()
  const write = (level: string) => {
    const listed = ['listen = "127.0.0.1:0"', 'db = ":memory:"', `workers = ${workers}`]
    const lines = [...listed, `control = "127.0.0.1:${control}"`, `log-level = "${level}"`]
    writeFileSync(file, `[serve]\n${lines.join('\n')}\n`)
  }
  write('error')
  await using server = start(['serve', '--config', file])
  await answers(server, control)
  const refused = async () => {
    await fetch(`http://127.0.0.1:${control}/stats`, { headers: { host: 'elsewhere.example' } })
  }
  await refused()
  write('info')
  server.kill('SIGHUP')
  await server.logged('log-level is info now; it was error.')
  await refused()
  await server.logged('"event":"unauthorized"')
  // Only what came after the change.
  const events = [...server.stderr.matchAll(/"event":"([^"]*)"/g)].map(([, event]) => event)
  expect(events).toEqual(['reloaded', 'unauthorized'])
  write('warn')
  server.kill('SIGHUP')
  await refused()
  await server.end('SIGTERM')
  expect(server.stderr).not.toContain('"event":"stopped"')
})

test('workers write as the server does', async () => {
  const options = ['--workers', '2', '--max-streams-per-address', '1', '--log-format', 'text']
  const control = freePort()
  const at = ['--listen', '127.0.0.1:0', '--control', `127.0.0.1:${control}`, '--db', ':memory:']
  await using server = start(['serve', ...at, ...options])
  await answers(server, control)
  const [, address] = await waitFor(
    'its log',
    () => /Streams on (\S+)\/stream/.exec(server.stderr) ?? false,
  )
  const aborted = new AbortController()
  const open = () => fetch(`${address}/stream/1`, { signal: aborted.signal })
  expect((await open()).status).toBe(200)
  const second = await open()
  expect(second.status).toBe(429)
  await waitFor('the refusal', () => /^\S+ warn {2}.*address/m.test(server.stderr))
  aborted.abort()
  expect(server.stderr).not.toContain('{"')
})

test('another level or format is refused', async () => {
  for (const option of [
    ['--log-level', 'loud'],
    ['--log-format', 'xml'],
  ]) {
    await using server = start(['serve', ...option])
    expect(await server.ended(10_000)).toBe(2)
    expect(server.stderr).toContain('one of ')
  }
  await using server = await serve(['--log-level', 'info'])
  expect(server.timesLogged('listening')).toBe(1)
})
