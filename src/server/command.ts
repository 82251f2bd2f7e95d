// `comet serve`: its options, and what of the server's configuration each of them is.

import { command } from '../cli/command.ts'
import {
  type AnyOption,
  address,
  bytes,
  commaSeparated,
  count,
  countOr,
  duration,
  headerName,
  host,
  network,
  oneOf,
  origin,
  short,
  text,
  type Values,
} from '../cli/option.ts'
import { readTokens, TOKEN_OPTION } from '../cli/secret.ts'
import { type Address, httpUrl, parseControlAddress } from '../core/address.ts'
import { feedLimits } from '../core/feed-limits.ts'
import { historyLimits } from '../core/history-limits.ts'
import { messageLimits, streamLimits, subscriptionLimits, workerLimits } from '../core/limits.ts'
import { LOG_FORMATS } from '../core/log.ts'
import { LOG_LEVELS } from '../core/recent-log.ts'
import { allOf, OK, type Result, refused, success } from '../core/result.ts'
import {
  checkControlGuard,
  DATABASE_DEFAULT,
  type ServerConfig,
  type WorkersRequest,
} from '../hub/settings.ts'
import { BUS_OPTIONS, BUS_REQUIREMENTS, checkBus } from './bus-options.ts'
import { checkErlang, ERLANG_COOKIES, ERLANG_OPTIONS } from './erlang-options.ts'
import {
  checkIdentity,
  IDENTITY_CONFLICTS,
  IDENTITY_OPTIONS,
  identitySettings,
} from './identity-options.ts'

/**
 * What a SIGHUP may change of an option: anything, or one value into another but not whether there
 * is one.
 */
export interface Reloadable {
  readonly reload?: 'anything' | 'value'
}

function reloadable<O extends AnyOption>(option: O, reload: Reloadable['reload'] = 'anything') {
  return { ...option, reload }
}

const UP_TO_AN_HOUR = { maxMs: 36e5 }

const PUBLIC_PORT = {
  listen: short(
    'l',
    commaSeparated(
      address('127.0.0.1:8000', 'public port, where clients open streams; elsewhere with keys'),
    ),
  ),
  'tls-cert': reloadable(
    text('file', null, 'certificate in PEM, to serve TLS on the public port'),
    'value',
  ),
  'tls-key': reloadable(text('file', null, 'key of the certificate in PEM'), 'value'),
  'head-timeout': duration('10s', 'time for a connection to send its request head, at most 10s', {
    minMs: 1_000,
    maxMs: streamLimits.headTimeoutMsMax,
  }),
  'trusted-proxy': reloadable(
    commaSeparated(network('proxies that are trusted to give the address of a client')),
  ),
  'forwarded-header': reloadable(
    headerName('X-Forwarded-For', 'header in which they give it; Forwarded is parsed by RFC 7239'),
  ),
} as const

const STREAMS = {
  'max-users': reloadable(
    count(String(streamLimits.userIdMaxDefault), 'highest user id that may open a stream', {
      max: messageLimits.userIdMax,
    }),
  ),
  'max-streams': count(null, 'streams to hold in all workers (default: what the open files allow)'),
  // Streams that were opened while there was no limit are not counted.
  'max-streams-per-address': reloadable(
    count(null, 'streams of one client address, IPv6 by its first 64 bits (default: no limit)'),
    'value',
  ),
  'max-new-streams': reloadable(
    count(null, 'streams opened per second by all clients together (default: no limit)', {
      max: streamLimits.newPerSecondMax,
    }),
  ),
  outbox: reloadable(
    bytes('64KiB', 'bytes queued for a slow stream before it is closed', {
      // One message of the largest size must fit.
      min: messageLimits.bodyBytesMax,
      max: 1024 ** 3,
    }),
  ),
  keepalive: duration(
    '2min',
    'silence after which TCP probes whether a client is still connected; 0s for never',
    UP_TO_AN_HOUR,
  ),
  heartbeat: reloadable(
    duration(
      '25s',
      'silence after which a stream gets a heartbeat, in formats that have one; 0s for never',
      UP_TO_AN_HOUR,
    ),
  ),
  wire: oneOf(
    ['auto', 'socket'],
    'auto',
    'what holds streams: bare descriptors where they work, or sockets of Bun, which take more memory',
  ),
} as const

