// What every bus promises, whatever is behind it. Method: nodes publish to it, and what each of
// them hears is compared with what each publisher was told.

import { expect, test } from 'bun:test'
import { about, missed, reader, to, toEveryone, user } from '../log/log.fixture.ts'
import { BARRIER } from '../log/message-bus.ts'
import type { MessageLog } from '../log/message-log.ts'
import { NOT_DELIVERED, type TestNode } from './bus.fixture.ts'

/** Opens so many nodes of one new bus. */
export type OpenNodes = (count: number) => Promise<TestNode[]>

export interface BusContractOptions {
  readonly open: OpenNodes
  /** Nodes of a test: one for a bus of one machine. */
  readonly nodes: number
}

function windowOf(node: TestNode): MessageLog {
  return node.bus.window as MessageLog
}

export function busContract({ open, nodes: count }: BusContractOptions): void {
  const withNodes = (name: string, run: (nodes: TestNode[]) => Promise<void>) => {
    test(name, async () => {
      const nodes = await open(count)
      try {
        await run(nodes)
      } finally {
        await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()))
      }
    })
  }

  withNodes('every node hears every message once, all in the same order', async (nodes) => {
    const texts = nodes.flatMap((_, at) => Array.from({ length: 100 }, (_, n) => `${at} ${n}`))
    for (let n = 0; n < 100; n++) {
      for (const [at, node] of nodes.entries()) node.publish(`${at} ${n}`)
      // The next ones are of another turn of the loop.
      if (n % 7 === 0) await new Promise(setImmediate)
    }
    for (const node of nodes) await node.heard(...texts)
    const [first] = nodes as [TestNode]
    expect(first.listener.texts.toSorted()).toEqual(texts.toSorted())
    for (const node of nodes) expect(node.listener.heard).toEqual(first.listener.heard)
  })

  withNodes('what one node publishes stays in its order', async (nodes) => {
    const [node] = nodes as [TestNode]
    const texts = Array.from({ length: 3_000 }, (_, n) => `text ${n}`)
    node.publish(...texts)
    await node.accepted(...texts)
    expect(node.listener.texts).toEqual(texts)
  })

  withNodes(
    'a publisher is told where its message is, right before its streams have it',
    async (nodes) => {
      const [node] = nodes as [TestNode]
      const order: string[] = []
      const { promise, resolve } = Promise.withResolvers<void>()
      node.bus.publish(about(1, 'a text'), {
        ...NOT_DELIVERED,
        onAccepted: ({ number }, isHanded) => {
          order.push(...node.listener.texts, `accepted as ${number}`, `handed: ${isHanded}`)
          resolve()
        },
        onRepeated: () => order.push('repeated'),
        onRefused: (why) => order.push(why),
      })
      await promise
      expect(order).toEqual([`accepted as ${node.bus.cursor.number}`, 'handed: true'])
      expect(node.listener.texts).toEqual(['a text'])
    },
  )

  withNodes('numbers are those of the window, one after the other', async (nodes) => {
    const before = nodes.map((node) => node.bus.cursor.number)
    const [node] = nodes as [TestNode]
    node.publish('a', 'b', 'c')
    for (const each of nodes) await each.heard('a', 'b', 'c')
    for (const [at, each] of nodes.entries()) {
      const numbers = each.listener.heard.map((one) => 'cursor' in one && one.cursor.number)
      expect(numbers).toEqual([1, 2, 3].map((n) => (before[at] as number) + n))
      const texts = numbers.map((number) => {
        return Buffer.from(each.bus.window.read(Number(number)).bytes).toString()
      })
      expect(texts).toEqual(['a', 'b', 'c'])
    }
  })

  withNodes('a cursor of one node counts on every node, and others do not', async (nodes) => {
    const [node] = nodes as [TestNode]
    const start = node.bus.cursor
    node.publish('a', 'b')
    for (const each of nodes) await each.heard('a', 'b')
    for (const each of nodes) {
      expect(each.bus.cursor).toEqual(node.bus.cursor)
      expect(each.bus.numberOf(start)).toBe(start.number)
      expect(missed(windowOf(each), reader(1), start.number)).toEqual(['a', 'b'])
      const { epoch, number } = each.bus.cursor
      expect(each.bus.numberOf({ epoch, number: number + 1 })).toBeNull()
      expect(each.bus.numberOf({ epoch: epoch + 1, number })).toBeNull()
      expect(each.bus.numberOf({ epoch: epoch - 1, number })).toBeNull()
    }
  })

  withNodes('a reader that comes back gets what was for it on every node', async (nodes) => {
    const [node] = nodes as [TestNode]
    const after = node.bus.cursor.number
    node.publishItem('1', about(7, 'about 7'))
    node.publishItem('2', to(8, 'to 8'))
    node.publishItem('3', toEveryone('to all'))
    node.publishItem('4', { user: user(8), subject: user(7), follows: true })
    node.publishItem('5', about(7, 'more about 7'))
    node.publishItem('6', BARRIER)
    await node.accepted('1', '2', '3', '4', '5', '6')
    for (const each of nodes) {
      await each.heard('more about 7', 'barrier')
      const log = windowOf(each)
      expect(missed(log, reader(7), after)).toEqual(['about 7', 'to all', 'more about 7'])
      expect(missed(log, reader(9), after)).toEqual(['to all'])
    }
  })

  withNodes('all of a message arrives as it was: event, kind, key and bytes', async (nodes) => {
    const [node] = nodes as [TestNode]
    const bytes = Uint8Array.from({ length: 256 }, (_, at) => at)
    const message = { ...about(7, ''), bytes, event: 'news', isJson: true, key: 'a key' }
    node.publishItem('1', message)
    await node.accepted('1')
    for (const each of nodes) {
      const { number } = node.bus.cursor
      await each.heard(Buffer.from(bytes).toString())
      expect(each.bus.window.read(number)).toMatchObject({ ...message, number })
      const [keyed] = each.bus.window.keyedSince(0)
      expect(keyed).toMatchObject({ number, key: 'a key' })
    }
  })

  withNodes('a bus that is closed takes nothing, and says so', async (nodes) => {
    const [node] = nodes as [TestNode]
    await node.bus.close()
    expect(node.bus.publish(about(1, 'late'), null)).toEqual({ ok: false, why: 'closed' })
  })
}
