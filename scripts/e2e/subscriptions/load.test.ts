// Goal: published edge lists are loaded, invalid ones are refused by line and reason, and a failed
// load leaves nothing behind. Method: the executable and real files.

import { describe, expect, test } from 'bun:test'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { ChildProcess, succeed, waitFor } from '../../support/child-process.ts'
import { run, serve, start } from '../../support/comet.ts'
import { folderOfTests } from '../../support/folder.ts'
import { chunk, get, RawClient } from '../../support/raw-client.ts'
import { connectionsOf } from '../../support/workers.ts'

const folder = folderOfTests()
let databases = 0

/** Loads a file with these bytes into a new database. */
async function load(content: string | Uint8Array, ...options: string[]) {
  const db = `${folder}/${++databases}.db`
  writeFileSync(`${folder}/edges`, content)
  const loaded = await run(['friends', 'load', `${folder}/edges`, '--db', db, ...options])
  return { ...loaded, db }
}

const EDGES = '1 2\n3 4\n'

describe('an edge list is loaded', () => {
  test.each<[string, string | Uint8Array, ...string[]]>([
    ['with tabs', '1\t2\n3\t4\n'],
    ['with commas', '1,2\n3, 4\n'],
    ['with comments', '# Nodes: 4 Edges: 2\n% sym\n  # von Universität\n1 2\n#\n3 4\n%'],
    ['with a long comment', `# ${'x'.repeat(5_000)}\n${EDGES}`],
    ['with a byte-order mark', `\ufeff${EDGES}`],
    ['with a byte-order mark before a comment', `\ufeff# friends\r\n1 2\r\n3 4\r\n`],
    ['with CRLF', '1 2\r\n3 4\r\n'],
    ['with all of it', '\ufeff# a\tb\r\n1,2\r\n\r\n3\t4\r\n'],
    ['gzipped with all of it', Bun.gzipSync('\ufeff# a\r\n1,2\r\n3\t4\r\n')],
    ['with weights', '1 2 0.5\n3\t4\t-1\n', '--ignore-columns'],
    ['with columns between commas', '1,2,2009-01-01,é\r\n3,4,,\r\n', '--ignore-columns'],
    ['with a third column here and there', '1 2\n3 4 1\n', '--ignore-columns'],
  ])('%s', async (_, content, ...options) => {
    const { db, stderr, exitCode } = await load(content, ...options)
    expect([stderr, exitCode]).toEqual(['', 0])
    expect((await run(['friends', 'export', '--db', db])).stdout).toBe(EDGES)
  })
})

describe('a load refuses, with its own reason and without leaving a database:', () => {
  const latin1 = (text: string) => Buffer.from(text, 'latin1')
  test.each<[string, string | Uint8Array, string, ...string[]]>([
    ['a self-loop', '7 7\n', 'line 1: follows itself'],
    ['a self-loop with a weight', '7,7,1\n', 'line 1: follows itself', '--ignore-columns'],
    ['id 0', '# x\n1,0\n', 'line 2: id 0'],
    ['an id that is too high', '1\t99999999\n', 'line 1: above the highest id'],
    ['a third column', '1 2 0.5\n', 'line 1: more than two columns'],
    ['the names of columns', 'source,target\n1,2\n', 'line 1: not two ids'],
    ['a typing error', '1 2\n0x3 4\n', 'line 2: not two ids'],
    ['a name that follows itself', 'alice alice\n', 'line 1: follows itself', '--names'],
    ['a name alone', 'alice\n', 'line 1: not two ids or names', '--names'],
    ['a name that is too long', `${'x'.repeat(65)} 1\n`, 'not two ids or names', '--names'],
    ['an empty column', '1,,2\n', 'line 1: not two ids', '--ignore-columns'],
    ['a byte-order mark inside', '1 2\n\ufeff3 4\n', 'line 2: not two ids'],
    ['a comment in Latin-1', latin1('1 2\n# Universität\n'), 'line 2: not UTF-8'],
    ['a column in Latin-1', latin1('1 2 é\n'), 'line 1: not UTF-8', '--ignore-columns'],
    ['UTF-16', Buffer.from('\ufeff1 2\n', 'utf16le'), 'line 1: not UTF-8'],
    ['an escape sequence in a comment', '# \u001b[2J\n1 2\n', 'line 1: not text'],
    ['comments alone', '# nothing\n', 'the input has no pairs'],
    ['a truncated gzip', Bun.gzipSync(EDGES).subarray(0, 12), 'the gzip data is truncated'],
  ])('%s', async (_, content, why, ...options) => {
    const { exitCode, stdout, stderr } = await load(content, ...options)
    expect([exitCode, stdout]).toEqual([1, ''])
    expect(stderr).toContain(why)
    expect(readdirSync(folder).filter((name) => name.startsWith(`${databases}.db`))).toEqual([])
  })

  test('more than two columns, and suggests the option that ignores them', async () => {
    expect((await load('1 2 3\n')).stderr).toContain('--ignore-columns')
    expect((await load('1 x\n')).stderr).not.toContain('--ignore-columns')
  })

  test('names, and suggests the option that takes them', async () => {
    expect((await load('alice bob\n')).stderr).toContain('use --names if ids may be names')
    const { stderr } = await load('alice bo*b\n', '--names')
    expect(stderr).toContain('line 1: not two ids or names')
    expect(stderr).toContain(
      'an id is a number, or a name of up to 64 letters, digits and . _ : @ -',
    )
  })
})

