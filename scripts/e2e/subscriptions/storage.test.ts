// Goal: while the disk of the database takes nothing, changes are refused with a reason and streams
// go on.
// Method: a file-size limit set on a running server and removed again; and a small full file
// system.

import { describe, expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, run, serve } from '../../support/comet.ts'
import { canMount, mountSmallDisk, UNLESS_MOUNT } from '../../support/disk.ts'
import { makeFolder } from '../../support/folder.ts'
import { chunk, RawClient } from '../../support/raw-client.ts'

interface Answer {
  readonly status: number
  readonly text: string
}

async function ask(server: CometServer, path: string, method = 'GET'): Promise<Answer> {
  const response = await server.ask(path, { method })
  return { status: response.status, text: await response.text() }
}

const follow = (server: CometServer, user: number, subject: number) =>
  ask(server, `/users/${user}/subscriptions/${subject}`, 'PUT')

const readiness = (server: CometServer) => ask(server, '/readyz')

test('changes are refused with a reason as long as the disk does not take them', async () => {
  await using folder = await makeFolder()
  await using server = await serve(['--db', `${folder.path}/comet.db`])
  await using client = await RawClient.stream(server.publicPort, 1)
  const limit = (size: string) =>
    Bun.spawnSync(['prlimit', `--pid=${server.pid}`, `--fsize=${size}:`])
  const ready = () => readiness(server)
  limit('1')
  const refused = await follow(server, 1, 2)
  expect(refused.status).toBe(503)
  expect(refused.text).toContain('storage_failed')
  expect(refused.text).toContain('The database takes no changes: its disk')
  const bulk = await server.ask('/subscriptions', { method: 'POST', body: '1 2\n1 3' })
  expect([bulk.status, bulk.headers.get('connection')]).toEqual([503, 'close'])
  expect(await bulk.text()).toContain('storage_failed')
  expect(await ready()).toEqual({ status: 503, text: '{"status":"unwritable"}' })
  expect(await server.publish({ to: 1, body: 'goes on' })).toBe(1)
  await client.received(chunk('goes on'))
  limit('unlimited')
  await waitFor('readiness', async () => (await ready()).status === 200)
  expect((await follow(server, 1, 2)).status).toBe(200)
  await server.logged('"event":"storage_failed"')
  await server.logged('"event":"storage_works"')
  expect(server.stderr).not.toContain('"event":"bug"')
})

describe.skipIf(!canMount)(`a database on a file system that is full ${UNLESS_MOUNT}`, () => {
  test('takes changes again once there is room, and has lost none that it answered', async () => {
    await using disk = await mountSmallDisk()
    const options = ['--db', `${disk.path}/comet.db`]
    await using server = await serve(options)
    await using client = await RawClient.stream(server.publicPort, 1)
    await disk.fill(50)
    // One by one, each of them is on the disk before it is answered.
    let followers = 0
    let refused = await follow(server, 2, 1)
    for (; refused.status === 200; refused = await follow(server, 2 + followers, 1)) followers++
    expect(followers).toBeGreaterThan(0)
    expect(refused.status).toBe(503)
    expect(refused.text).toContain('The database takes no changes: its disk is full (SQLITE_FULL)')
    expect(await readiness(server)).toEqual({ status: 503, text: '{"status":"unwritable"}' })
    expect((await server.ask('/livez')).status).toBe(200)
    expect(await server.publish({ to: 1, body: 'goes on' })).toBe(1)
    await client.received(chunk('goes on'))
    await disk.free()
    await waitFor('readiness', async () => (await readiness(server)).status === 200)
    expect((await follow(server, 2 + followers, 1)).status).toBe(200)
    followers++
    const events = server.stderr.match(/(?<="event":")(storage_\w+|bug)/g)
    // The failure is told of again for as long as it lasts.
    expect([...new Set(events)]).toEqual(['storage_failed', 'storage_works'])
    server.kill('SIGKILL')
    await server.exited
    await using again = await serve(options)
    expect((await again.stats()).subscriptions.held).toBe(followers)
  })

  test('ends the start of a server with its name', async () => {
    await using disk = await mountSmallDisk()
    await disk.fill(0)
    const { exitCode, stderr } = await run(['serve', '--db', `${disk.path}/comet.db`])
    expect(exitCode).toBe(69)
    expect(stderr).toBe(
      `comet serve: the database ${disk.path}/comet.db cannot be used: its disk is full (SQLITE_FULL)\n`,
    )
  })
})
