// Goal: what is ours opens; what is not is refused with its reason, and stays as it was to the byte.
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
import { openDatabase } from './database.ts'
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
    opened.database.close()
    throw new Error(`${of} opened`)
  }
  expect(files()).toEqual(before)
  return opened.why
}

/** Makes a database of comet with some pairs, closed. */
function make(pairs = 3): void {
  const store = openStore(path)
  store.add(Uint32Array.from({ length: pairs * 2 }, (_, at) => at + 1))
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

describe('a database opens', () => {
  test('that is not there yet, and again', () => {
    make()
    expect(Object.keys(files())).toEqual(['comet.db'])
    expect(holds()).toBe(3)
    expect(holds()).toBe(3)
  })

  test('in memory, each on its own', () => {
    const [one, other] = [openStore(':memory:'), openStore(':memory:')]
    one.add(Uint32Array.of(1, 2))
    expect(other.counts().subscriptions).toBe(0)
    one.close()
    other.close()
  })

  test('whose creation was interrupted before its first byte', () => {
    writeFileSync(path, '')
    expect(holds()).toBe(0)
  })

  test('whose creation was interrupted before its log', () => {
    make()
    makeByHand('PRAGMA journal_mode = DELETE')
    expect(holds()).toBe(3)
  })

  test('says in its header whose it is, in which version', () => {
    make()
    const header = readFileSync(path)
    expect(header.toString('latin1', 68, 72)).toBe('comt')
    expect(header.readUInt32BE(60)).toBe(1)
  })

  test('writes ahead, and serves both directions without a second look', () => {
    const opened = openDatabase(path)
    if (!opened.ok) throw new Error(opened.why)
    const { database } = opened
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

describe('a database is refused, and stays as it was,', () => {
  test('that another process holds, until that ends', async () => {
    make()
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
  ])('that is none: %s', (_, bytes) => {
    writeFileSync(path, bytes)
    expect(refusal()).toBe(`${path} is not a database`)
  })

  test('that is another program’s', () => {
    makeByHand('CREATE TABLE subscriptions (subscriber, subject)')
    expect(refusal()).toBe(`${path} is a database of another program`)
    makeByHand('PRAGMA application_id = 7')
    expect(refusal()).toBe(`${path} is a database of another program`)
  })

  test('that is from a newer comet', () => {
    make()
    makeByHand('PRAGMA user_version = 2')
    rmSync(`${path}-shm`, { force: true })
    expect(refusal()).toBe(`${path} is from a newer comet (version 2; this one knows 1)`)
  })

  test('with a damaged page', () => {
    make(20_000)
    const { length } = readFileSync(path)
    overwrite(Math.floor(length / 8_192) * 4_096, new Uint8Array(4_096).fill(0xa5))
    expect(refusal()).toStartWith(`${path} is damaged: `)
  })

  test('that was cut off', () => {
    make(20_000)
    writeFileSync(path, readFileSync(path).subarray(0, 50_000))
    expect(refusal()).toStartWith(`${path} is damaged: `)
  })

  test('with a header that says nonsense behind its first line', () => {
    make()
    overwrite(16, new Uint8Array(8).fill(0xff))
    expect(refusal()).toMatch(/ is (not a database|damaged)/)
  })

  test('that is a folder', () => {
    mkdirSync(path)
    expect(refusal()).toBe(`${path} is not a file`)
  })

  test('whose path leads through a file, or through a folder that is not there', () => {
    writeFileSync(`${folder}/file`, 'text')
    expect(refusal(`${folder}/file/comet.db`)).toEndWith('cannot be read (ENOTDIR)')
    expect(refusal(`${folder}/none/comet.db`)).toEndWith('cannot be created or opened')
  })

  // Root may read and write everything.
  test.skipIf(IS_ROOT)('that may not be read', () => {
    make()
    chmodSync(path, 0o200)
    expect(() => readFileSync(path)).toThrow('EACCES')
    const opened = openDatabase(path)
    expect(opened).toEqual({ ok: false, why: `${path} cannot be read and written by this user` })
    chmodSync(path, 0o600)
    expect(Object.keys(files())).toEqual(['comet.db'])
  })

  test.skipIf(IS_ROOT)('that may not be written', () => {
    make()
    chmodSync(path, 0o400)
    expect(refusal()).toBe(`${path} cannot be read and written by this user`)
  })
})

describe('a database whose process was killed is refused, log and all,', () => {
  /** Changes the file, but leaves that in its log, as a kill does. */
  function killedAfter(sql: string): void {
    make(20_000)
    const other = `${folder}/other.db`
    copyFileSync(path, other)
    const database = new Database(other)
    database.run(sql)
    copyFileSync(other, path)
    copyFileSync(`${other}-wal`, `${path}-wal`)
    database.close()
    for (const end of ['', '-wal', '-shm']) rmSync(other + end, { force: true })
  }

  test('if a newer comet wrote the log', () => {
    killedAfter('PRAGMA user_version = 2')
    expect(readFileSync(path).readUInt32BE(60)).toBe(1)
    expect(refusal()).toBe(`${path} is from a newer comet (version 2; this one knows 1)`)
  })

  test('if a page is damaged', () => {
    killedAfter('INSERT INTO subscriptions VALUES (7, 9)')
    overwrite(40_960, new Uint8Array(4_096).fill(0xa5))
    expect(refusal()).toStartWith(`${path} is damaged: `)
  })

  test('but opens with what its log has if nothing is wrong', () => {
    killedAfter('INSERT INTO subscriptions VALUES (7, 9)')
    expect(holds()).toBe(20_001)
    expect(Object.keys(files())).toEqual(['comet.db'])
  })
})
