// Goal: a server that is behind others does not tell a client that comes from one of them a gap,
// nor send it again what it had. Method: two of the executable, one of which reaches Redis late.

import { afterEach, describe, expect, test } from 'bun:test'
import { BusCluster, publish } from '../../support/bus-cluster.ts'
import { LOG_FORMATS, LogStream } from '../../support/log-stream.ts'
import { HAS_REDIS } from '../../support/redis.ts'
import type { TcpProxy } from '../../support/tcp-proxy.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

if (!HAS_REDIS) console.error('Left out: servers that are behind. There is no redis-server.')

afterEach(noProcessIsLeft)

describe.skipIf(!HAS_REDIS).each([[[]], [['--workers', '2']]])(
  'a client that was further, %p',
  (args) => {
    test('waits for a node that is behind, and is told at once of a place that is none', async () => {
      await using cluster = await BusCluster.start({ nodes: 2, isProxied: true, args })
      const [ahead, late] = [cluster.at(0), cluster.at(1)]
      const link = cluster.links[1] as TcpProxy
      for (const format of LOG_FORMATS) {
        using stream = await LogStream.open(ahead, 'alice', format)
        link.delayMs = 300
        const { id } = await publish(ahead, { to: 'alice', body: 'had' })
        await stream.has('had')
        using again = await LogStream.open(late, 'alice', format, `after=${id}`)
        link.delayMs = 0
        await publish(ahead, { to: 'alice', body: 'live' })
        await again.has('live')
        expect([again.told[0], again.messages, again.gap]).toEqual([{ id }, ['live'], undefined])
      }
      const { id } = await publish(late, { to: 'alice', body: 'last' })
      const [epoch = '', number = ''] = id.split('-')
      const startedMs = performance.now()
      const next = (text: string) => (Number.parseInt(text, 16) + 1).toString(16).padStart(12, '0')
      for (const after of [`${epoch}-${next(number)}`, `${next(epoch)}-${number}`]) {
        using stream = await LogStream.open(late, 'alice', 'json', `after=${after}`)
        expect(stream.gap).toEqual({ after, resume: id, reason: 'unknown' })
      }
      // A server that is behind may take some seconds.
      expect(performance.now() - startedMs).toBeLessThan(3_000)
    })
  },
)
