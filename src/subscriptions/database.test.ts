// Goal: databases of comet open; other files are refused with a reason and stay unchanged to the
// byte.
// Method: files made by hand in every state, opened, and compared with what they were.

import { Database } from 'bun:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { openDatabase, storageTrouble } from './database.ts'
import { openStore } from './model.fixture.ts'

const WRITER = `${import.meta.dir}/writer.fixture.ts`
const IS_ROOT = process.getuid?.() === 0

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/comet-database-`)
  path = `${folder}/comet.db`
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Every file of the folder, with its bytes. */
function files(): Record<string, string> {
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile())
  return Object.fromEntries(
    names.map(({ name }) => [name, Bun.hash(readFileSync(`${folder}/${name}`)).toString(16)]),
  )
}

/** Why it does not open; and nothing has changed by that. */
function refusal(of = path): string {
  const before = files()
  const opened = openDatabase(of)
  if (opened.ok) {
    opened.value.close()
    throw new Error(`${of} opened`)
  }
  expect(files()).toEqual(before)
  return opened.why
}

/** Makes a database of comet with some pairs, closed. */
async function make(pairs = 3): Promise<void> {
  const store = openStore(path)
  await store.add(Uint32Array.from({ length: pairs * 2 }, (_, at) => at + 1))
  store.close()
}

function makeByHand(sql: string): void {
  const database = new Database(path)
  database.run(sql)
  database.close()
}

function overwrite(at: number, bytes: Uint8Array | string): void {
  const all = readFileSync(path)
  all.set(typeof bytes === 'string' ? Buffer.from(bytes) : bytes, at)
  writeFileSync(path, all)
}

function holds(): number {
  const store = openStore(path)
  const { subscriptions } = store.counts()
  store.close()
  return subscriptions
}

describe('openDatabase opens', () => {
  test('a new database, and opens it again', async () => {
    await make()
    expect(Object.keys(files())).toEqual(['comet.db'])
    expect(holds()).toBe(3)
    expect(holds()).toBe(3)
  })

  test('databases in memory that are independent of each other', () => {
    const [one, other] = [openStore(':memory:'), openStore(':memory:')]
    one.add(Uint32Array.of(1, 2))
    expect(other.counts().subscriptions).toBe(0)
    one.close()
    other.close()
  })

  test('a database whose creation was interrupted before its first byte', () => {
    writeFileSync(path, '')
    expect(holds()).toBe(0)
  })

  test('a database whose creation was interrupted before its log', async () => {
    await make()
    makeByHand('PRAGMA journal_mode = DELETE')
    expect(holds()).toBe(3)
  })

  test('a database with application id and version in its header', async () => {
    await make()
    const header = readFileSync(path)
    expect(header.toString('latin1', 68, 72)).toBe('comt')
    expect(header.readUInt32BE(60)).toBe(4)
  })

  test('a database with a write-ahead log and a covering index for both directions', () => {
    const opened = openDatabase(path)
    if (!opened.ok) throw new Error(opened.why)
    const database = opened.value
    expect(database.query('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' })
    const plan = (column: string, other: string) =>
      database
        .query<{ detail: string }, []>(
          `EXPLAIN QUERY PLAN SELECT ${other} FROM subscriptions
           WHERE ${column} = 1 AND ${other} > 1 ORDER BY ${other} LIMIT 1`,
        )
        .all()
        .map(({ detail }) => detail)
    expect(plan('subscriber', 'subject').join()).toMatch(/^SEARCH subscriptions USING PRIMARY KEY/)
    expect(plan('subject', 'subscriber').join()).toMatch(/^SEARCH .* USING COVERING INDEX/)
    database.close()
  })
})

describe('openDatabase refuses, and leaves unchanged,', () => {
  test('a database that another process uses, until that process ends', async () => {
    await make()
    await using holder = Bun.spawn([process.execPath, WRITER, path, '1', '0'], {
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'inherit',
    })
    const first = await holder.stdout.getReader().read()
    expect(new TextDecoder().decode(first.value)).toBe('open\n')
    expect(refusal()).toBe(`${path} is in use by another process`)
    expect(refusal()).toBe(`${path} is in use by another process`)
    holder.stdin.end()
    expect(await holder.exited).toBe(0)
    expect(holds()).toBe(3)
  })

  test.each([
    ['text', 'who follows whom\n'.repeat(100)],
    ['less than a header', 'SQLite format 3\0'],
    ['one byte', '\0'],
    ['zeros', '\0'.repeat(8_192)],
  ])('a file that is no database: %s', (_, bytes) => {
    writeFileSync(path, bytes)
    expect(refusal()).toBe(`${path} is not a database`)
  })

  test('a database of another program', () => {
    makeByHand('CREATE TABLE subscriptions (subscriber, subject)')
    expect(refusal()).toBe(`${path} is a database of another program`)
    makeByHand('PRAGMA application_id = 7')
    expect(refusal()).toBe(`${path} is a database of another program`)
  })

  test('a database of a newer comet', async () => {
    await make()
    makeByHand('PRAGMA user_version = 5')
    rmSync(`${path}-shm`, { force: true })
    expect(refusal()).toBe(`${path} is from a newer comet (version 5; this one knows 4)`)
  })

  test('a database with a damaged page', async () => {
    await make(20_000)
    const { length } = readFileSync(path)
    overwrite(Math.floor(length / 8_192) * 4_096, new Uint8Array(4_096).fill(0xa5))
    expect(refusal()).toStartWith(`${path} is damaged: `)
  })

  test('a truncated database', async () => {
    await make(20_000)
    writeFileSync(path, readFileSync(path).subarray(0, 50_000))
    expect(refusal()).toStartWith(`${path} is damaged: `)
  })

  test('a database with a damaged header', async () => {
    await make()
    overwrite(16, new Uint8Array(8).fill(0xff))
    expect(refusal()).toMatch(/ is (not a database|damaged)/)
  })

  test('a folder', () => {
    mkdirSync(path)
    expect(refusal()).toBe(`${path} is not a file`)
  })

  test('a path through a file, or through a folder that does not exist', () => {
    writeFileSync(`${folder}/file`, 'text')
    expect(refusal(`${folder}/file/comet.db`)).toEndWith('cannot be read (ENOTDIR)')
    expect(refusal(`${folder}/none/comet.db`)).toEndWith('cannot be created or opened')
  })

  // Root may read and write everything.
  test.skipIf(IS_ROOT)('a file that is not readable', async () => {
    await make()
    chmodSync(path, 0o200)
    expect(() => readFileSync(path)).toThrow('EACCES')
    const opened = openDatabase(path)
    expect(opened).toEqual({ ok: false, why: `${path} cannot be read and written by this user` })
    chmodSync(path, 0o600)
    expect(Object.keys(files())).toEqual(['comet.db'])
  })

  test.skipIf(IS_ROOT)('a file that is not writable', async () => {
    await make()
    chmodSync(path, 0o400)
    expect(refusal()).toBe(`${path} cannot be read and written by this user`)
  })
})

describe('a database whose process was killed', () => {
  /** Changes the file, but leaves that in its log, as a kill does. */
  async function killedAfter(sql: string): Promise<void> {
    await make(20_000)
    const other = `${folder}/other.db`
    copyFileSync(path, other)
    const database = new Database(other)
    database.run(sql)
    copyFileSync(other, path)
    copyFileSync(`${other}-wal`, `${path}-wal`)
    database.close()
    for (const end of ['', '-wal', '-shm']) rmSync(other + end, { force: true })
  }

  test('is refused, and left unchanged, if a newer comet wrote the log', async () => {
    await killedAfter('PRAGMA user_version = 5')
    expect(readFileSync(path).readUInt32BE(60)).toBe(4)
    expect(refusal()).toBe(`${path} is from a newer comet (version 5; this one knows 4)`)
  })

  test('is refused, and left unchanged, if a page is damaged', async () => {
    await killedAfter('INSERT INTO subscriptions VALUES (7, 9)')
    overwrite(40_960, new Uint8Array(4_096).fill(0xa5))
    expect(refusal()).toStartWith(`${path} is damaged: `)
  })

  test('opens with the changes in its log if it is undamaged', async () => {
    await killedAfter('INSERT INTO subscriptions VALUES (7, 9)')
    expect(holds()).toBe(20_001)
    expect(Object.keys(files())).toEqual(['comet.db'])
  })
})

test.each([
  ['SQLITE_FULL', 'its disk is full (SQLITE_FULL)'],
  [
    'SQLITE_IOERR_WRITE',
    'its disk is full or fails, or its file may not grow (SQLITE_IOERR_WRITE)',
  ],
  [
    'SQLITE_IOERR_GETTEMPPATH',
    'it can write no temporary file; set SQLITE_TMPDIR to a directory that can be written ' +
      '(SQLITE_IOERR_GETTEMPPATH)',
  ],
  ['SQLITE_READONLY_DBMOVED', 'its file or disk is read-only (SQLITE_READONLY_DBMOVED)'],
  ['SQLITE_CONSTRAINT_UNIQUE', null],
  ['SQLITE_MISUSE', null],
])('storageTrouble explains %s as %p', (code, text) => {
  expect(storageTrouble({ code })).toBe(text)
})
