// Goal: the last lines of the log can be read on the control port, those of workers too, by whom a
// token lets read, and have no secret in them. Method: the executable, and what it logs by itself.

import { afterEach, expect, test } from 'bun:test'
import { chmod } from 'node:fs/promises'
import type { LogPage } from '../../../src/control/log.ts'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { get, RawClient } from '../../support/raw-client.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

async function pageOf(server: CometServer, query = '', token?: string): Promise<LogPage> {
  const headers: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}` }
  return (await (await server.ask(`/log${query}`, { headers })).json()) as LogPage
}

test('/log has the lines that the server has written, and then only new ones', async () => {
  await using server = await serve()
  const { lines, last, missed } = await pageOf(server)
  const written = server.stderr.split('\n').filter((line) => line.startsWith('{'))
  expect(lines.map(({ message }) => message)).toEqual(
    written.slice(0, lines.length).map((line) => JSON.parse(line).message),
  )
  expect([lines.some(({ event }) => event === 'limit'), missed]).toEqual([true, 0])
  expect((await pageOf(server, `?after=${last}`)).lines).toEqual([])
  server.kill('SIGHUP')
  await waitFor('a new line', async () => {
    const page = await pageOf(server, `?after=${last}`)
    return page.lines.some(({ event }) => event === 'reloaded')
  })
})

test('/log has lines of workers with their numbers', async () => {
  await using server = await serve(['--workers', '2', '--max-streams-per-address', '1'])
  const head = get('/stream/7').replace('\r\n\r\n', '\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n')
  using _stream = await RawClient.open(server.publicPort, head)
  await server.open(1)
  // The worker logs that it may be a proxy's address, and not one client's.
  using refused = await RawClient.open(server.publicPort, head)
  await refused.received('429')
  await waitFor('the line', async () => {
    const { lines } = await pageOf(server)
    const line = lines.find(({ event }) => event === 'untrusted_proxy')
    return line !== undefined && [0, 1].includes(Number(line.fields['worker']))
  })
})

test('/log is for readers, and has no token in it', async () => {
  const [publisher, reader] = ['publisher-horse-battery', 'prometheus-horse-battery']
  await using folder = await makeFolder()
  const path = `${folder.path}/token`
  await Bun.write(path, `publish ${publisher}\nread ${reader}\n`)
  await chmod(path, 0o600)
  await using server = await serve(['--control-token-file', path])
  const statusFor = async (token: string | null) => {
    const headers: Record<string, string> =
      token === null ? {} : { authorization: `Bearer ${token}` }
    return (await server.ask('/log', { headers })).status
  }
  expect([await statusFor(null), await statusFor(publisher), await statusFor(reader)]).toEqual([
    401, 403, 200,
  ])
  const page = await pageOf(server, '', reader)
  expect(page.lines.some(({ event }) => event === 'unauthorized')).toBe(true)
  expect(JSON.stringify(page)).not.toMatch(/horse/)
})
