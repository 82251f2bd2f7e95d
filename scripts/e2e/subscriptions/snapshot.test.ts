// Goal: a server starts from the snapshot of its subscriptions only if that is what the database
// has, however it stopped, and needs no snapshot to start or to stop.
// Method: the executable, enough subscriptions for a snapshot, and kills at random moments.

import { describe, expect, test } from 'bun:test'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs'
import { type CometServer, run, serve, start as startComet } from '../../support/comet.ts'
import { type Folder, makeFolder } from '../../support/folder.ts'

/** Users who follow alice: enough that a snapshot is worth it. */
const FOLLOWERS = 100_000

interface Loaded extends Folder {
  readonly db: string
}

async function load(db: string, lines: string): Promise<void> {
  await Bun.write(`${db}.txt`, lines)
  const loaded = await run(['friends', 'load', `${db}.txt`, '--db', db, '--names'])
  expect([loaded.stderr, loaded.exitCode]).toEqual(['', 0])
}

function linesOf(followers: number): string {
  return Array.from({ length: followers }, (_, at) => `${at + 1} alice\n`).join('')
}

/** A folder with a database of followers of alice. */
async function prepared(): Promise<Loaded> {
  const folder = await makeFolder()
  const db = `${folder.path}/comet.db`
  await load(db, linesOf(FOLLOWERS))
  return { ...folder, db }
}

const start = (db: string, ...args: string[]) => serve(['--db', db, '--history', '0', ...args])

/** Why the server read the database; null if it read the snapshot. */
function whyRead(server: CometServer): string | null {
  const line = server.stderr.split('\n').find((line) => line.includes('"event":"snapshot"'))
  return line === undefined ? null : JSON.parse(line).message
}

async function usersAt(server: CometServer, path: string) {
  const page = (await (await server.ask(`${path}?limit=3`)).json()) as { users: unknown[] }
  return page.users
}

async function counts(server: CometServer, user: string) {
  const { held } = (await server.stats()).subscriptions
  return { held, follows: await usersAt(server, `/users/${user}/subscriptions`) }
}

const stop = async (server: CometServer) => expect(await server.end('SIGTERM')).toBe(0)

