// Goal: the data set is generated, loaded, exported and described correctly; an invalid file
// changes nothing; and a message reaches exactly the followers in the file.
// Method: the executable and real files; receivers derived from the file alone.

import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { randomFrom } from '../../../src/core/random.ts'
import { FriendsStats } from '../../../src/friends/followers-distribution.ts'
import { waitFor } from '../../support/child-process.ts'
import { COMET, run, serve } from '../../support/comet.ts'
import { folderOfTests } from '../../support/folder.ts'
import { chunk, RawClient } from '../../support/raw-client.ts'

const folder = folderOfTests()

async function friends(...args: string[]) {
  return await run(['friends', ...args])
}

async function load(file: string, db: string) {
  return await friends('load', `${folder}/${file}`, '--db', `${folder}/${db}`, '--json')
}

async function heldBy(db: string): Promise<string> {
  return (await friends('export', '--db', `${folder}/${db}`)).stdout
}

describe('a graph of comet friends generate', () => {
  test('is the same for the same seed, byte for byte, on standard output and in a file', async () => {
    const args = ['--users', '1000', '--degree', '5', '--seed', '7']
    const { stdout } = await friends('generate', ...args)
    await friends('generate', ...args, '--output', `${folder}/seed.txt`)
    expect(await Bun.file(`${folder}/seed.txt`).text()).toBe(stdout)
    expect(stdout.trim().split('\n')).toHaveLength(4_985)
    expect((await friends('generate', '--users', '1000', '--degree', '5')).stdout).not.toBe(stdout)
  })

  test('is exported as it was loaded, from a file, gzip and standard input', async () => {
    await friends('generate', '--users', '2000', '--output', `${folder}/all.txt`)
    const bytes = await Bun.file(`${folder}/all.txt`).bytes()
    await Bun.write(`${folder}/all.txt.gz`, Bun.gzipSync(bytes))
    const loaded = await load('all.txt', 'plain.db')
    expect(JSON.parse(loaded.stdout)).toMatchObject({ added: 29_880, repeated: 0, present: 0 })
    expect((await load('all.txt.gz', 'gzip.db')).exitCode).toBe(0)
    await Bun.$`${COMET} friends load - --db ${folder}/stdin.db < ${folder}/all.txt`.quiet()
    const sorted = Buffer.from(bytes).toString().trim().split('\n').sort(byIds).join('\n')
    for (const db of ['plain.db', 'gzip.db', 'stdin.db'])
      expect((await heldBy(db)).trim()).toBe(sorted)
    const again = JSON.parse((await load('all.txt', 'plain.db')).stdout)
    expect(again).toMatchObject({ added: 0, present: 29_880 })
  })

  test('is described by comet friends stats as text, SVG and JSON', async () => {
    const args = ['stats', '--db', `${folder}/plain.db`]
    const { stdout } = await friends(...args, '--json', '--svg', `${folder}/followers.svg`)
    const stats = Value.Parse(FriendsStats, JSON.parse(stdout))
    expect([stats.users, stats.subscriptions]).toEqual([2_000, 29_880])
    expect(stats.followers.max).toBeGreaterThan(10 * stats.followers.mean)
    expect(await Bun.file(`${folder}/followers.svg`).text()).toStartWith('<svg')
    expect((await friends(...args)).stdout).toContain('29,880 subscriptions')
  })
})

describe('a load refuses, and leaves the database unchanged, a file with', () => {
  const good = '1 2\n3 4\n'
  test.each<[string, string | Uint8Array, string]>([
    ['letters', `${good}a b\n`, 'line 3'],
    ['one id', `${good}5\n`, 'line 3'],
    ['zero', `0 1\n${good}`, 'line 1'],
    ['a negative id', `${good}-1 2\n`, 'line 3'],
    ['an id that is above --max-users', `${good}1 1114113\n`, 'line 3: above the highest id'],
    ['an id of twenty digits', `${good}1 99999999999999999999\n`, 'line 3'],
    ['a user who follows itself', `1 2\n7 7\n`, 'line 2'],
    ['a line of a megabyte', `${good}${'9'.repeat(1_000_000)}\n`, 'line 3'],
    ['binary', new Uint8Array(5_000).map((_, at) => (at * 37) % 256), 'line 1'],
    ['nothing', '', 'nothing was loaded'],
    ['blank lines only', '\n\n\n', 'nothing was loaded'],
    ['a truncated gzip', Bun.gzipSync(good.repeat(50_000)).subarray(0, 200), 'gzip'],
  ])('%s', async (_what, content, why) => {
    await Bun.write(`${folder}/good.txt`, '100 200\n')
    await Bun.write(`${folder}/bad.txt`, content)
    await load('good.txt', 'untouched.db')
    const { exitCode, stdout, stderr } = await load('bad.txt', 'untouched.db')
    expect([exitCode, stdout]).toEqual([1, ''])
    expect(stderr).toContain(why)
    expect(stderr.length).toBeLessThan(2_000)
    expect(await heldBy('untouched.db')).toBe('100 200\n')
  })

  test('a missing file, a missing database and a database in use are errors', async () => {
    expect((await load('missing.txt', 'untouched.db')).stderr).toContain('there is no file')
    await using server = await serve(['--db', `${folder}/used.db`])
    const { exitCode, stderr } = await load('good.txt', 'used.db')
    expect([exitCode, stderr.includes('in use by another process')]).toEqual([69, true])
    expect((await server.stats()).subscriptions.held).toBe(0)
    expect((await friends('stats', '--db', `${folder}/none.db`)).exitCode).toBe(69)
    expect(await Bun.file(`${folder}/none.db`).exists()).toBe(false)
  })
})

test('a message about a subject reaches exactly the followers in the file', async () => {
  const users = 2_000
  await friends(
    'generate',
    '--users',
    String(users),
    '--seed',
    '3',
    '--output',
    `${folder}/graph.txt`,
  )
  await load('graph.txt', 'graph.db')
  const lines = (await Bun.file(`${folder}/graph.txt`).text()).trim().split('\n')
  const pairs = lines.map((line) => line.split(' ').map(Number))

  await using server = await serve(['--db', `${folder}/graph.db`])
  const ids = Array.from({ length: users }, (_, at) => at + 1)
  const clients = new Map<number, RawClient>()
  for (const id of ids) clients.set(id, await RawClient.stream(server.publicPort, id))

  const random = randomFrom(5)
  // The most popular ones too, who are among the first.
  const subjects = [1, 2, 3, 10, 20, ...Array.from({ length: 95 }, () => 1 + random(users))]
  const expected = subjects.map((subject) => {
    const followers = pairs.filter(([, of]) => of === subject).map(([follower]) => follower)
    return new Set([subject, ...followers])
  })
  for (const [at, subject] of subjects.entries()) {
    const delivered = await server.publish({ subject, body: `message ${at}.` })
    expect(delivered).toBe(expected[at]?.size ?? 0)
  }
  for (const [id, client] of clients) {
    const mine = subjects.flatMap((_, at) =>
      expected[at]?.has(id) ? [chunk(`message ${at}.`)] : [],
    )
    await waitFor(`what user ${id} must get`, () => client.text.endsWith(mine.join('')))
    expect(client.text.split('message ').length - 1).toBe(mine.length)
    client.terminate()
  }
})

function byIds(a: string, b: string): number {
  const [subscriberA = 0, subjectA = 0] = a.split(' ').map(Number)
  const [subscriberB = 0, subjectB = 0] = b.split(' ').map(Number)
  return subscriberA - subscriberB || subjectA - subjectB
}