const KEPT = {
  db: text(
    'file',
    DATABASE_DEFAULT,
    'database of subscriptions; :memory: for one that is not kept; not used with --bus',
  ),
  'max-subscriptions-per-user': reloadable(
    count(String(subscriptionLimits.perUserDefault), 'subjects that one user may follow'),
  ),
  history: bytes(
    '64MiB',
    'messages kept for clients that come back, in a file beside the database; 0 for none',
    { min: 0, max: historyLimits.bytesMax },
  ),
  feed: bytes(
    '4MiB',
    'latest connects and disconnects kept for those who follow /feed; 0 for none',
    {
      min: 0,
      max: feedLimits.bytesMax,
    },
  ),
} as const

const CONTROL_PORT = {
  control: {
    ...address('127.0.0.1:8001', 'control port, where messages come in; or unix:/path'),
    parse: parseControlAddress,
    expected: 'an address like 127.0.0.1:8001, [::1]:8001 or unix:/run/comet.sock',
  },
  'control-mode': {
    ...text('mode', '0600', 'file mode of a control port on a Unix socket'),
    parse: (given: string) => (/^0?[0-7]{3}$/.test(given) ? Number.parseInt(given, 8) : undefined),
    expected: 'an octal mode like 0660',
  },
  [TOKEN_OPTION]: reloadable(
    text(
      'file',
      null,
      'file with the token of the control port, or lines `role token`; required off loopback',
    ),
    'value',
  ),
  'control-host': reloadable(
    commaSeparated(host('names of the control port besides its own address')),
  ),
  'control-origin': reloadable(
    commaSeparated(
      origin('origins whose pages may use the control port besides its own, as behind a proxy'),
    ),
  ),
  'body-timeout': reloadable(
    duration(
      `${messageLimits.bodyTimeoutMsDefault / 1000}s`,
      'time to wait for the next bytes of a body on the control port, besides what 4 KiB/s take',
      { minMs: 1_000, maxMs: messageLimits.bodyTimeoutMsMax },
    ),
  ),
} as const

const PROCESSES = {
  workers: countOr(
    'auto',
    null,
    'processes that hold streams; auto is one a core (default: 1, this process itself)',
    workerLimits.countMax,
  ),
  connections: count(
    null,
    'start as many workers as so many streams need under the open-files limit',
  ),
} as const

const OPERATION = {
  'log-level': reloadable(
    oneOf(LOG_LEVELS, 'info', 'how urgent an event must be for the log; info for all'),
  ),
  'log-format': reloadable(
    oneOf(
      LOG_FORMATS,
      null,
      'how the log is written (default: text on a terminal, json elsewhere)',
    ),
  ),
  'drain-grace': reloadable(
    duration('0s', 'time from SIGTERM, when /readyz fails, until streams end', UP_TO_AN_HOUR),
  ),
  drain: reloadable(
    duration(
      null,
      'time over which streams then end evenly (default: 10,000 a second, 30s at most)',
      UP_TO_AN_HOUR,
    ),
  ),
} as const

/** As the help lists them. */
const OPTION_GROUPS = {
  'Public port': PUBLIC_PORT,
  'Who may open which stream': IDENTITY_OPTIONS,
  'Streams and their limits': STREAMS,
  'Subscriptions and history': KEPT,
  'Control port': CONTROL_PORT,
  Processes: PROCESSES,
  'Several machines': BUS_OPTIONS,
  Erlang: ERLANG_OPTIONS,
  Operation: OPERATION,
} as const

export const OPTIONS = {
  ...PUBLIC_PORT,
  ...IDENTITY_OPTIONS,
  ...STREAMS,
  ...KEPT,
  ...CONTROL_PORT,
  ...PROCESSES,
  ...BUS_OPTIONS,
  ...ERLANG_OPTIONS,
  ...OPERATION,
} as const

export type ServeValues = Values<typeof OPTIONS>

export interface ReadConfig {
  readonly config: ServerConfig
  /** What should not be so, and is no error. */
  readonly warnings: readonly string[]
}

/**
 * The server's configuration; or what is wrong with a file that the options name.
 *
 * @param files what has been read of other files
 */
