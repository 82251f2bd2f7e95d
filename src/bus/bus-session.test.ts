// Goal: a session acts on nothing that the log has lost since. Method: a real Redis on two
// connections whose answers come in an order that a network may have, and no test can force.

import { describe, expect, test } from 'bun:test'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { busLimits, nodeLimits } from '../core/bus-limits.ts'
import { systemClock } from '../core/clock.ts'
import { until } from '../core/time.fixture.ts'
import { about } from '../log/log.fixture.ts'
import { encodeBatch } from './batch.ts'
import { Listener } from './bus.fixture.ts'
import { busKeys } from './bus-keys.ts'
import { BusMeter } from './bus-meter.ts'
import { BusSession } from './bus-session.ts'
import { InboxSender } from './inbox-sender.ts'
import { Members } from './members.ts'
import { Membership } from './membership.ts'
import { PublishQueue } from './publish-queue.ts'
import { connected } from './redis.fixture.ts'
import type { Argument, RedisConnection } from './redis-connection.ts'
import type { RedisSession } from './redis-link.ts'
import { ScriptCluster } from './scripts.fixture.ts'
import { SharedWindow } from './shared-window.ts'
import type { BatchEntry } from './stream-entry.ts'

const [MINE, OTHER] = ['a'.repeat(16), 'b'.repeat(16)]
const LIMITS = { ...busLimits, readBlockMs: 20 }
const PREFIX = 'comet:'

/** What goes through it from some command on waits: before it is sent, or for its answer. */
class Held {
  readonly connection: RedisConnection
  readonly #open = Promise.withResolvers<void>()
  #isHeld = false

  constructor(real: RedisConnection, when: 'before' | 'after', from: (text: string) => boolean) {
    const send = async (command: string, args: readonly Argument[], blockMs?: number) => {
      this.#isHeld ||= from([command, ...args].join(' '))
      if (when === 'before' && this.#isHeld) await this.#open.promise
      const answer = await real.send(command, args, blockMs)
      if (when === 'after' && this.#isHeld) await this.#open.promise
      return answer
    }
    // All that it is besides, it is itself.
    this.connection = new Proxy(real, {
      get: (target, name) => {
        const value = name === 'send' ? send : Reflect.get(target, name, target)
        return typeof value === 'function' && name !== 'send' ? value.bind(target) : value
      },
    })
  }

  release(): void {
    this.#open.resolve()
  }
}

function sessionOf(reader: RedisConnection, writer: RedisConnection, window: SharedWindow) {
  const { promise: ended, resolve: end } = Promise.withResolvers<string>()
  const connections: RedisSession = {
    ...{ reader, writer, info: reader.info, ended },
    end: (why) => {
      end(why)
      for (const connection of [reader, writer]) connection.close(why)
    },
  }
  const [keys, meter, clock] = [busKeys(PREFIX), new BusMeter(), systemClock]
  const members = new Members(nodeLimits)
  const common = { connections, keys, origin: MINE, clock, window }
  const session = new BusSession({
    ...{ ...common, limits: LIMITS, meter },
    queue: new PublishQueue({ origin: MINE, limits: LIMITS, clock, meter }),
    membership: new Membership({
      ...{ ...common, limits: nodeLimits, members, sender: new InboxSender(nodeLimits) },
      node: { name: 'a', address: 'a:1', version: '1', startedMs: 1 },
    }),
    onInbox: () => undefined,
    onReady: () => undefined,
  })
  return { session, connections }
}

/** One that has read a batch of another node in epoch 5, which epoch 9 has lost. */
function windowOf(entry: BatchEntry): SharedWindow {
  const window = new SharedWindow({
    ...{ bytes: 64 * 1024, limits: LIMITS, listener: new Listener() },
    ...{ intern: () => null, nameOf: String, takeOwn: () => null },
    onMemberChange: () => undefined,
    publicationOf: () => {
      throw new Error('no report is expected')
    },
  })
  const batches = new Map<string, number>()
  const [begun, base] = [
    { epoch: 5, number: 0 },
    { epoch: 0, number: 0 },
  ]
  window.apply({ kind: 'fork', at: begun, base, batches, isReset: false })
  window.apply(entry)
  const [at, isReset] = [{ epoch: 9, number: 0 }, false]
  window.apply({ kind: 'fork', at, base: begun, batches, isReset })
  return window
}

describe.skipIf(!HAS_REDIS)('a session', () => {
  test('adds again what was lost once more, though its answer comes after that', async () => {
    await using redis = await RedisServer.start()
    const cluster = await ScriptCluster.open(await connected(redis.url), PREFIX)
    const { head, body } = encodeBatch([about(1, 'lost')])
    const window = windowOf({
      ...{ kind: 'batch', at: { epoch: 5, number: 1 }, origin: OTHER, batch: 1, count: 1 },
      ...{
        seconds: 5,
        head,
        body: Buffer.from(body).toString(),
        isText: true,
        again: null,
        previous: 0,
      },
    })
    const forkedAt = async (id: string, base: string) => {
      const run = (await redis.info('run_id')) ?? ''
      await cluster.command('XADD', 'comet:log', id, 'fork', base, 'run', run, 'batches', '-')
      await cluster.command('HSET', 'comet:log:state', 'epoch', `${parseInt(id, 10)}`, 'run', run)
    }
    // The log has gone another way, without the batch.
    await forkedAt('11-7', '9-7')
    const reader = new Held(await connected(redis.url), 'before', (text) => text.includes(' 11-7 '))
    const writer = new Held(await connected(redis.url), 'after', (text) => text.includes(' 5-1 '))
    const { session, connections } = sessionOf(reader.connection, writer.connection, window)
    const running = session.run()
    await isAdded(cluster, head)
    await cluster.command('FLUSHALL')
    await forkedAt('12-7', '11-7')
    reader.release()
    await until('the fork is read', () => window.cursor.epoch === 12)
    expect(window.orphans).toHaveLength(1)
    writer.release()
    await isAdded(cluster, head)
    await until('it is whole', () => session.isReady && window.isWhole)
    connections.end('It is over.')
    await running
  })
})

async function isAdded(cluster: ScriptCluster, head: string): Promise<void> {
  let heads: string[] = []
  const asking = setInterval(async () => {
    heads = await cluster.heads()
  }, 5)
  try {
    await until('it is in the log', () => heads.includes(head))
  } finally {
    clearInterval(asking)
  }
}
