// Goal: who asks all nodes has their answers in a moment, and never waits for one that is dead,
// slow or does not know the question. Method: three nodes on a real Redis, and what others write
// into their inboxes.

import { describe, expect, test } from 'bun:test'
import { waitFor } from '../../scripts/support/child-process.ts'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { TcpProxy } from '../../scripts/support/tcp-proxy.ts'
import { until } from '../core/time.fixture.ts'
import type { RedisNode, RedisNodeOptions } from './bus.fixture.ts'
import { Nodes, sameMembers } from './cluster.fixture.ts'
import type { Answers } from './node-requests.ts'

/** Three nodes that know each other; each answers `who` with its name and the question. */
async function started(redis: RedisServer, options: RedisNodeOptions = {}): Promise<Nodes> {
  const nodes = await Nodes.startWith(options, redis.url, redis.url, redis.url)
  await sameMembers(nodes.all)
  for (const { redis: bus, origin } of nodes.all) {
    bus.requests.handle('who', (body) => `${bus.members.get(origin)?.name} ${body}`)
  }
  return nodes
}

function texts({ answers }: Answers): string[] {
  return [...answers.values()].toSorted()
}

function names({ missing }: Answers): string[] {
  return missing.map(({ name }) => name).toSorted()
}

async function ask(node: RedisNode, kind: string, body = ''): Promise<Answers> {
  return await node.redis.requests.ask(kind, body)
}