export function serverConfig(
  values: ServeValues,
  files: Pick<ServerConfig, 'certificate' | 'erlang' | 'bus'>,
): Result<ReadConfig> {
  const read = readTokens(values[TOKEN_OPTION])
  if (!read.ok) return read
  const { tokens, warning } = read.value
  const identified = identitySettings(values)
  if (!identified.ok) return identified
  const config = {
    publicAddresses: values.listen,
    identity: identified.value.identity,
    anonymous: values.anonymous,
    corsOrigins: values['cors-origin'],
    controlAddress: values.control,
    controlMode: values['control-mode'],
    controlTokens: tokens,
    controlHosts: values['control-host'],
    controlOrigins: values['control-origin'],
    bodyTimeoutMs: values['body-timeout'],
    userIdMax: values['max-users'],
    workers: workersRequest(values),
    streamsMax: values['max-streams'],
    streamsPerAddressMax: values['max-streams-per-address'],
    newStreamsPerSecondMax: values['max-new-streams'],
    proxies: { trusted: values['trusted-proxy'], header: values['forwarded-header'] },
    databasePath: values.db,
    historyBytes: values.history,
    feedBytes: values.feed,
    nodeName: values['node-name'],
    subscriptionsPerUserMax: values['max-subscriptions-per-user'],
    outboxBytes: values.outbox,
    wire: values.wire,
    headTimeoutMs: values['head-timeout'],
    keepaliveMs: values.keepalive,
    heartbeatMs: values.heartbeat,
    drainGraceMs: values['drain-grace'],
    drainMs: values.drain,
    logLevel: values['log-level'],
    logFormat: values['log-format'],
    ...files,
  }
  const readable = warning === null ? [] : [warning]
  const warnings = [...readable, ...identified.value.warnings]
  return success({ config, warnings })
}

function workersRequest({ workers, connections }: ServeValues): WorkersRequest {
  if (connections !== null) return { connections }
  return workers === 'auto' ? { onePerCore: true } : { count: workers ?? 1 }
}

export const serve = command({
  name: 'serve',
  purpose: 'Serve, publish, listen',
  summary: 'hold open streams of clients, and push messages down them',
  options: OPTIONS,
  groups: OPTION_GROUPS,
  conflicts: [['workers', 'connections'], ERLANG_COOKIES, ...IDENTITY_CONFLICTS],
  requires: [
    ['control-mode', 'control', { like: 'unix:/path', matches: isUnixSocket }],
    ['trusted-proxy', 'max-streams-per-address'],
    ['forwarded-header', 'trusted-proxy'],
    ['erlang-tick', 'erlang-name'],
    ...BUS_REQUIREMENTS,
  ],
  validate,
  examples: [
    'comet serve',
    'comet serve --listen 0.0.0.0:80 --anonymous --max-streams 10k',
    'comet serve --workers auto',
    'comet serve --connections 1m',
    'comet serve --erlang-node master@localhost --erlang-name comet@localhost',
    'comet serve --bus redis://cache.example',
    'curl -N http://127.0.0.1:8000/stream/123',
    `curl -d '{"subject":123,"body":"Hello"}' -H 'Content-Type: application/json' \\`,
    '     http://127.0.0.1:8001/messages',
  ],
  load: () => import('./serve.ts'),
})

function isUnixSocket(control: unknown): boolean {
  // As --control is parsed.
  return (control as Address).socketPath !== undefined
}

function validate(values: ServeValues): Result<void> {
  if ((values['tls-cert'] === null) !== (values['tls-key'] === null)) {
    return refused('give --tls-cert and --tls-key, or neither')
  }
  return allOf(
    checkListen(values.listen),
    checkIdentity(values, values.listen),
    checkControlGuard(values.control, values[TOKEN_OPTION] !== null),
    checkErlang(values),
    checkBus(values),
  )
}

function checkListen(addresses: readonly Address[]): Result<void> {
  const { addressesMax } = streamLimits
  if (addresses.length > addressesMax) {
    return refused(`--listen takes ${addressesMax} addresses at most`)
  }
  const seen = new Set<string>()
  for (const address of addresses) {
    const url = httpUrl(address)
    // Port 0 is a different port each time.
    if (seen.has(url) && address.port !== 0) {
      return refused(`--listen has ${address.hostname}:${address.port} twice; give it once`)
    }
    seen.add(url)
  }
  return OK
}
