// Goal: a database whose disk takes nothing more is told of in words until it does, and streams go on.
// Method: a file-size limit, given to a running server and taken away again.

import { expect, test } from 'bun:test'
import { serve, waitFor } from './comet.ts'
import { makeFolder } from './folder.ts'
import { chunk, RawClient } from './socket.ts'

test('a change that the disk does not take is refused in words until it does', async () => {
  await using folder = await makeFolder()
  await using server = await serve(['--db', `${folder.path}/comet.db`])
  await using client = await RawClient.stream(server.publicPort, 1)
  const { controlUrl } = server
  const limit = (size: string) =>
    Bun.spawnSync(['prlimit', `--pid=${server.process.pid}`, `--fsize=${size}:`])
  const follow = async (subject: number) => {
    const url = `${controlUrl}/users/1/subscriptions/${subject}`
    const response = await fetch(url, { method: 'PUT' })
    return { status: response.status, text: await response.text() }
  }
  const ready = async () => {
    const response = await fetch(`${controlUrl}/readyz`)
    return { status: response.status, text: await response.text() }
  }
  limit('1')
  const refused = await follow(2)
  expect(refused.status).toBe(503)
  expect(refused.text).toContain('storage_failed')
  expect(refused.text).toContain('The database takes no changes: its disk')
  const bulk = await fetch(`${controlUrl}/subscriptions`, { method: 'POST', body: '1 2\n1 3' })
  expect([bulk.status, bulk.headers.get('connection')]).toEqual([503, 'close'])
  expect(await bulk.text()).toContain('storage_failed')
  expect(await ready()).toEqual({ status: 503, text: '{"status":"unwritable"}' })
  expect(await server.publish({ to: 1, body: 'goes on' })).toBe(1)
  await client.received(chunk('goes on'))
  limit('unlimited')
  await waitFor('readiness', async () => (await ready()).status === 200)
  expect((await follow(2)).status).toBe(200)
  expect(server.words()).toContain('"event":"storage_failed"')
  expect(server.words()).toContain('"event":"storage_works"')
  expect(server.words()).not.toContain('"event":"bug"')
})
