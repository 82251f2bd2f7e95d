// Goal: what Redis does about nodes in one step is done once, no matter which node asks and how
// often, and is in the log if it is done. Method: the scripts on a real server, each answer and
// what is there then.

import { describe, expect, test } from 'bun:test'
import { waitFor } from '../../scripts/support/child-process.ts'
import { HAS_REDIS } from '../../scripts/support/redis.ts'
import { nodeLimits } from '../core/bus-limits.ts'
import { busKeys } from './bus-keys.ts'
import { descriptionText, type Member, memberChangeOf } from './member-entry.ts'
import { type ChangeRequest, NodeScripts } from './node-scripts.ts'
import { sharedRedis } from './redis.fixture.ts'
import { LEFT, RIGHT, ScriptCluster } from './scripts.fixture.ts'
import { parseEntries } from './stream-entry.ts'

const ALIVE_MS = 60

function member(origin: string, name = `node ${origin[0]}`): Member {
  return { origin, name, address: 'a:1', version: '1', startedMs: 5, sinceMs: 9_000 }
}

/** One cluster, whose keys have a prefix of their own. */
class Cluster {
  readonly scripts: NodeScripts
  /** The same cluster by the scripts of the log. */
  readonly #log: ScriptCluster
  readonly epoch: number

  constructor(scripts: NodeScripts, log: ScriptCluster, epoch: number) {
    this.scripts = scripts
    this.#log = log
    this.epoch = epoch
  }

  get prefix(): string {
    return this.#log.prefix
  }

  async change(kind: ChangeRequest['kind'], origin: string, other: Partial<ChangeRequest> = {}) {
    const description = descriptionText(member(origin))
    const request = { kind, origin, description, epoch: this.epoch, ...other }
    const answer = await this.scripts.change(request)
    return answer.ok ? answer.value : answer.why.text
  }

  async beat(origin: string, watched: readonly string[] = []) {
    const others = watched.map((one) => member(one))
    const answer = await this.scripts.beat(origin, descriptionText(member(origin)), others)
    if (!answer.ok) throw new Error(answer.why.text)
    return answer.value
  }

  async members(version = 0, known: readonly string[] = [], epoch = 0) {
    const all = known.map((origin) => member(origin, 'as it was known'))
    const answer = await this.scripts.members({ version, epoch, all })
    if (!answer.ok) throw new Error(answer.why.text)
    const { members, ...rest } = answer.value
    return { ...rest, names: members.map(({ name }) => name).toSorted() }
  }

  command(name: string, ...args: string[]): Promise<unknown> {
    return this.#log.command(name, ...args)
  }

  /** What the log tells of members. */
  async told(): Promise<string[]> {
    const key = `${this.prefix}log`
    const answer = await this.command('XREAD', 'STREAMS', key, '0-0')
    return (parseEntries(answer, key) ?? []).flatMap((entry) => {
      const change = entry.kind === 'batch' ? memberChangeOf(entry) : null
      if (change === null) return []
      const origin = change.kind === 'join' ? change.member.origin : change.origin
      return `${entry.at.number}: ${origin[0]} ${change.kind} ${change.version}`
    })
  }
}

