// Goal: servers on one Redis are replaced one by one by those of the next version, and back, and
// nothing is lost and no gap told. Method: the executables of this commit and of the one before
// behind HAProxy, under load with exact accounts.

import { afterEach, expect, test } from 'bun:test'
import { BusCluster } from '../../support/bus-cluster.ts'
import { ClusterProxy, HAS_HAPROXY } from '../../support/cluster-proxy.ts'
import { COMET } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { previousBuild } from '../../support/previous-build.ts'
import { HAS_REDIS } from '../../support/redis.ts'
import { expectExact, ResumingFlood } from '../../support/resuming-flood.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

const IS_POSSIBLE = HAS_REDIS && HAS_HAPROXY

afterEach(noProcessIsLeft)

test.skipIf(!IS_POSSIBLE)('a rolling upgrade and a way back lose nothing', async () => {
  await using folder = await makeFolder()
  const { program, why } = await previousBuild(folder.path)
  if (why !== null) console.log(`The same executable stands for the one before: ${why}.`)
  const args = (node: number) => (node === 2 ? ['--workers', '2'] : [])
  await using cluster = await BusCluster.start({ args, program })
  await using proxy = await ClusterProxy.start(cluster.ports)
  const { publicUrl, controlUrl } = proxy
  const shape = { publicUrl, controlUrl, streams: 120, format: 'sse', rate: 400 } as const
  await using flood = await ResumingFlood.start(shape)
  await flood.more(200)
  for (const next of [COMET, program]) {
    cluster.program = next
    for (const node of [0, 1, 2]) {
      const { exitCode } = await cluster.end(node, 'SIGTERM')
      expect(exitCode).toBe(0)
      await cluster.start(node)
      // Those of two versions read what both write.
      await flood.more(150)
    }
  }
  const accounts = await flood.end()
  expectExact(accounts)
  // Each node was replaced twice, and its streams came back.
  expect(accounts.flood.resume?.resumed).toBeGreaterThan(120)
})
