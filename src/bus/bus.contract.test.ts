// Goal: the bus of one machine and that of several keep the same promises. Method: one suite, run
// against the log of this process, and against three nodes on a real Redis.

import { afterAll, beforeAll, describe } from 'bun:test'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { LocalBus } from '../log/local-bus.ts'
import { memoryLog } from '../log/ring-log.ts'
import { busContract } from './bus.contract.ts'
import { Listener, RedisNode, TestNode } from './bus.fixture.ts'

describe('the bus of one machine', () => {
  busContract({
    nodes: 1,
    open: async () => {
      const listener = new Listener()
      return [new TestNode(new LocalBus(memoryLog({ bytes: 1024 * 1024 }), listener), listener)]
    },
  })
})

describe.skipIf(!HAS_REDIS)('the bus of three machines', () => {
  let redis: RedisServer
  let clusters = 0

  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(async () => {
    await redis[Symbol.asyncDispose]()
  })

  busContract({
    nodes: 3,
    open: async (count) => {
      // Each test is a cluster of its own on the same Redis.
      const prefix = `test-${++clusters}:`
      const starts = Array.from({ length: count }, () => RedisNode.start(redis.url, { prefix }))
      return await Promise.all(starts)
    },
  })
})