describe.skipIf(!HAS_REDIS)('the scripts about nodes', () => {
  const shared = sharedRedis()
  let clusters = 0

  /** A log with an epoch and no members. */
  async function newCluster(): Promise<Cluster> {
    const prefix = `node-scripts-${++clusters}:`
    const { connection } = shared
    const limits = { ...nodeLimits, aliveMs: ALIVE_MS }
    const scripts = await NodeScripts.load(connection, busKeys(prefix), limits)
    if (!scripts.ok) throw new Error(scripts.why.text)
    const log = await ScriptCluster.open(connection, prefix)
    return new Cluster(scripts.value, log, (await log.hello()).top.epoch)
  }

  test('a heartbeat counts for its time, and tells who else has given one', async () => {
    const cluster = await newCluster()
    expect(await cluster.beat(LEFT, [RIGHT])).toEqual({
      ...{ wasAlive: false, isMember: false, version: 0 },
      silent: [RIGHT],
    })
    await cluster.beat(RIGHT)
    expect(await cluster.beat(LEFT, [RIGHT])).toMatchObject({ wasAlive: true, silent: [] })
    await cluster.change('join', LEFT)
    expect(await cluster.beat(LEFT)).toMatchObject({ isMember: true, version: 1 })
    await waitFor('it to be over', async () => (await cluster.beat(LEFT, [RIGHT])).silent[0])
    await waitFor('its own to be over', async () => {
      return (await cluster.command('EXISTS', `${cluster.prefix}node:${LEFT}`)) === 0
    })
    expect(await cluster.beat(LEFT)).toMatchObject({ wasAlive: false, isMember: true })
  })

  test('each change is done once, and is an entry with the next number', async () => {
    const cluster = await newCluster()
    expect(await cluster.change('join', LEFT)).toBe(true)
    expect(await cluster.change('join', LEFT)).toBe(false)
    expect(await cluster.change('join', RIGHT)).toBe(true)
    expect(await cluster.change('dead', LEFT)).toBe(true)
    expect(await cluster.change('dead', LEFT)).toBe(false)
    expect(await cluster.change('stopped', LEFT)).toBe(false)
    expect(await cluster.change('stopped', RIGHT)).toBe(true)
    const told = ['1: 1 join 1', '2: 2 join 2', '3: 1 dead 3', '4: 2 stopped 4']
    expect(await cluster.told()).toEqual(told)
    expect(await cluster.members()).toMatchObject({ version: 4, names: [] })
  })

  test('a node that sends heartbeats is not taken for dead, and may stop', async () => {
    const cluster = await newCluster()
    await cluster.change('join', LEFT)
    await cluster.beat(LEFT)
    expect(await cluster.change('dead', LEFT)).toBe(false)
    expect(await cluster.change('stopped', LEFT)).toBe(true)
    expect(await cluster.command('EXISTS', `${cluster.prefix}node:${LEFT}`)).toBe(0)
  })

  test('nothing is changed that the log does not take', async () => {
    const cluster = await newCluster()
    expect(await cluster.change('join', LEFT, { epoch: cluster.epoch - 1 })).toBe(false)
    await cluster.command('DEL', `${cluster.prefix}log`)
    expect(await cluster.change('join', LEFT)).toBe(false)
    expect(await cluster.command('EXISTS', `${cluster.prefix}log`)).toBe(0)
    expect(await cluster.members()).toMatchObject({ version: 0, names: [] })
  })

  test('who asks for the members is told the place in the log', async () => {
    const cluster = await newCluster()
    await cluster.change('join', LEFT)
    const at = { epoch: cluster.epoch, number: 1 }
    expect(await cluster.members()).toEqual({ version: 1, at, names: ['node 1'] })
    // Who knows as much, or less, changes nothing.
    expect(await cluster.members(1, [RIGHT])).toEqual({ version: 1, at, names: ['node 1'] })
  })

  test('a node that knows more than Redis tells it, and those that joined since stay', async () => {
    const cluster = await newCluster()
    await cluster.change('join', LEFT)
    const known = await cluster.members(5, [RIGHT], cluster.epoch - 1)
    expect(known).toMatchObject({ version: 6, names: ['as it was known', 'node 1'] })
    await cluster.change('dead', RIGHT)
    expect(await cluster.told()).toEqual(['1: 1 join 1', '2: 2 dead 7'])
  })

  test('a node that knows that others have left since tells it, too', async () => {
    const cluster = await newCluster()
    await cluster.change('join', LEFT)
    const known = await cluster.members(5, [RIGHT], cluster.epoch)
    expect(known).toMatchObject({ version: 6, names: ['as it was known'] })
  })

  test('nothing is sent to a node that sends no heartbeats', async () => {
    const cluster = await newCluster()
    const inbox = `${cluster.prefix}inbox:${LEFT}`
    expect(await cluster.scripts.send(LEFT, RIGHT, '[]')).toEqual({ ok: true, value: false })
    expect(await cluster.command('EXISTS', inbox)).toBe(0)
    await cluster.beat(LEFT)
    expect(await cluster.scripts.send(LEFT, RIGHT, '[]')).toEqual({ ok: true, value: true })
    expect(await cluster.command('XLEN', inbox)).toBe(1)
    await cluster.scripts.clearInbox(LEFT)
    expect(await cluster.command('EXISTS', inbox)).toBe(0)
  })
})