test('names are loaded, exported, described, and loaded again', async () => {
  const text = '7 room:42\nalice bob\nalice room:42\nbob 7\n'
  const packed = Bun.gzipSync('# who,whom\r\nalice,bob\r\n7,room:42\r\nbob\t7\nalice room:42')
  const first = await load(packed, '--names', '--json')
  expect([first.stderr, JSON.parse(first.stdout).added]).toEqual(['', 4])
  const lines = (out: string) => out.split('\n').sort()
  const exported = (await run(['friends', 'export', '--db', first.db])).stdout
  expect(lines(exported)).toEqual(lines(text))
  const again = await load(exported, '--names', '--json')
  expect(lines((await run(['friends', 'export', '--db', again.db])).stdout)).toEqual(lines(text))
  const more = ['friends', 'load', `${folder}/edges`, '--db', first.db, '--names', '--json']
  expect(JSON.parse((await run(more)).stdout)).toMatchObject({ added: 0, present: 4 })
  const { stdout } = await run(['friends', 'stats', '--db', first.db])
  expect(stdout).toContain('4 subscriptions')
})

test('a server started on names that were loaded has their followers', async () => {
  const { db } = await load('alice room:42\nbob room:42\n7 room:42\nalice 7\n', '--names')
  await using server = await serve(['--db', db])
  const path = `${server.controlUrl}/users/room:42/subscribers`
  const { users } = (await (await fetch(path)).json()) as { users: unknown[] }
  expect(users.map(String).sort()).toEqual(['7', 'alice', 'bob'])
  const address = `/stream/alice?format=raw`
  await using alice = await RawClient.open(server.publicPort, get(address))
  await alice.received('\r\n\r\n')
  await waitFor('the stream', async () => (await connectionsOf(server, 'alice')) === 1)
  for (const subject of ['room:42', '7', 'bob']) {
    await fetch(`${server.controlUrl}/subjects/${subject}`, { method: 'POST', body: subject })
  }
  await fetch(`${server.controlUrl}/users/alice`, { method: 'POST', body: 'last' })
  expect(await alice.received(chunk('last'))).toEndWith(
    ['room:42', '7', 'last'].map(chunk).join(''),
  )
})

test('comet friends load that a signal ends leaves no database file', async () => {
  const db = `${folder}/ended.db`
  await succeed(['mkfifo', `${folder}/fifo`])
  await using loading = start(['friends', 'load', `${folder}/fifo`, '--db', db])
  const write = ['sh', '-c', 'exec >"$0"; echo 1 2; exec sleep 60', `${folder}/fifo`]
  await using _writer = new ChildProcess(write)
  await waitFor('the database', () => existsSync(db))
  loading.kill('SIGINT')
  await loading.finished
  expect(loading.signalCode).toBe('SIGINT')
  expect(readdirSync(folder).filter((name) => name.startsWith('ended.db'))).toEqual([])
})

test('comet friends load that fails leaves an existing database unchanged, and no other file', async () => {
  const { db } = await load(EDGES)
  writeFileSync(`${folder}/bad`, '5 5\n')
  expect((await run(['friends', 'load', `${folder}/bad`, '--db', db])).exitCode).toBe(1)
  const name = `${databases}.db`
  expect(readdirSync(folder).filter((file) => file.startsWith(name))).toEqual([name])
  expect((await run(['friends', 'export', '--db', db])).stdout).toBe(EDGES)
})
