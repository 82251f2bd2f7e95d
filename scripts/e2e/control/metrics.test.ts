// Goal: /metrics agrees with /stats and with what was sent, with workers too; no counter ever
// falls; and /livez names stuck processes. Method: the executable, driven so that every figure is
// known, workers killed and stopped meanwhile, and promtool for the format.

import { afterEach, describe, expect, test } from 'bun:test'
import { FAMILIES } from '../../../src/control/families.ts'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { COMET_NODE, meet, withErlang } from '../../support/erlang.ts'
import {
  fallen,
  growing,
  OPENMETRICS,
  type Page,
  PROMTOOL,
  promtool,
  sayIfPromtoolIsMissing,
  scrape,
} from '../../support/metrics.ts'
import { RawClient } from '../../support/raw-client.ts'
import {
  Crowd,
  follow,
  noProcessIsLeft,
  publishAll,
  restarted,
  serveWorkers,
  signal,
  toEach,
  upFrom,
} from '../../support/workers.ts'

sayIfPromtoolIsMissing()
const withPromtool = test.skipIf(PROMTOOL === null)

afterEach(noProcessIsLeft)

/**
 * Four streams, one of which goes; seven messages, two without receivers; three that are refused.
 */
async function drive(server: CometServer): Promise<void> {
  await using _one = await RawClient.stream(server.publicPort, 1)
  await using _two = await RawClient.stream(server.publicPort, 2)
  await using _three = await RawClient.stream(server.publicPort, 3)
  const leaving = await RawClient.stream(server.publicPort, 4)
  leaving.close()
  await server.open(3)
  await follow(server, 1, [2, 3])
  expect(await server.publish({ subject: 1, body: 'x' })).toBe(3)
  await publishAll(server, toEach(upFrom(1, 5), 'x'))
  await server.publish({ subject: 9, body: 'x' })
  await expect(server.publish({ to: 0, body: 'x' })).rejects.toThrow()
  const lines = { method: 'POST', headers: { 'content-type': 'application/x-ndjson' } }
  await server.ask('/messages', { ...lines, body: 'rubbish\nrubbish\n' })
  await expectAgreement(server)
}

/** What both tell is the same, and what was sent is in it. */
async function expectAgreement(server: CometServer): Promise<void> {
  const page = await scrape(server)
  const { streams, messages, deliveries, subscriptions, outbox, history } = await server.stats()
  expect([messages, deliveries.delivered]).toEqual([{ accepted: 7, rejected: 3, dropped: 3 }, 6])
  const expected = {
    comet_streams_open: streams.open,
    comet_streams_limit: streams.limit,
    comet_users_connected: streams.users,
    comet_streams_opened_total: streams.opened,
    'comet_streams_closed_total{reason="client"}': streams.closed.client,
    'comet_streams_closed_total{reason="slow"}': streams.closed.slow,
    'comet_streams_closed_total{reason="drained"}': streams.closed.drained,
    'comet_streams_closed_total{reason="lost"}': streams.closed.lost,
    'comet_streams_refused_total{reason="full"}': streams.refused.full,
    'comet_streams_refused_total{reason="draining"}': streams.refused.draining,
    'comet_streams_refused_total{reason="rate"}': streams.refused.rate,
    'comet_streams_refused_total{reason="address"}': streams.refused.address,
    'comet_streams_refused_total{reason="busy"}': streams.refused.busy,
    comet_outbox_queued_bytes: outbox.queuedBytes,
    'comet_messages_accepted_total{input="http"}': messages.accepted,
    'comet_messages_rejected_total{input="http"}': messages.rejected,
    'comet_messages_dropped_total{input="http"}': messages.dropped,
    'comet_deliveries_total{input="http"}': deliveries.delivered,
    'comet_deliveries_skipped_total{input="http"}': deliveries.skipped,
    comet_deliveries_undelivered_total: deliveries.undelivered,
    comet_deliveries_unacknowledged_bytes_total: deliveries.unacknowledgedBytes,
    comet_streams_unmeasured_total: streams.unmeasured,
    comet_follower_lookups_total: 2,
    comet_followers_found_total: 2,
    comet_subscriptions: subscriptions.held,
    comet_subjects: subscriptions.subjects,
    comet_heartbeats_total: streams.heartbeats,
    'comet_history_info{place="memory"}': 1,
    comet_history_start_time_seconds: history.epoch / 1_000,
    comet_history_entries: history.entries,
    comet_history_bytes: history.bytes,
    comet_history_limit_bytes: 64 * 1024 * 1024,
    comet_streams_resumed_total: history.resumed,
    comet_messages_replayed_total: history.replayed,
    'comet_gaps_total{reason="lost"}': 0,
    'comet_gaps_total{reason="too_many"}': 0,
    'comet_gaps_total{reason="unknown"}': 0,
    // The first message is timed, and the next one is not there yet.
    'comet_delivery_duration_seconds_count{input="http"}': 1,
    'comet_state{state="ready"}': 1,
    'comet_state{state="full"}': 0,
  }
  const told = Object.keys(expected).map((sample) => [sample, page.samples.get(sample)])
  expect(Object.fromEntries(told)).toEqual(expected)
  const open = [...page.samples].filter(([name]) => name.startsWith('comet_process_streams_open'))
  expect(open.reduce((sum, [, count]) => sum + count, 0)).toBe(streams.open)
}

