// The metrics of comet: the one list of their names, types and what they mean. Base units, counters
// end in `_total`, nothing is per user. prometheus.ts gathers the values.

import type { Family } from './exposition.ts'

const counter = (help: string): Family => ({ type: 'counter', help })
const gauge = (help: string): Family => ({ type: 'gauge', help })
const histogram = (help: string): Family => ({ type: 'histogram', help })

export const FAMILIES = {
  comet_build_info: { type: 'info', help: 'Version, commit and platform of the server; always 1.' },
  comet_start_time_seconds: gauge('When the server was started, in seconds since 1970.'),
  comet_state: gauge('1 for the state that /readyz answers, 0 for the others.'),

  comet_streams_open: gauge('Streams open now.'),
  comet_streams_limit: gauge('Streams that may be open at once.'),
  comet_users_connected: gauge('Users with at least one open stream.'),
  comet_streams_opened_total: counter('Streams opened.'),
  comet_streams_closed_total: counter(
    'Streams closed, by reason: left, slow, drained, expired, ended, or lost with their worker.',
  ),
  comet_streams_unmeasured_total: counter(
    'Streams closed as too slow without knowing what the kernel held of them.',
  ),
  comet_streams_refused_total: counter(
    'Streams refused, by reason: no room, a limit, or a token that does not allow them.',
  ),
  comet_stream_memory_bytes: gauge(
    'Private memory of all processes, divided by open streams; absent while there are none.',
  ),
  comet_outbox_queued_bytes: gauge(
    'Bytes that wait for slow clients, beyond the buffers of the kernel.',
  ),
  comet_heartbeats_total: counter('Heartbeats sent to silent streams.'),

  comet_messages_accepted_total: counter('Messages accepted, by input.'),
  comet_messages_rejected_total: counter('Messages and lines rejected.'),
  comet_messages_dropped_total: counter('Messages accepted without a connected receiver.'),
  comet_deliveries_total: counter('Frames delivered to streams.'),
  comet_deliveries_skipped_total: counter(
    'Connections skipped, since their worker was too far behind.',
  ),
  comet_deliveries_unknown_total: counter(
    'Connections whose worker did not acknowledge within a second or ended; late ones are delivered too.',
  ),
  comet_deliveries_undelivered_total: counter(
    'Frames that waited in comet when their stream ended, without what the kernel had not delivered.',
  ),
  comet_deliveries_unacknowledged_bytes_total: counter(
    'Bytes of streams closed as too slow that the kernel had taken and clients had not acknowledged.',
  ),
  comet_delivery_duration_seconds: histogram(
    'From accepting a message to its delivery to all streams; of one message in 17, without unknown ones.',
  ),
  comet_follower_lookups_total: counter('Lookups of the followers of a subject.'),
  comet_followers_found_total: counter('Followers found by lookups.'),
  comet_subscriptions: gauge('Subscriptions held.'),
  comet_subjects: gauge('Subjects with at least one subscriber.'),
  comet_names: gauge('Names of users and subjects in use.'),
  comet_names_limit: gauge('Names that may be in use at once.'),

  comet_history_info: {
    type: 'info',
    help: 'Where the log of recent messages is kept, in a file or in memory; always 1.',
  },
  comet_history_start_time_seconds: gauge(
    'When the log of recent messages began, in seconds since 1970; again when it is lost.',
  ),
  comet_history_entries: gauge('Entries kept: messages, and changes of who follows whom.'),
  comet_history_bytes: gauge('Bytes that the entries of the log take.'),
  comet_history_limit_bytes: gauge('Bytes that they may take, by --history.'),
  comet_history_oldest_age_seconds: gauge(
    'How long ago the oldest entry was added; absent while there is none.',
  ),
  comet_streams_resumed_total: counter('Streams that began with what their clients had missed.'),
  comet_messages_replayed_total: counter('Messages that were sent again to such streams.'),
  comet_gaps_total: counter(
    'Streams that got a gap, by reason: lost from the window, too many, or an unknown cursor.',
  ),

  comet_feed_events_total: counter(
    'Connects and disconnects that the feed has had; absent without one.',
  ),
  comet_feed_limit_bytes: gauge('Bytes that the latest of them take at most, by --feed.'),
  comet_feed_readers: gauge('Requests that follow the feed.'),
  comet_feed_readers_cut_total: counter('Those that ended, since they took nothing for too long.'),
  comet_feed_readers_refused_total: counter('Those that were refused, since there were too many.'),
  comet_feed_gaps_total: counter(
    'Gaps that such readers got, by reason: lost from the window, or an unknown cursor.',
  ),
  comet_feed_shared_events_total: counter(
    'Events published in Redis, where servers share it; absent without --bus, as all these.',
  ),
  comet_feed_shared_entries_total: counter('Entries that they were in.'),
  comet_feed_shared_renewals_total: counter(
    'Times that this server published all its connections again.',
  ),
  comet_feed_shared_nodes_removed_total: counter(
    'Servers that had ended, whose connections this one has reported as lost.',
  ),
  comet_feed_shared_steady: gauge('Whether all its connections are published, and more can be.'),
  comet_feed_shared_unsent_bytes: gauge('Bytes of the window that wait to be published.'),

  comet_process_streams_open: gauge('Streams open now in this process.'),
  comet_process_wire_info: {
    type: 'info',
    help: 'What holds the streams of this process, descriptors or sockets; always 1.',
  },
  comet_process_resident_memory_bytes: gauge(
    'Resident memory, the executable included, which all processes of a server share.',
  ),
  comet_process_anonymous_memory_bytes: gauge('Resident memory that belongs to no file.'),
  comet_process_cpu_seconds_total: counter('CPU time used, user and system.'),
  comet_process_open_files: gauge('Open files, of which each connection is one.'),
  comet_open_files_limit: gauge('Open files allowed to each process.'),
  comet_process_loop_lag_seconds: histogram('How late the event loop was, sampled every 250 ms.'),

  comet_log_lines_dropped_total: counter(
    'Lines of the log that could not be written: no space, no reader, or a slow one.',
  ),

  comet_worker_running: gauge(
    '1 if the worker holds or takes streams, 0 if it starts or waits to.',
  ),
  comet_worker_restarts_total: counter('Restarts of the worker.'),
  comet_worker_silent_seconds: gauge('How long the worker has not responded.'),
  comet_worker_unacked_bytes: gauge('Bytes that the worker was sent and has not acknowledged.'),

  comet_kernel_tcp_memory_bytes: gauge(
    'Buffers of all TCP sockets of this machine, in the kernel.',
  ),
  comet_kernel_tcp_memory_limit_bytes: gauge('The limit of these buffers.'),
  comet_kernel_tcp_sockets_in_use: gauge('TCP sockets in use, of all processes.'),
  comet_kernel_tcp_sockets_orphaned: gauge('TCP sockets that no process holds any more.'),
  comet_kernel_tcp_sockets_time_wait: gauge('TCP sockets in TIME_WAIT.'),

  comet_erlang_connected: gauge('1 if the Erlang node is connected that this server connects to.'),
  comet_erlang_registered: gauge('1 if this server is registered at epmd.'),
  comet_erlang_connections: gauge('Erlang nodes connected.'),
  comet_erlang_calls_pending: gauge('Calls of Erlang processes that wait for their answer.'),
  comet_erlang_messages_total: counter('Messages that came from Erlang, a list of them as one.'),

  comet_bus_connected: gauge('1 if this server is connected with the Redis that it shares.'),
  comet_bus_ready: gauge('1 if the log in Redis is read and messages can be added.'),
  comet_bus_nodes: gauge('Nodes of the cluster, this one included.'),
  comet_bus_queue_messages: gauge('Messages and changes that wait for their place in the log.'),
  comet_bus_queue_limit_messages: gauge('Messages that may wait for the log.'),
  comet_bus_queue_bytes: gauge('Bytes that wait for their place in the log.'),
  comet_bus_queue_limit_bytes: gauge('Bytes that may wait for the log.'),
  comet_bus_queue_oldest_age_seconds: gauge('How long the oldest one has waited; 0 for none.'),
  comet_bus_behind_entries: gauge(
    'Messages and changes in the log that were not read here; absent while unknown.',
  ),
  comet_bus_round_trip_seconds: histogram(
    'From sending a batch of this server to Redis to reading it back.',
  ),
  comet_bus_batches_added_total: counter('Batches of this server that Redis has taken.'),
  comet_bus_entries_read_total: counter('Log entries of all nodes that this node has read.'),
  comet_bus_refused_total: counter('Publications without a place in the log, by reason.'),
  comet_bus_forks_total: counter('Times that the log went on in another epoch.'),
  comet_bus_gaps_total: counter('Times that open streams were told that they may miss something.'),
  comet_bus_foreign_entries_total: counter('Entries that no server has written, or damaged ones.'),
  comet_bus_doubled_batches_total: counter('Batches that came twice, which no stream got twice.'),
  comet_bus_unsent_total: counter('Questions, answers and reports to other nodes not sent.'),
  comet_bus_subscriptions_reloading: gauge(
    '1 while subscriptions are read again and the earlier ones count.',
  ),
  comet_bus_redis_info: { type: 'info', help: 'Product and version of the server; always 1.' },
  comet_bus_redis_durable: gauge('1 if Redis keeps its commands in a file.'),
  comet_bus_redis_memory_bytes: gauge('Memory that Redis uses; absent while it is away.'),
  comet_bus_redis_memory_limit_bytes: gauge('Memory that Redis may use; absent without a limit.'),
} as const satisfies Record<string, Family>

export type MetricName = keyof typeof FAMILIES
