// `comet serve`: its options, and one call.

import { command } from '../cli/command.ts'
import {
  address,
  bytes,
  count,
  countOr,
  duration,
  headerName,
  host,
  list,
  network,
  origin,
  text,
  type Values,
} from '../cli/option.ts'
import { TOKEN_OPTION } from '../cli/token.ts'
import { type Address, httpUrl, parseControlAddress } from '../core/address.ts'
import { messageLimits, streamLimits, subscriptionLimits, workerLimits } from '../core/limits.ts'
import { unguardedControl } from './config.ts'
import { ERLANG_COOKIES, ERLANG_OPTIONS, erlangMistake } from './erlang-options.ts'

/** Between the values of a list. */
const SEPARATOR = /[\s,]+/

export const OPTIONS = {
  listen: list(
    address(
      '0.0.0.0:8000',
      'public port, where clients open streams; several addresses go with commas',
    ),
    SEPARATOR,
  ),
  control: {
    ...address('127.0.0.1:8001', 'control port, where messages come in; or unix:/path'),
    parse: parseControlAddress,
    expected: 'an address like 127.0.0.1:8001, [::1]:8001 or unix:/run/comet.sock',
  },
  'control-mode': {
    ...text('mode', '0600', 'the mode of the file of a control port on a Unix socket'),
    parse: (given: string) => (/^0?[0-7]{3}$/.test(given) ? Number.parseInt(given, 8) : undefined),
    expected: 'an octal mode like 0660',
  },
  [TOKEN_OPTION]: text(
    'file',
    null,
    'the file of a token that requests to the control port must have; off loopback it must be given',
  ),
  'control-host': list(
    host(
      'a name by which the control port is known besides its own address; several go with commas',
    ),
    SEPARATOR,
  ),
  'control-origin': list(
    origin(
      'pages that may use the control port besides its own, as behind a proxy that rewrites Host',
    ),
    SEPARATOR,
  ),
  'body-timeout': duration(
    `${messageLimits.bodyTimeoutMsDefault / 1000}s`,
    'for the next bytes of a body on the control port, beyond what 4 KiB/s take',
    { minMs: 1_000, maxMs: messageLimits.bodyTimeoutMsMax },
  ),
  workers: countOr(
    'auto',
    null,
    'processes that hold streams; auto is one a core (default: 1, this process itself)',
    workerLimits.countMax,
  ),
  connections: count(null, 'as many workers as that many streams need under the open-files limit'),
  db: text(
    'file',
    'comet.db',
    'the database of subscriptions, or :memory: for one that is not kept',
  ),
  'max-subscriptions-per-user': count(
    String(subscriptionLimits.perUserDefault),
    'subjects that one user may follow',
  ),
  'max-users': count(
    String(streamLimits.userIdMaxDefault),
    'highest user id that may open a stream',
    { max: messageLimits.userIdMax },
  ),
  'max-streams': count(
    null,
    'streams to hold at most, dealt out to workers (default: what the open files allow)',
  ),
  'max-streams-per-address': count(
    null,
    'streams of one client address at once; IPv6 counts by its first 64 bits (default: no limit)',
  ),
  'max-new-streams': count(
    null,
    'streams opened a second, by all clients together (default: no limit)',
    { max: streamLimits.newPerSecondMax },
  ),
  'trusted-proxy': list(
    network('a proxy whose word on the address of a client is taken; several go with commas'),
    SEPARATOR,
  ),
  'forwarded-header': headerName(
    'X-Forwarded-For',
    'in which trusted proxies say it; Forwarded is read as RFC 7239 has it',
  ),
  outbox: bytes('64KiB', 'queued for one slow stream before it is closed', {
    // One message of the largest size must fit.
    min: messageLimits.bodyBytesMax,
    max: 1024 ** 3,
  }),
  'tls-cert': text('file', null, 'the certificate, in PEM, to speak TLS on the public port'),
  'tls-key': text('file', null, 'the key of the certificate, in PEM'),
  'head-timeout': duration('10s', 'for a connection to send its request head, at most 10s', {
    minMs: 1_000,
    maxMs: streamLimits.headTimeoutMsMax,
  }),
  keepalive: duration(
    '2min',
    'of silence, after which a client is asked whether it is there, by TCP; 0s for never',
    { maxMs: 36e5 },
  ),
  'drain-grace': duration('0s', 'from SIGTERM, when it is not ready any more, to the first end', {
    maxMs: 36e5,
  }),
  drain: duration(
    null,
    'over which streams then end evenly (default: at 10,000 a second, 30s at most)',
    { maxMs: 36e5 },
  ),
  ...ERLANG_OPTIONS,
} as const

export const serve = command({
  name: 'serve',
  summary: 'hold one open HTTP response per user and push messages down it',
  options: OPTIONS,
  either: [['workers', 'connections'], ERLANG_COOKIES],
  needs: [
    ['control-mode', 'control', { like: 'unix:/path', fits: isUnixSocket }],
    ['trusted-proxy', 'max-streams-per-address'],
    ['forwarded-header', 'trusted-proxy'],
    ['erlang-tick', 'erlang-name'],
  ],
  whyNot: mistake,
  examples: [
    'comet serve',
    'comet serve --listen 0.0.0.0:80 --control 127.0.0.1:8001 --max-streams 10k',
    'comet serve --workers auto',
    'comet serve --connections 1m',
    'comet serve --erlang-node master@localhost --erlang-name comet@localhost',
    'curl -N http://127.0.0.1:8000/test/123',
    `curl -d '{"subject":123,"body":"Hello"}' -H 'Content-Type: application/json' \\`,
    '     http://127.0.0.1:8001/messages',
  ],
  load: () => import('./run.ts'),
})

/** Of the parsed value of `--control`. */
function isUnixSocket(control: unknown): boolean {
  return (control as Address).socketPath !== undefined
}

/** What is invalid together, if anything. */
function mistake(values: Values<typeof OPTIONS>): string | null {
  if ((values['tls-cert'] === null) !== (values['tls-key'] === null)) {
    return 'give --tls-cert and --tls-key, or neither'
  }
  return (
    listenMistake(values.listen) ??
    unguardedControl(values.control, values[TOKEN_OPTION] !== null) ??
    erlangMistake(values)
  )
}

function listenMistake(addresses: readonly Address[]): string | null {
  const { addressesMax } = streamLimits
  if (addresses.length > addressesMax) return `--listen takes ${addressesMax} addresses at most`
  const seen = new Set<string>()
  for (const address of addresses) {
    const url = httpUrl(address)
    // Of port 0 each is another one.
    if (seen.has(url) && address.port !== 0) {
      return `--listen has ${address.hostname}:${address.port} twice; give it once`
    }
    seen.add(url)
  }
  return null
}
