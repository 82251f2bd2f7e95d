// Goal: `/stats` and `/metrics` say what holds the streams of each process, and why it is no
// descriptor where it is none; and a process opens only what it uses. Method: the executable, with
// one process and with workers.

import { expect, test } from 'bun:test'
import { readdirSync, readlinkSync } from 'node:fs'
import { makeCertificate } from '../../support/certificate.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { scrape } from '../../support/metrics.ts'
import { RawClient } from '../../support/raw-client.ts'

/** Also where the other tests are run on sockets. */
const AUTO = ['--wire', 'auto']
const WORKERS = ['--workers', '2']

const DESCRIPTOR =
  process.platform === 'linux'
    ? { kind: 'descriptor', reason: null }
    : { kind: 'socket', reason: 'this system has no epoll, or no C library to call it by' }
const FORCED = { kind: 'socket', reason: '--wire socket' }
const TLS = { kind: 'socket', reason: 'TLS, of which Bun has the keys' }

/** Of the server itself, and of its workers. */
async function wiresOf(server: CometServer) {
  const { process, workers } = await server.stats()
  return { own: process.wire, workers: workers.map(({ wire }) => wire) }
}

/** Descriptors of epolls that a process has open. */
function epolls(pid: number): number {
  const folder = `/proc/${pid}/fd`
  const links = readdirSync(folder).map((name) => readlinkSync(`${folder}/${name}`))
  return links.filter((link) => link.includes('eventpoll')).length
}

test.each([
  ['descriptors where they work', AUTO, DESCRIPTOR],
  ['sockets where they are asked for', ['--wire', 'socket'], FORCED],
])('streams are on %s', async (_, args, wire) => {
  await using server = await serve(args)
  await using client = await RawClient.stream(server.publicPort, 1)
  expect(await server.publish({ to: 1, body: 'Hello' })).toBe(1)
  await client.received('Hello')
  expect(await wiresOf(server)).toEqual({ own: wire, workers: [] } as never)
  const { samples } = await scrape(server)
  const sample = `comet_process_wire_info{process="parent",wire="${wire.kind}"}`
  expect(samples.get(sample)).toBe(1)
})

test.each([
  ['descriptors where they work', AUTO, DESCRIPTOR],
  ['sockets where they are asked for', ['--wire', 'socket'], FORCED],
])('streams of workers are on %s', async (_, args, wire) => {
  await using server = await serve([...WORKERS, ...args])
  expect(await wiresOf(server)).toEqual({ own: null, workers: [wire, wire] } as never)
  const { samples } = await scrape(server)
  for (const process of ['worker-0', 'worker-1']) {
    const sample = `comet_process_wire_info{process="${process}",wire="${wire.kind}"}`
    expect(samples.get(sample)).toBe(1)
  }
})

test.if(process.platform === 'linux')(
  'streams over TLS are on sockets, and no epoll is opened for descriptors',
  async () => {
    await using folder = await makeFolder()
    const { cert, key } = await makeCertificate(folder.path, 'localhost')
    const secure = ['--tls-cert', cert, '--tls-key', key]
    await using server = await serve([...AUTO, ...secure])
    await using workers = await serve([...WORKERS, ...AUTO, ...secure])
    await using clear = await serve([...WORKERS, ...AUTO])
    expect(await wiresOf(server)).toEqual({ own: TLS, workers: [] } as never)
    expect(await wiresOf(workers)).toEqual({ own: null, workers: [TLS, TLS] } as never)
    const pidOf = async (of: CometServer) => (await of.stats()).workers[0]?.pid ?? 0
    const own = epolls(await pidOf(workers))
    // The epolls of streams and of the port, and the copy of that of the port that Bun polls.
    expect(epolls(await pidOf(clear))).toBe(own + 3)
  },
)

test('a worker that is started again tells its wire again', async () => {
  await using server = await serve([...WORKERS, '--wire', 'socket'])
  const [worker] = (await server.stats()).workers
  process.kill(worker?.pid ?? 0, 'SIGKILL')
  await server.logged('"event":"worker_restarted"')
  expect(await wiresOf(server)).toEqual({ own: null, workers: [FORCED, FORCED] } as never)
})
