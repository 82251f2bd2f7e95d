// Goal: a load whose process is killed leaves the database unchanged.
// Method: real processes, killed by SIGKILL at each step they report, and while SQLite overwrites
// the file; without timers, each waits for its moment.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { copyFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadFriends } from './bulk-load.ts'
import { openDatabase } from './database.ts'
import { NameTable, NOBODY } from './name-table.ts'

const USERS = 40_000
const BEFORE_PAIRS = 20_000
/** Enough that SQLite cannot hold the index in its memory and writes to the file before the end. */
const LOADED_PAIRS = 400_000
const KILLS_WHILE_WRITTEN = 6
/** A machine with other work takes seconds for each process. */
const TEST_MS_MAX = 180_000

interface Contents {
  readonly pairs: number
  readonly names: number
  readonly digest: string
}

const folder = mkdtempSync(join(tmpdir(), 'comet-load-kill-'))
const template = join(folder, 'before.db')
const input = join(folder, 'friends.txt')

/** What a database has before the load and after a complete one. */
let before: Contents
let after: Contents

beforeAll(async () => {
  writeFileSync(input, lines(LOADED_PAIRS, 10))
  const opened = openDatabase(template)
  if (!opened.ok) throw new Error(opened.why)
  const names = new NameTable({ seed: 1 })
  await loadFriends(textOf(lines(BEFORE_PAIRS, 3)), opened.value, { idMax: USERS, names })
  opened.value.close()
  before = contents(template)
  after = await complete()
}, TEST_MS_MAX)

afterAll(() => rmSync(folder, { recursive: true }))

/** Some have names. */
function textOfUser(user: number): string {
  return user % 8 === 0 ? `user:${user}` : String(user)
}

/** Different pairs; with another `stride` most of them are others. */
function lines(count: number, stride: number): string {
  const all: string[] = []
  for (let index = 0; index < count; index++) {
    const subscriber = 1 + (index % USERS)
    const distance = stride + Math.floor(index / USERS) * 977
    const subject = 1 + ((subscriber - 1 + distance) % USERS)
    all.push(`${textOfUser(subscriber)} ${textOfUser(subject)}\n`)
  }
  return all.join('')
}

async function* textOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

/** Loads the file and reports each step; kills itself at step `killAt`. */
const CHILD = `
  import { writeSync } from 'node:fs'
  const { openDatabase } = await import('${import.meta.dir}/database.ts')
  const { loadFriends } = await import('${import.meta.dir}/bulk-load.ts')
  const { NameTable } = await import('${import.meta.dir}/name-table.ts')
  const [path, input, killAt] = process.argv.slice(-3)
  const names = new NameTable({ seed: 2 })
  const { value: database } = openDatabase(path, names)
  let step = 0
  const onProgress = ({ phase, done }) => {
    if (phase === 'reading') return
    if (step++ === Number(killAt)) process.kill(process.pid, 'SIGKILL')
    writeSync(1, phase + ' ' + done + '\\n')
  }
  const loaded = await loadFriends(Bun.file(input).stream(), database, { idMax: ${USERS}, names, onProgress })
  if (!loaded.ok) throw new Error(loaded.why.reason)
`

function startChild(path: string, killAt: number) {
  const command = [process.execPath, '-e', CHILD, '--', path, input, String(killAt)]
  return Bun.spawn(command, { stdout: 'pipe', stderr: 'inherit' })
}

/** The contents of a database after it is opened again; the index must agree with the table. */
function contents(path: string): Contents {
  const opened = openDatabase(path)
  if (!opened.ok) throw new Error(opened.why)
  using database = opened.value
  expect(database.query('PRAGMA integrity_check').values()).toEqual([['ok']])
  expect(database.query('PRAGMA journal_mode').values()).toEqual([['wal']])
  const schema = "SELECT count(*) FROM sqlite_schema WHERE name = 'subscriptions_by_subject'"
  expect(database.query(schema).values()).toEqual([[1]])
  const rows = database.query('SELECT * FROM subscriptions ORDER BY 1, 2').values()
  const names = database.query('SELECT * FROM names ORDER BY 1').values()
  const handles = new Set(rows.flat().filter((user) => Number(user) > NOBODY))
  expect(names.map(([handle]) => handle)).toEqual([...handles].sort())
  const digest = Bun.hash([...rows, ...names].join(';')).toString(16)
  return { pairs: rows.length, names: names.length, digest }
}

function copyOfTemplate(name: string): string {
  const path = join(folder, name)
  copyFileSync(template, path)
  return path
}

/** The contents after a complete load. */
async function complete() {
  const path = copyOfTemplate('complete.db')
  expect(await startChild(path, Number.POSITIVE_INFINITY).exited).toBe(0)
  return contents(path)
}

describe('a load that is killed leaves the database unchanged', () => {
  test(
    'at each step that it reports',
    async () => {
      expect(before.pairs).toBe(BEFORE_PAIRS)
      expect(after.pairs).toBeGreaterThan(LOADED_PAIRS)
      expect([before.names, after.names]).toEqual([BEFORE_PAIRS / 8, USERS / 8])
      let killAt = 0
      for (; ; killAt++) {
        const path = copyOfTemplate(`step-${killAt}.db`)
        const child = startChild(path, killAt)
        const told = await new Response(child.stdout).text()
        await child.exited
        if (child.signalCode === null) break
        expect(child.signalCode).toBe('SIGKILL')
        // The step after `indexing 0` is reported after the commit.
        expect(contents(path)).toEqual(told.includes('indexing 0') ? after : before)
      }
      expect(killAt).toBeGreaterThan(8)
    },
    TEST_MS_MAX,
  )

  test(
    'while the file is being overwritten',
    async () => {
      let restored = 0
      for (let run = 0; run < KILLS_WHILE_WRITTEN; run++) {
        const path = copyOfTemplate(`written-${run}.db`)
        const size = statSync(path).size
        const child = startChild(path, Number.POSITIVE_INFINITY)
        // Each run waits for the file to grow further than the one before.
        const enough = size * (1 + run)
        while (child.exitCode === null && statSync(path).size <= enough) await turn()
        child.kill('SIGKILL')
        await child.exited
        const grown = statSync(path).size > size
        const found = contents(path)
        // Only the process knew whether it had committed; there is nothing in between.
        expect([before, after]).toContainEqual(found)
        if (found.pairs === before.pairs && grown) restored++
      }
      expect(restored).toBeGreaterThan(0)
    },
    TEST_MS_MAX,
  )
})

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
