// Gathers the figures of the server for Prometheus when it asks. Nothing is counted here: the
// counters lie where they count, and those that never fall are kept there too.

import type { BusFigures } from '../bus/bus-figures.ts'
import { ROUND_TRIP_BOUNDS_SECONDS } from '../bus/bus-meter.ts'
import { build } from '../core/build.ts'
import { cpuSeconds, LAG_BOUNDS_SECONDS } from '../core/loop.ts'
import type { NodeFigures } from '../erlang/node-figures.ts'
import type { HostFigures, WireFigures, WorkerFigures } from '../hub/figures.ts'
import type { HistoryFigures } from '../hub/history.ts'
import { DELIVERY_BOUNDS_SECONDS } from '../hub/receipt.ts'
import type { Input } from '../hub/router.ts'
import { anonymousBytes, tcpFigures } from '../os/proc.ts'
import { Exposition, type Format } from './exposition.ts'
import { FAMILIES, type MetricName } from './families.ts'
import type { FeedFigures } from './feed-figures.ts'
import { SERVER_STATES, type StatsSource } from './stats.ts'

type Page = Exposition<MetricName>

/** All metrics of a server, as text. */
export async function gatherMetrics(source: StatsSource, format: Format): Promise<string> {
  const page: Page = new Exposition(FAMILIES)
  const host = await source.streams()
  // Rounded, so that it is the same each time.
  const startedMs = Math.round(source.clock.nowMs() - source.clock.elapsedMs() + source.startedMs)
  page.add('comet_build_info', 1, build)
  page.add('comet_start_time_seconds', startedMs / 1000)
  const now = source.state()
  for (const state of SERVER_STATES) page.add('comet_state', Number(state === now), { state })
  addStreams(page, host)
  for (const input of source.inputs) addInput(page, input)
  page.add('comet_follower_lookups_total', source.lookups.lookups)
  page.add('comet_followers_found_total', source.lookups.followersFound)
  const { subscriptions, subjects } = source.subscriptions.counts()
  page.add('comet_subscriptions', subscriptions)
  page.add('comet_subjects', subjects)
  page.add('comet_names', source.names.size)
  page.add('comet_names_limit', source.names.sizeMax)
  addHistory(page, source.history())
  const feed = source.feed()
  if (feed !== null) addFeed(page, feed)
  const bytes = [addOwnProcess(page, source, host)]
  for (const worker of host.workers) bytes.push(addWorker(page, worker))
  if (host.open > 0 && !bytes.includes(null)) {
    const all = bytes.reduce<number>((sum, of) => sum + (of ?? 0), 0)
    page.add('comet_stream_memory_bytes', Math.round(all / host.open))
  }
  addKernel(page)
  const node = source.erlang()
  if (node !== null) addErlang(page, node)
  const bus = source.bus()
  if (bus !== null) addBus(page, bus)
  return page.text(format)
}

function addStreams(page: Page, { open, limit, users, queuedBytes, totals, lost }: HostFigures) {
  page.add('comet_streams_open', open)
  page.add('comet_streams_limit', limit)
  page.add('comet_users_connected', users)
  page.add('comet_streams_opened_total', totals.opened)
  for (const [reason, count] of Object.entries({ ...totals.closed, lost })) {
    page.add('comet_streams_closed_total', count, { reason })
  }
  page.add('comet_streams_unmeasured_total', totals.unmeasured)
  for (const [reason, count] of Object.entries(totals.refused)) {
    page.add('comet_streams_refused_total', count, { reason })
  }
  page.add('comet_outbox_queued_bytes', queuedBytes)
  page.add('comet_heartbeats_total', totals.beats)
  page.add('comet_deliveries_undelivered_total', totals.undelivered)
  page.add('comet_deliveries_unacknowledged_bytes_total', totals.unacknowledgedBytes)
}

