// Goal: a database whose disk takes nothing more is told of in words until it does, and streams go on.
// Method: a file-size limit, given to a running server and taken away again; and a small file system
// that is really full.

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

async function answer(request: Promise<Response>): Promise<Answer> {
  const response = await request
  return { status: response.status, text: await response.text() }
}

function follow({ controlUrl }: CometServer, user: number, subject: number): Promise<Answer> {
  return answer(fetch(`${controlUrl}/users/${user}/subscriptions/${subject}`, { method: 'PUT' }))
}

function readiness({ controlUrl }: CometServer): Promise<Answer> {
  return answer(fetch(`${controlUrl}/readyz`))
}

test('a change that the disk does not take is refused in words until it does', async () => {
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
  const bulk = await server.ask('/subscriptions', {
    method: 'POST',
    body: '1 2\n1 3',
  })
  expect([bulk.status, bulk.headers.get('connection')]).toEqual([503, 'close'])
  expect(await bulk.text()).toContain('storage_failed')
  expect(await ready()).toEqual({ status: 503, text: '{"status":"unwritable"}' })
  expect(await server.publish({ to: 1, body: 'goes on' })).toBe(1)
  await client.received(chunk('goes on'))
  limit('unlimited')
  await waitFor('readiness', async () => (await ready()).status === 200)
  expect((await follow(server, 1, 2)).status).toBe(200)
  expect(server.stderr).toContain('"event":"storage_failed"')
  expect(server.stderr).toContain('"event":"storage_works"')
  expect(server.stderr).not.toContain('"event":"bug"')
})

describe.skipIf(!canMount)(`a database on a file system that is full ${UNLESS_MOUNT}`, () => {
  test('takes changes again when there is room, and has all that it has answered for', async () => {
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

  test('is named by a server that cannot start there', async () => {
    await using disk = await mountSmallDisk()
    await disk.fill(0)
    const { exitCode, stderr } = await run(['serve', '--db', `${disk.path}/comet.db`])
    expect(exitCode).toBe(69)
    expect(stderr).toBe(
      `comet serve: the database ${disk.path}/comet.db cannot be used: its disk is full (SQLITE_FULL)\n`,
    )
  })
})