/**
 * A page with every metric but those of a bus; those of Erlang do not need a node to connect to.
 */
async function fullPages(): Promise<{ text: Page; open: Page }> {
  const node = ['--erlang-node', 'nobody@localhost', '--erlang-name', 'c1@localhost']
  const env = { COMET_ERLANG_COOKIE: 'cookie' }
  await using server = await serve(['--workers', '2', ...node], { env })
  await using _ = await RawClient.stream(server.publicPort, 1)
  await server.publish({ to: 1, body: 'x' })
  return { text: await scrape(server), open: await scrape(server, OPENMETRICS) }
}

describe('/metrics', () => {
  test('agrees with /stats and with what was sent, in one process', async () => {
    await using server = await serve()
    await drive(server)
  })

  test('agrees with /stats and with what was sent, with workers', async () => {
    await using server = await serveWorkers()
    await drive(server)
  })

  test('has all metrics, each with its type, in the format that the client accepts', async () => {
    const { text, open } = await fullPages()
    expect([text.contentType, open.contentType]).toEqual([
      'text/plain; version=0.0.4; charset=utf-8',
      'application/openmetrics-text; version=1.0.0; charset=utf-8',
    ])
    const types = Object.entries(FAMILIES)
      // Those of several machines are there with --bus alone.
      .filter(([name]) => !/^comet_(bus|feed_shared)_/.test(name))
      .map(([name, { type }]) => [name, type])
    expect([...text.types]).toEqual(
      types.map(([name = '', type = '']) => [name, type === 'info' ? 'gauge' : type]),
    )
    expect([...open.types]).toEqual(
      types.map(([name = '', type = '']) => [name.replace(/_(total|info)$/, ''), type]),
    )
    expect([...open.samples.keys()]).toEqual([...text.samples.keys()])
    expect(open.text.split('\n').filter((line) => line === '# EOF')).toHaveLength(1)
    expect([...text.samples.keys()].filter((sample) => sample.includes('user='))).toEqual([])
  })

  withErlang('counts messages from Erlang and from HTTP apart', async () => {
    await using meeting = await meet()
    const { node, server } = meeting
    await server.publish({ to: 1, body: 'x' })
    const batch = '[{1, "a"}, {subject, 2, "b"}, rubbish]'
    await node.run(`gen_server:call({comet, '${COMET_NODE}'}, ${batch}).`)
    const page = await scrape(server)
    const by = (name: string) =>
      ['http', 'erlang'].map((input) => page.value(`comet_${name}_total{input="${input}"}`))
    expect(['messages_accepted', 'messages_rejected'].map(by)).toEqual([
      [1, 2],
      [0, 1],
    ])
    expect(page.value('comet_follower_lookups_total')).toBe(1)
    const names = ['connected', 'registered', 'connections', 'messages_total']
    expect(names.map((name) => page.value(`comet_erlang_${name}`))).toEqual([1, 1, 1, 1])
    expect((await server.stats()).messages).toMatchObject({ accepted: 3, rejected: 1 })
  })

  test('has plausible figures of processes and of the kernel', async () => {
    await using server = await serveWorkers()
    await using _ = await RawClient.stream(server.publicPort, 1)
    const page = await waitFor('all loops to have looked', async () => {
      const now = await scrape(server)
      const counts = [...now.samples].filter(([name]) => /loop_lag_seconds_count/.test(name))
      return counts.length === 5 && counts.every(([, count]) => count > 0) && now
    })
    for (const process of ['parent', 'worker-0', 'worker-3']) {
      const of = (name: string) => page.value(`comet_process_${name}{process="${process}"}`)
      expect(of('resident_memory_bytes')).toBeGreaterThan(of('anonymous_memory_bytes'))
      expect(of('anonymous_memory_bytes')).toBeGreaterThan(1e6)
      expect(of('cpu_seconds_total')).toBeGreaterThan(0.001)
      expect(of('open_files')).toBeGreaterThan(3)
      expect(of('loop_lag_seconds_sum')).toBeGreaterThanOrEqual(0)
    }
    const own = [...page.samples].filter(([name]) => name.includes('anonymous_memory_bytes'))
    const all = own.reduce((sum, [, bytes]) => sum + bytes, 0)
    expect(page.value('comet_stream_memory_bytes')).toBe(all)
    expect(page.value('comet_kernel_tcp_sockets_in_use')).toBeGreaterThan(1)
    const startedAgo = Date.now() / 1000 - page.value('comet_start_time_seconds')
    expect(startedAgo).toBeGreaterThan(0)
    expect(startedAgo).toBeLessThan(60)
  })

  withPromtool('passes promtool check metrics', async () => {
    const { text } = await fullPages()
    expect(await promtool(['check', 'metrics'], text.text)).toBe('')
  })
})