describe.skipIf(!HAS_REDIS)('a question', () => {
  test('is answered by all others, or by the only one that is asked', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await started(redis)
    const text = 'ä "€" \u0000 😀\n'
    const answers = await ask(nodes.at(0), 'who', text)
    expect(texts(answers)).toEqual([`middle ${text}`, `right ${text}`])
    expect(names(answers)).toEqual([])
    expect(answers.answers.get(nodes.at(1).origin)).toBe(`middle ${text}`)
    const { requests } = nodes.at(2).redis
    const one = await requests.ask('who', 'b', { to: nodes.at(0).origin })
    expect([texts(one), names(one)]).toEqual([['left b'], []])
    const none = await requests.ask('who', 'b', { to: '0'.repeat(16) })
    expect([texts(none), names(none)]).toEqual([[], []])
  })

  test('shares an entry with others of its turn, and each has its own answers', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await started(redis)
    const asked = Array.from({ length: 50 }, (_, at) => ask(nodes.at(0), 'who', String(at)))
    const all = await Promise.all(asked)
    for (const [at, answers] of all.entries()) {
      expect(texts(answers)).toEqual([`middle ${at}`, `right ${at}`])
    }
    expect(await redis.command('XLEN', `comet:inbox:${nodes.at(1).origin}`)).toBe(1)
  })

  test('that is long goes in parts', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await started(redis, { nodeLimits: { answerMs: 3_000 } })
    const long = 'x'.repeat(200_000)
    const all = await Promise.all([1, 2, 3].map((at) => ask(nodes.at(0), 'who', `${at} ${long}`)))
    for (const answers of all) expect(texts(answers).map((text) => text.length)).toHaveLength(2)
    expect(await redis.command('XLEN', `comet:inbox:${nodes.at(1).origin}`)).toBe(3)
    const tooLong = await ask(nodes.at(0), 'who', 'x'.repeat(1024 * 1024 + 1))
    expect(names(tooLong)).toEqual(['middle', 'right'])
  })

  test('that a node does not know, or has no answer to, is missing at once', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await started(redis, { nodeLimits: { answerMs: 60_000 } })
    nodes.at(1).redis.requests.handle('new', () => null)
    const answers = await ask(nodes.at(0), 'new')
    expect([texts(answers), names(answers)]).toEqual([[], ['middle', 'right']])
  })

  test('waits for a node as long as it may, and no longer', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await started(redis)
    const { promise, resolve } = Promise.withResolvers<string>()
    nodes.at(1).redis.requests.handle('slow', () => promise)
    nodes.at(2).redis.requests.handle('slow', async () => 'here')
    const startedMs = performance.now()
    const answers = await ask(nodes.at(0), 'slow')
    expect(performance.now() - startedMs).toBeGreaterThan(240)
    expect([texts(answers), names(answers)]).toEqual([['here'], ['middle']])
    expect(nodes.at(0).redis.requests.pending).toBe(0)
    // An answer that comes too late is dropped.
    resolve('late')
    expect(texts(await ask(nodes.at(0), 'who', 'b'))).toEqual(['middle b', 'right b'])
    expect(texts(answers)).toEqual(['here'])
  })

  test('to a node that sends no heartbeats is missing at once, before all know', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    const options = { nodeLimits: { answerMs: 60_000, aliveMs: 600, judgeAfterMs: 60_000 } }
    await using nodes = await Nodes.startWith(options, redis.url, proxy.url)
    await sameMembers(nodes.all)
    proxy.cutOff()
    const key = `comet:node:${nodes.at(1).origin}`
    await waitFor('Redis to have forgotten it', async () => {
      return (await redis.command('EXISTS', key)) === 0
    })
    const answers = await ask(nodes.at(0), 'who')
    expect(names(answers)).toEqual(['middle'])
    expect(nodes.at(0).redis.figures.unsent).toBe(1)
  })

  test('while Redis is away gets no answer, and does not hang', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await started(redis, { nodeLimits: { answerMs: 60_000 } })
    await redis.kill()
    for (const node of nodes.all) await node.isAway()
    expect(names(await ask(nodes.at(0), 'who'))).toEqual(['middle', 'right'])
    await redis.startAgain()
    for (const node of nodes.all) await node.isReady()
    await sameMembers(nodes.all)
    await until('they are alive', () => nodes.all.every(({ redis: bus }) => bus.figures.isReady))
    expect(texts(await ask(nodes.at(0), 'who', 'b'))).toEqual(['middle b', 'right b'])
  })

  test('ends with its node', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await started(redis, { nodeLimits: { answerMs: 60_000 } })
    nodes.at(1).redis.requests.handle('never', () => new Promise(() => undefined))
    const asked = ask(nodes.at(0), 'never')
    await nodes.at(0).bus.close()
    expect(names(await asked)).toEqual(['middle', 'right'])
    expect(names(await ask(nodes.at(0), 'who'))).toEqual(['middle', 'right'])
  })

  test('beyond the limits gets no answer', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await started(redis, { nodeLimits: { asksMax: 2, handledMax: 1 } })
    const { promise, resolve } = Promise.withResolvers<string>()
    for (const node of [nodes.at(1), nodes.at(2)]) {
      node.redis.requests.handle('slow', () => promise)
    }
    const asked = [1, 2, 3].map(() => ask(nodes.at(0), 'slow'))
    expect(names(await (asked[2] as Promise<Answers>))).toEqual(['middle', 'right'])
    // The second one is more than a node takes at once.
    expect(names(await (asked[1] as Promise<Answers>))).toEqual(['middle', 'right'])
    resolve('done')
    expect(texts(await (asked[0] as Promise<Answers>))).toEqual(['done', 'done'])
  })

  test('reaches its node also while others fill the inbox with rubbish', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await started(redis)
    const inbox = `comet:inbox:${nodes.at(1).origin}`
    const from = nodes.at(0).origin
    for (const [f, text] of [
      ['f', '['],
      ['f', '{}'],
      ['f', '[1, null, [], ["q"], ["q", 1], ["q", -1, "who", ""], ["q", 1, 2, 3]]'],
      ['f', '[["a", 99, "nobody has asked"], ["a", 1, 2], ["r", 1, 2], ["x", 1, 2]]'],
      ['f', '[["r", 1, 2, 3, 4, 5], ["r", 1, 2, 3, 4, "5"], ["r", 1.5, 2, 3, 4, 5]]'],
      ['g', '[["q", 1, "who", ""]]'],
    ] as const) {
      await redis.command('XADD', inbox, '*', f, from, 'm', text)
    }
    await redis.command('XADD', inbox, '*', 'f', 'nobody', 'm', '[["q", 1, "who", ""]]')
    await redis.command('XADD', inbox, '*', 'x', 'y')
    expect(texts(await ask(nodes.at(0), 'who', 'b'))).toEqual(['middle b', 'right b'])
    await redis.command('DEL', inbox)
    // Its next entry is behind the last one again: they are numbered by the time.
    const deletedMs = Date.now()
    await until('the time goes on', () => Date.now() > deletedMs + 1)
    expect(texts(await ask(nodes.at(0), 'who', 'c'))).toEqual(['middle c', 'right c'])
    expect(nodes.gaps).toEqual([0, 0, 0])
  })

  test('again and again does not hide that the log is gone', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await started(redis)
    const { epoch } = nodes.at(0).bus.cursor
    await redis.command('DEL', 'comet:log')
    const isFound = () => nodes.all.every(({ bus }) => bus.cursor.epoch > epoch)
    for (let count = 0; !isFound(); count++) {
      expect(count).toBeLessThan(20_000)
      await Promise.all(nodes.all.map((node) => ask(node, 'who')))
    }
    nodes.at(0).publish('0 0')
    for (const node of nodes.all) await node.heard('0 0')
    expect(nodes.gaps).toEqual([0, 0, 0])
  })

  test('is not answered by those that were not asked', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await started(redis, { nodeLimits: { answerMs: 100 } })
    nodes.at(1).redis.requests.handle('slow', () => new Promise(() => undefined))
    const asked = nodes.at(0).redis.requests.ask('slow', '', { to: nodes.at(1).origin })
    const forged = JSON.stringify([['a', 1, 'forged']])
    const inbox = `comet:inbox:${nodes.at(0).origin}`
    await redis.command('XADD', inbox, '*', 'f', nodes.at(2).origin, 'm', forged)
    expect([texts(await asked), names(await asked)]).toEqual([[], ['middle']])
  })

  test('finds an inbox that is kept small', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await started(redis, { nodeLimits: { inboxEntries: 10 } })
    for (let at = 0; at < 500; at++) await ask(nodes.at(0), 'who', String(at))
    const inbox = `comet:inbox:${nodes.at(1).origin}`
    expect(Number(await redis.command('XLEN', inbox))).toBeLessThan(250)
    expect(Number(await redis.command('PTTL', inbox))).toBeGreaterThan(0)
  })
})
