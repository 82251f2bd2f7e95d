// Goal: the two nodes, the Redis and the proxy of scripts/operate/compose work together: streams in
// every format go through, a node may stop or die, and messages may be published anywhere. Method:
// the options and the configuration of the files there, with real servers of this machine in place
// of containers.

import { describe, expect, test } from 'bun:test'
import packageJson from '../../../package.json'
import { waitFor } from '../../support/child-process.ts'
import {
  COMPOSE_FOLDER,
  ComposedServers,
  composeFile,
  NODES,
  type NodeName,
} from '../../support/compose.ts'
import { PROXIED_FORMATS, ProxiedStream } from '../../support/proxied-streams.ts'
import { hasProxy } from '../../support/proxies.ts'
import { RawClient } from '../../support/raw-client.ts'
import { HAS_REDIS } from '../../support/redis.ts'

/** More than would go to one of two by turns. */
const STREAMS_IN_A_ROW = 4

const CURSOR = /"id":"([0-9a-f-]+)"/

/** The node with the one stream that there is, and the other one. */
async function placesIn(servers: ComposedServers): Promise<[holder: NodeName, other: NodeName]> {
  const [first, second] = NODES
  return await waitFor('a node to have the stream', async () => {
    if ((await servers.streamsOf(first)) === 1) return [first, second]
    return (await servers.streamsOf(second)) === 1 ? [second, first] : undefined
  })
}

test('the file of containers names what there is', () => {
  const { services, networks, secrets } = composeFile()
  for (const name of NODES) {
    expect(services[name].image).toBe(`localhost/comet:${packageJson.version}`)
    expect(services[name].environment).toEqual({ COMET_NODE_NAME: name })
  }
  const all = Object.values(services)
  const used = (names: readonly (readonly string[] | undefined)[]) => [...new Set(names.flat())]
  expect(used(all.map((service) => service.networks)).sort()).toEqual(Object.keys(networks).sort())
  expect(used(NODES.map((name) => services[name].secrets))).toEqual(Object.keys(secrets))
})

describe.skipIf(!HAS_REDIS || !hasProxy('haproxy'))('two nodes behind HAProxy', () => {
  test('have a configuration in which HAProxy finds nothing wrong, names included', async () => {
    const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` }
    const checked = await Bun.$`haproxy -c -f ${COMPOSE_FOLDER}/haproxy.cfg`.env(env).quiet()
    expect(`${checked.stdout}`).toContain('Configuration file is valid')
  })

  test('have streams of every format on both, and messages published on any', async () => {
    await using servers = await ComposedServers.start()
    for (const format of PROXIED_FORMATS) {
      using one = await ProxiedStream.open(servers, format)
      using other = await ProxiedStream.open(servers, format)
      for (const name of NODES) {
        await waitFor(`${name} to have one`, async () => (await servers.streamsOf(name)) === 1)
      }
      expect(await servers.publish('alice', 'first')).toBe(2)
      await one.got('first', 5_000)
      await other.got('first', 5_000)
      one.leave()
      other.leave()
      for (const name of NODES) {
        await waitFor(`${name} to have none`, async () => (await servers.streamsOf(name)) === 0)
      }
    }
  }, 60_000)

  test('may lose one: its clients come back to the other, and have lost nothing', async () => {
    await using servers = await ComposedServers.start()
    using before = await ProxiedStream.open(servers, 'json')
    await before.got('"id"')
    const [holder] = await placesIn(servers)
    await servers.publish('alice', 'before')
    await before.got('before')
    servers.node(holder).kill('SIGKILL')
    await before.over()
    expect(before.text).not.toContain('"end"')
    const published = await waitFor('the other to take it', async () => {
      // The one that was killed may still be asked, until its check fails.
      const answer = await servers.ask('/users/alice', { method: 'POST', body: 'meanwhile' })
      return answer.ok
    })
    expect(published).toBe(true)
    const cursor = before.text.trim().split('\n').at(-1)?.match(CURSOR)?.[1] ?? ''
    const line = `GET /stream/alice?after=${cursor} HTTP/1.1`
    using after = await RawClient.request(servers.port, line)
    expect(await after.received('meanwhile')).not.toContain('"body":"before"')
    await servers.startNode(holder)
    await waitFor('both to be there', async () => {
      const stats = await (await servers.ask('/stats?all')).json()
      return (stats as { nodes: unknown[] }).nodes.length === 2
    })
  }, 60_000)

  test('may stop one: it gets no new streams, none is refused, and its own end in order', async () => {
    await using servers = await ComposedServers.start({
      options: [
        ['\n20s', '\n1s'],
        ['\n100', '\n1000'],
      ],
    })
    await using cleanup = new AsyncDisposableStack()
    const opened = async () => cleanup.use(await ProxiedStream.open(servers, 'json'))
    const stream = await opened()
    const [holder, other] = await placesIn(servers)
    const stopping = servers.node(holder).end('SIGTERM', 30_000)
    const statuses = new Set<number>()
    let inARow = 0
    const look = async () => {
      const before = await servers.streamsOf(other)
      statuses.add(await (await opened()).status())
      inARow = (await servers.streamsOf(other)) > before ? inARow + 1 : 0
      return inARow === STREAMS_IN_A_ROW
    }
    // Within --drain-grace: after it, nothing listens there, and all go to the other anyway.
    await waitFor('all new ones to go to the other', look, 4_000, { everyMs: 50 })
    expect(stream.text).not.toContain('"end"')
    let hasExited = false
    stopping.finally(() => {
      hasExited = true
    })
    while (!hasExited) {
      statuses.add(await (await opened()).status())
      await Bun.sleep(50)
    }
    expect([...statuses]).toEqual([200])
    expect(await stopping).toBe(0)
    expect(stream.text).toContain('{"end":"drained"}')
    expect(stream.hasFinalChunk).toBe(true)
  }, 60_000)

  test('count an address each, or exactly if it always comes to the same', async () => {
    const options = [['\n100', '\n1']] as const
    const source = [['balance leastconn', 'balance source\n\thash-type consistent']] as const
    for (const [proxy, statuses] of [
      [[], [200, 200, 429, 200]],
      [source, [200, 429, 429, 200]],
    ] as const) {
      await using servers = await ComposedServers.start({ options, proxy })
      await using cleanup = new AsyncDisposableStack()
      const got: number[] = []
      for (const from of ['127.0.0.2', '127.0.0.2', '127.0.0.2', '127.0.0.3']) {
        const stream = await ProxiedStream.open(servers, 'json', { from })
        cleanup.use(stream)
        got.push(await stream.status())
      }
      expect(got).toEqual([...statuses])
    }
  }, 60_000)
})