describe('a killed worker', () => {
  test('makes no counter fall, and its streams count as lost', async () => {
    await using server = await serveWorkers()
    await using crowd = await Crowd.open(server, upFrom(1, 12))
    const { victim, of } = crowd.split()
    await publishAll(server, toEach(upFrom(1, 12), 'x'))
    const pages = [await scrape(server)]
    await signal(server, victim, 'SIGKILL')
    const restarting = restarted(server, victim, 1)
    let isOver = false
    restarting.finally(() => {
      isOver = true
    })
    while (!isOver) pages.push(await scrape(server))
    await restarting
    pages.push(await scrape(server))
    const pairs = pages.slice(1).map((page, at) => fallen(pages[at] ?? page, page))
    expect(pairs.flat()).toEqual([])
    const last = pages.at(-1) ?? expect.unreachable()
    expect(growing(last).size).toBeGreaterThan(80)
    expect(last.value('comet_streams_closed_total{reason="lost"}')).toBe(of.length)
    expect(last.value('comet_streams_open')).toBe(12 - of.length)
    expect(last.value('comet_streams_opened_total')).toBe(12)
    expect(last.value(`comet_worker_restarts_total{process="worker-${victim}"}`)).toBe(1)
  })
})

describe('a stuck worker', () => {
  const health = async (server: CometServer, path: string) => {
    const response = await server.ask(path)
    return { status: response.status, body: (await response.json()) as object }
  }

  test('is named by /livez, and with none left the server is not ready', async () => {
    await using server = await serve(['--workers', '2'])
    expect((await health(server, '/livez')).status).toBe(200)
    const pids = await Promise.all([0, 1].map((number) => signal(server, number, 'SIGSTOP')))
    const stuck = await waitFor('both to be named', async () => {
      const { status, body } = await health(server, '/livez')
      const text = JSON.stringify(body)
      return status === 503 && text.includes('worker-0') && text.includes('worker-1') && body
    })
    expect(stuck).toEqual({ status: 'stuck', processes: ['worker-0', 'worker-1'] })
    expect(await health(server, '/readyz')).toEqual({ status: 503, body: { status: 'full' } })
    const page = await scrape(server)
    const silent = page.value('comet_worker_silent_seconds{process="worker-1"}')
    expect(silent).toBeGreaterThanOrEqual(5)
    for (const pid of pids) process.kill(pid, 'SIGCONT')
    await waitFor('signs of life', async () => (await health(server, '/livez')).status === 200)
    expect((await health(server, '/readyz')).status).toBe(200)
  })
})