/** Without the reason, a sentence: `/stats` has it. */
function addHistory(page: Page, { place, ...figures }: HistoryFigures): void {
  page.add('comet_history_info', 1, { place: place.kind })
  page.add('comet_history_start_time_seconds', figures.epoch / 1_000)
  page.add('comet_history_entries', figures.entries)
  page.add('comet_history_bytes', figures.bytes)
  page.add('comet_history_limit_bytes', figures.limitBytes)
  page.add('comet_history_oldest_age_seconds', figures.oldestAgeSeconds)
  page.add('comet_streams_resumed_total', figures.resumed)
  page.add('comet_messages_replayed_total', figures.replayed)
  for (const [reason, count] of Object.entries(figures.gaps)) {
    page.add('comet_gaps_total', count, { reason })
  }
}

function addFeed(page: Page, feed: FeedFigures): void {
  page.add('comet_feed_events_total', feed.events)
  page.add('comet_feed_limit_bytes', feed.limitBytes)
  page.add('comet_feed_readers', feed.readers)
  page.add('comet_feed_readers_cut_total', feed.readersCut)
  page.add('comet_feed_readers_refused_total', feed.readersRefused)
  for (const [reason, count] of Object.entries(feed.gaps)) {
    page.add('comet_feed_gaps_total', count, { reason })
  }
  const { shared } = feed
  if (shared === null) return
  page.add('comet_feed_shared_events_total', shared.sent)
  page.add('comet_feed_shared_entries_total', shared.entries)
  page.add('comet_feed_shared_renewals_total', shared.renewals)
  page.add('comet_feed_shared_nodes_removed_total', shared.nodesRemoved)
  page.add('comet_feed_shared_steady', shared.isSteady ? 1 : 0)
  page.add('comet_feed_shared_unsent_bytes', shared.unsentBytes)
}

function addInput(page: Page, { name, router, rejected }: Input): void {
  const labels = { input: name }
  page.add('comet_messages_accepted_total', router.accepted, labels)
  page.add('comet_messages_rejected_total', rejected, labels)
  page.add('comet_messages_dropped_total', router.dropped, labels)
  page.add('comet_deliveries_total', router.deliveries, labels)
  page.add('comet_deliveries_skipped_total', router.skipped, labels)
  page.add('comet_deliveries_unknown_total', router.unknown, labels)
  page.addHistogram(
    'comet_delivery_duration_seconds',
    DELIVERY_BOUNDS_SECONDS,
    router.deliverySeconds.figures(),
    labels,
  )
}

/** The process that was started; without workers, it has the streams. Answers its own memory. */
function addOwnProcess(page: Page, source: StatsSource, { open, wire, workers }: HostFigures) {
  const labels = { process: 'parent' }
  const bytes = anonymousBytes(process.pid)
  page.add('comet_process_streams_open', workers.length === 0 ? open : 0, labels)
  if (wire !== null) addWire(page, wire, labels)
  page.add('comet_process_resident_memory_bytes', process.memoryUsage.rss(), labels)
  page.add('comet_process_anonymous_memory_bytes', bytes, labels)
  page.add('comet_process_cpu_seconds_total', cpuSeconds(), labels)
  page.add('comet_process_open_files', source.openFiles(), labels)
  page.add('comet_open_files_limit', source.openFilesLimit)
  page.add('comet_log_lines_dropped_total', source.logLinesDropped(), labels)
  addLag(page, source.loop.figures(), labels)
  return bytes
}

/**
 * A worker that has no process has no memory either, but what it has used it has used.
 *
 * @returns its own memory
 */
function addWorker(page: Page, worker: WorkerFigures): number | null {
  const { number, state, pid, restarts, unackedBytes, silentMs, spent, streams } = worker
  const labels = { process: processName(number) }
  page.add('comet_process_cpu_seconds_total', spent.cpuSeconds, labels)
  page.add('comet_log_lines_dropped_total', spent.logLinesDropped, labels)
  addLag(page, spent.loopLag, labels)
  page.add('comet_worker_running', Number(state === 'running'), labels)
  page.add('comet_worker_restarts_total', restarts, labels)
  page.add('comet_worker_silent_seconds', silentMs / 1000, labels)
  page.add('comet_worker_unacked_bytes', unackedBytes, labels)
  page.add('comet_process_streams_open', streams?.open ?? 0, labels)
  if (streams === null) return 0
  addWire(page, streams.wire, labels)
  page.add('comet_process_resident_memory_bytes', streams.residentBytes, labels)
  page.add('comet_process_open_files', streams.openFiles, labels)
  if (pid === null) return 0
  const bytes = anonymousBytes(pid)
  page.add('comet_process_anonymous_memory_bytes', bytes, labels)
  return bytes
}