describe('a server', () => {
  test('starts from a snapshot after a load, and after it has stopped with changes', async () => {
    await using at = await prepared()
    expect(existsSync(`${at.db}-index`)).toBe(true)
    {
      await using server = await start(at.db)
      expect(whyRead(server)).toBeNull()
      await server.changeFollow('PUT', 'bob', 'alice')
      await server.changeFollow('PUT', 'bob', 7)
      await server.changeFollow('DELETE', 1, 'alice')
      await stop(server)
      expect(whyRead(server)).toBeNull()
    }
    await using again = await start(at.db)
    expect(whyRead(again)).toBeNull()
    const now = await counts(again, 'bob')
    expect(now.held).toBe(FOLLOWERS + 1)
    expect(now.follows.sort()).toEqual([7, 'alice'])
    expect(await usersAt(again, '/users/alice/subscribers')).toEqual([2, 3, 4])
  })

  test('reads the database after a kill that left changes, and has them', async () => {
    await using at = await prepared()
    {
      await using server = await start(at.db)
      await server.changeFollow('PUT', 'bob', 'alice')
      server.kill('SIGKILL')
      await server.exited
    }
    await using again = await start(at.db)
    expect(whyRead(again)).toContain('comet.db-index does not have the last changes.')
    expect(await counts(again, 'bob')).toEqual({ held: FOLLOWERS + 1, follows: ['alice'] })
  })

  test('has every change, wherever in its end it is killed', async () => {
    await using at = await prepared()
    let held = FOLLOWERS
    for (let round = 0; round < 8; round++) {
      await using server = await start(at.db)
      expect((await server.stats()).subscriptions.held).toBe(held)
      await server.changeFollow('PUT', `user-${round}`, 'alice')
      held++
      server.kill('SIGTERM')
      // From before the snapshot is written to after it, as the times of one stop happen to be.
      await Bun.sleep(round * 12)
      server.kill('SIGKILL')
      await server.exited
    }
    await using last = await start(at.db)
    expect(await counts(last, 'user-7')).toEqual({ held, follows: ['alice'] })
  })

  test('has what was loaded while it did not run', async () => {
    await using at = await prepared()
    {
      await using server = await start(at.db)
      await stop(server)
    }
    copyFileSync(`${at.db}-index`, `${at.db}.old`)
    await load(at.db, 'carol alice\n')
    {
      await using server = await start(at.db)
      expect(whyRead(server)).toBeNull()
      expect(await counts(server, 'carol')).toEqual({ held: FOLLOWERS + 1, follows: ['alice'] })
      await stop(server)
    }
    // As from a backup of the snapshot alone.
    copyFileSync(`${at.db}.old`, `${at.db}-index`)
    await using server = await start(at.db)
    expect(whyRead(server)).toContain('comet.db-index is not of the database as it is now.')
    expect(await counts(server, 'carol')).toEqual({ held: FOLLOWERS + 1, follows: ['alice'] })
  })

  test('starts and stops in order without one, and says why once', async () => {
    await using at = await prepared()
    truncateSync(`${at.db}-index`, 100_000)
    {
      await using server = await start(at.db)
      expect(whyRead(server)).toBe(
        'Subscriptions were read from the database, which takes longer: ' +
          `${at.db}-index is damaged.`,
      )
      expect(server.timesLogged('snapshot')).toBe(1)
      rmSync(`${at.db}-index`)
      mkdirSync(`${at.db}-index`)
      await server.changeFollow('PUT', 'bob', 'alice')
      await stop(server)
      expect(server.stderr).toContain(
        `The next start takes longer: ${at.db}-index cannot be used (`,
      )
    }
    {
      await using server = await start(at.db)
      expect(whyRead(server)).toContain('is no snapshot')
      rmSync(`${at.db}-index`, { recursive: true })
      await stop(server)
    }
    await using server = await start(at.db)
    expect(whyRead(server)).toBeNull()
    expect(await counts(server, 'bob')).toEqual({ held: FOLLOWERS + 1, follows: ['alice'] })
  })

  test('stops in order when its files may not grow', async () => {
    await using at = await prepared()
    await using server = await start(at.db)
    await server.changeFollow('PUT', 'bob', 'alice')
    const written = statSync(`${at.db}-index`).ino
    // The log of changes is a part of that long; the snapshot is longer.
    const limit = Bun.spawnSync(['prlimit', `--pid=${server.pid}`, '--fsize=500000:'])
    expect(limit.success).toBe(true)
    await stop(server)
    expect(server.stderr).toContain('"event":"snapshot"')
    expect(server.timesLogged('bug')).toBe(0)
    expect(statSync(`${at.db}-index`).ino).toBe(written)
    await using again = await start(at.db)
    expect(await counts(again, 'bob')).toEqual({ held: FOLLOWERS + 1, follows: ['alice'] })
  })
})

test('a load that a signal ends at any moment leaves all of it or nothing', async () => {
  await using folder = await makeFolder()
  const text = `${folder.path}/pairs`
  await Bun.write(text, linesOf(FOLLOWERS))
  let ended = 0
  for (let round = 0; round < 8; round++) {
    const name = `${round}.db`
    const db = `${folder.path}/${name}`
    await using loading = startComet(['friends', 'load', text, '--db', db, '--names'])
    await Bun.sleep(60 + round * 40)
    loading.kill('SIGTERM')
    await loading.finished
    const files = readdirSync(folder.path).filter((file) => file.startsWith(name))
    if (loading.signalCode !== null) ended++
    expect(files.sort()).toEqual(loading.signalCode === null ? [name, `${name}-index`] : [])
  }
  expect(ended).toBeGreaterThan(0)
})

test('few subscriptions, and those in memory, have no snapshot', async () => {
  await using folder = await makeFolder()
  for (const db of [`${folder.path}/comet.db`, ':memory:']) {
    await using server = await start(db)
    await server.changeFollow('PUT', 1, 2)
    await stop(server)
    expect(whyRead(server)).toBeNull()
  }
  expect(existsSync(`${folder.path}/comet.db-index`)).toBe(false)
  expect(existsSync(':memory:-index')).toBe(false)
})
