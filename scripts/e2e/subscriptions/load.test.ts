// Goal: published edge lists are loaded, invalid ones are refused by line and reason, and a failed
// load leaves nothing behind. Method: the executable and real files.

import { describe, expect, test } from 'bun:test'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { ChildProcess, succeed, waitFor } from '../../support/child-process.ts'
import { run, start } from '../../support/comet.ts'
import { folderOfTests } from '../../support/folder.ts'

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
