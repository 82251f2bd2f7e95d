// Goal: no metric is renamed or dropped without notice, since dashboards and alerts elsewhere have
// its name; each follows the rules of Prometheus. Method: the whole list, written out a second
// time.

import { describe, expect, test } from 'bun:test'
import { figureLimits } from '../core/limits.ts'
import { FAMILIES, type MetricName } from './families.ts'

const ALL = [
  'comet_build_info',
  'comet_start_time_seconds',
  'comet_state',
  'comet_streams_open',
  'comet_streams_limit',
  'comet_users_connected',
  'comet_streams_opened_total',
  'comet_streams_closed_total',
  'comet_streams_unmeasured_total',
  'comet_streams_refused_total',
  'comet_stream_memory_bytes',
  'comet_outbox_queued_bytes',
  'comet_heartbeats_total',
  'comet_messages_accepted_total',
  'comet_messages_rejected_total',
  'comet_messages_dropped_total',
  'comet_deliveries_total',
  'comet_deliveries_skipped_total',
  'comet_deliveries_unknown_total',
  'comet_deliveries_undelivered_total',
  'comet_deliveries_unacknowledged_bytes_total',
  'comet_delivery_duration_seconds',
  'comet_follower_lookups_total',
  'comet_followers_found_total',
  'comet_subscriptions',
  'comet_subjects',
  'comet_names',
  'comet_names_limit',
  'comet_history_info',
  'comet_history_start_time_seconds',
  'comet_history_entries',
  'comet_history_bytes',
  'comet_history_limit_bytes',
  'comet_history_oldest_age_seconds',
  'comet_streams_resumed_total',
  'comet_messages_replayed_total',
  'comet_gaps_total',
  'comet_feed_events_total',
  'comet_feed_limit_bytes',
  'comet_feed_readers',
  'comet_feed_readers_cut_total',
  'comet_feed_readers_refused_total',
  'comet_feed_gaps_total',
  'comet_feed_shared_events_total',
  'comet_feed_shared_entries_total',
  'comet_feed_shared_renewals_total',
  'comet_feed_shared_nodes_removed_total',
  'comet_feed_shared_steady',
  'comet_feed_shared_unsent_bytes',
  'comet_process_streams_open',
  'comet_process_wire_info',
  'comet_process_resident_memory_bytes',
  'comet_process_anonymous_memory_bytes',
  'comet_process_cpu_seconds_total',
  'comet_process_open_files',
  'comet_open_files_limit',
  'comet_process_loop_lag_seconds',
  'comet_log_lines_dropped_total',
  'comet_worker_running',
  'comet_worker_restarts_total',
  'comet_worker_silent_seconds',
  'comet_worker_unacked_bytes',
  'comet_kernel_tcp_memory_bytes',
  'comet_kernel_tcp_memory_limit_bytes',
  'comet_kernel_tcp_sockets_in_use',
  'comet_kernel_tcp_sockets_orphaned',
  'comet_kernel_tcp_sockets_time_wait',
  'comet_erlang_connected',
  'comet_erlang_registered',
  'comet_erlang_connections',
  'comet_erlang_calls_pending',
  'comet_erlang_messages_total',
  'comet_bus_connected',
  'comet_bus_ready',
  'comet_bus_nodes',
  'comet_bus_queue_messages',
  'comet_bus_queue_limit_messages',
  'comet_bus_queue_bytes',
  'comet_bus_queue_limit_bytes',
  'comet_bus_queue_oldest_age_seconds',
  'comet_bus_behind_entries',
  'comet_bus_round_trip_seconds',
  'comet_bus_batches_added_total',
  'comet_bus_entries_read_total',
  'comet_bus_refused_total',
  'comet_bus_forks_total',
  'comet_bus_gaps_total',
  'comet_bus_foreign_entries_total',
  'comet_bus_doubled_batches_total',
  'comet_bus_unsent_total',
  'comet_bus_subscriptions_reloading',
  'comet_bus_redis_info',
  'comet_bus_redis_durable',
  'comet_bus_redis_memory_bytes',
  'comet_bus_redis_memory_limit_bytes',
]

test('the metrics are these, in this order', () => {
  expect(Object.keys(FAMILIES)).toEqual(ALL)
})

describe.each(Object.keys(FAMILIES) as MetricName[])('%s', (name) => {
  const { type, help } = FAMILIES[name]

  test('has a name by the rules', () => {
    expect(name).toMatch(/^comet(_[a-z]+)+$/)
    expect(name.endsWith('_total')).toBe(type === 'counter')
    expect(name.endsWith('_info')).toBe(type === 'info')
    if (type === 'histogram') expect(name).toEndWith('_seconds')
    // Base units, and no words that the samples of a histogram end in.
    expect(name).not.toMatch(
      /_(ms|milliseconds|micros|kib|kb|mib|mb|percent|count|sum|bucket)(_|$)/,
    )
  })

  test('says what it is in a sentence of one line', () => {
    expect(help).toMatch(/^[A-Z0-9][^\n"\\]{8,110}\.$/)
  })
})

test('what a sentence says of how often is so', () => {
  expect(FAMILIES.comet_delivery_duration_seconds.help).toContain(
    `one message in ${figureLimits.timedEvery}`,
  )
  const { help } = FAMILIES.comet_process_loop_lag_seconds
  expect(help).toContain(`every ${figureLimits.loopCheckMs} ms`)
})