/** Without the reason, a sentence that may have an error in it: `/stats` has it. */
function addWire(page: Page, { kind }: WireFigures, labels: { process: string }): void {
  page.add('comet_process_wire_info', 1, { ...labels, wire: kind })
}

function addLag(page: Page, lag: WorkerFigures['spent']['loopLag'], labels: { process: string }) {
  page.addHistogram('comet_process_loop_lag_seconds', LAG_BOUNDS_SECONDS, lag, labels)
}

/** How a worker is called in labels, and where one is named among processes. */
export function processName(worker: number): string {
  return `worker-${worker}`
}

function addKernel(page: Page): void {
  const tcp = tcpFigures()
  if (tcp === null) return
  page.add('comet_kernel_tcp_memory_bytes', tcp.memoryBytes)
  page.add('comet_kernel_tcp_memory_limit_bytes', tcp.memoryLimitBytes)
  page.add('comet_kernel_tcp_sockets_in_use', tcp.socketsInUse)
  page.add('comet_kernel_tcp_sockets_orphaned', tcp.socketsOrphaned)
  page.add('comet_kernel_tcp_sockets_time_wait', tcp.socketsInTimeWait)
}

function addErlang(page: Page, { peer, registered, connections, messages }: NodeFigures): void {
  // Without a node to connect to, not being connected is no trouble.
  if (peer !== null) page.add('comet_erlang_connected', Number(peer.state === 'connected'))
  page.add('comet_erlang_registered', Number(registered))
  page.add('comet_erlang_connections', connections.length)
  const calls = connections.reduce((sum, { callsPending }) => sum + callsPending, 0)
  page.add('comet_erlang_calls_pending', calls)
  page.add('comet_erlang_messages_total', messages)
}

/** When the newest part of the log began is among the figures of the history. */
function addBus(page: Page, bus: BusFigures): void {
  const { queue, roundTrip, redis } = bus
  page.add('comet_bus_connected', Number(bus.connected))
  page.add('comet_bus_ready', Number(bus.ready))
  page.add('comet_bus_nodes', bus.nodes.length)
  page.add('comet_bus_queue_messages', queue.messages)
  page.add('comet_bus_queue_limit_messages', queue.limitMessages)
  page.add('comet_bus_queue_bytes', queue.bytes)
  page.add('comet_bus_queue_limit_bytes', queue.limitBytes)
  page.add('comet_bus_queue_oldest_age_seconds', queue.oldestAgeSeconds)
  page.add('comet_bus_behind_entries', bus.behind)
  const { counts, sumSeconds: sum } = roundTrip
  page.addHistogram('comet_bus_round_trip_seconds', ROUND_TRIP_BOUNDS_SECONDS, { counts, sum })
  page.add('comet_bus_batches_added_total', bus.added)
  page.add('comet_bus_entries_read_total', bus.read)
  for (const [reason, count] of Object.entries(bus.refused)) {
    page.add('comet_bus_refused_total', count, { reason })
  }
  page.add('comet_bus_forks_total', bus.forks)
  page.add('comet_bus_gaps_total', bus.gaps)
  page.add('comet_bus_foreign_entries_total', bus.foreign)
  page.add('comet_bus_doubled_batches_total', bus.doubled)
  page.add('comet_bus_unsent_total', bus.unsent)
  page.add('comet_bus_subscriptions_reloading', Number(bus.reloading))
  if (redis !== null && bus.connected) addRedis(page, redis)
}

/** What it said last is not so any more while it is away. */
function addRedis(page: Page, redis: NonNullable<BusFigures['redis']>): void {
  page.add('comet_bus_redis_info', 1, { product: redis.product, version: redis.version })
  page.add('comet_bus_redis_durable', Number(redis.durable))
  page.add('comet_bus_redis_memory_bytes', redis.usedBytes)
  page.add('comet_bus_redis_memory_limit_bytes', redis.limitBytes)
}
