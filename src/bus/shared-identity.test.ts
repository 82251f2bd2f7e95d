// Goal: tickets and revocations of one node are valid on all of them. Method: two nodes on a real
// Redis.

import { expect, test } from 'bun:test'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { systemClock } from '../core/clock.ts'
import { success } from '../core/result.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import { RedisNode } from './bus.fixture.ts'
import { busKeys } from './bus-keys.ts'
import { SharedRevocations } from './shared-revocations.ts'
import { SharedTickets } from './shared-tickets.ts'

const withRedis = test.skipIf(!HAS_REDIS)
const KEYS = busKeys('comet:')
const ALICE = { user: 'alice', read: ['news'], ttlSeconds: 600 }

function ticketsOf({ redis }: RedisNode): SharedTickets {
  const random = () => crypto.randomUUID().replaceAll('-', '')
  return new SharedTickets({ redis, keys: KEYS, clock: systemClock, random })
}

function revocationsOf({ redis }: RedisNode) {
  const names = new NameTable({ seed: Math.floor(Math.random() * 1_000) })
  return { names, revocations: new SharedRevocations({ redis, keys: KEYS, names }) }
}

withRedis('a ticket of one node is redeemed by another, once, and by no other text', async () => {
  await using server = await RedisServer.start()
  await using one = await RedisNode.start(server.url)
  await using other = await RedisNode.start(server.url)
  const issued = await ticketsOf(one).issue(ALICE)
  if (!issued.ok) throw new Error(issued.why.message)
  const { ticket } = issued.value
  const redeemed = await ticketsOf(other).redeem(ticket)
  expect(redeemed).toMatchObject(success({ user: 'alice', read: ['news'] }))
  for (const text of [ticket, 'unknown-unknown-unknown', '../log', '']) {
    expect(await ticketsOf(one).redeem(text)).toEqual({ ok: false, why: 'ticket' })
  }
  const left = Number(await server.command('EXISTS', `comet:ticket:${ticket}`))
  expect(left).toBe(0)
})

withRedis('a ticket ends by itself, and what others wrote is none', async () => {
  await using server = await RedisServer.start()
  await using node = await RedisNode.start(server.url)
  const tickets = ticketsOf(node)
  const issued = await tickets.issue(ALICE)
  if (!issued.ok) throw new Error(issued.why.message)
  const leftMs = Number(await server.command('PTTL', `comet:ticket:${issued.value.ticket}`))
  expect(leftMs).toBeGreaterThan(25_000)
  expect(leftMs).toBeLessThanOrEqual(30_000)
  for (const text of ['', 'null', '{"user":1}', '{"user":"a","read":["a b"]}']) {
    await server.command('SET', 'comet:ticket:0123456789abcdef', text)
    expect(await tickets.redeem('0123456789abcdef')).toEqual({ ok: false, why: 'ticket' })
  }
})

withRedis('while Redis is away tickets are refused for now, and not for good', async () => {
  await using server = await RedisServer.start()
  await using node = await RedisNode.start(server.url)
  await server.kill()
  await node.isAway()
  const tickets = ticketsOf(node)
  expect(await tickets.redeem('0123456789abcdef')).toEqual({ ok: false, why: 'busy' })
  expect(await tickets.issue(ALICE)).toMatchObject({ why: { code: 'bus_unavailable' } })
})

withRedis(
  'a revocation counts where it was made, and elsewhere once it is told or read',
  async () => {
    await using server = await RedisServer.start()
    await using one = await RedisNode.start(server.url)
    await using other = await RedisNode.start(server.url)
    const here = revocationsOf(one)
    const alice = here.names.intern('alice') as number
    for (const atMs of [2_000_000.7, 1_000_000]) await here.revocations.revoke(alice, atMs)
    await here.revocations.revoke(7, 5_000)
    expect(here.revocations.isRevoked(alice, 2_000)).toBe(true)
    expect(here.revocations.isRevoked(alice, 2_001)).toBe(false)
    const there = revocationsOf(other)
    const missed: unknown[] = []
    there.revocations.onMissed = (user) => missed.push(there.names.subjectOf(user))
    expect(there.revocations.isRevoked(7, 1)).toBe(false)
    await there.revocations.load()
    await there.revocations.load()
    expect(missed.toSorted()).toEqual([7, 'alice'])
    const known = there.names.find('alice')
    expect(there.revocations.isRevoked(known, null)).toBe(true)
    expect([there.revocations.refersTo(known), there.revocations.isRevoked(7, 5)]).toEqual([
      true,
      true,
    ])
    expect(there.revocations.isRevoked(8, null)).toBe(false)
  },
)
