// `comet serve`: its options, and one call.

import { systemClock } from '../core/clock.ts'
import { messageLimits, streamLimits, subscriptionLimits, workerLimits } from '../core/limits.ts'
import { machineWarnings } from '../doctor/warnings.ts'
import {
  type ErlangConfig,
  type ServerConfig,
  unguardedControl,
  type WorkersWish,
} from '../server/config.ts'
import { Log } from '../server/log.ts'
import { startServer } from '../server/server.ts'
import { openService } from '../server/service.ts'
import { command, EXIT } from './command.ts'
import { ERLANG_COOKIES, ERLANG_OPTIONS, erlangMistake, erlangWish } from './erlang.ts'
import { type Io, signalExitCode } from './io.ts'
import {
  address,
  bytes,
  count,
  countOr,
  duration,
  headerName,
  list,
  network,
  text,
  type Values,
} from './option.ts'
import { ownCommand } from './own.ts'
import { Reload } from './reload.ts'
import { valuesOf } from './settings.ts'
import { readToken, TOKEN_OPTION } from './token.ts'

const OPTIONS = {
  listen: address('0.0.0.0:8000', 'public port, where clients open streams'),
  control: address('127.0.0.1:8001', 'control port, where messages come in'),
  [TOKEN_OPTION]: text(
    'file',
    null,
    'the file of a token that requests to the control port must have; off loopback it must be given',
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
    'streams of one client address at once; IPv6 counts by its first 64 bits (default: any number)',
  ),
  'max-new-streams': count(
    null,
    'streams opened a second, by all clients together (default: any number)',
    { max: streamLimits.newPerSecondMax },
  ),
  'trusted-proxy': list(
    network('a proxy whose word on the address of a client is taken; several go with commas'),
    /[\s,]+/,
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
  run: async (values, io, _, given) => {
    const erlang = erlangWish(values)
    if ('why' in erlang) return refused(io, erlang.why)
    const wish = configOf(values, erlang.config)
    if ('why' in wish) return refused(io, wish.why)
    const service = openService(process.env, process.pid)
    const format = io.wordsAreRead ? 'text' : 'json'
    const log = new Log({ format, write: io.words, clock: systemClock })
    io.onUncaught((error) => log.bug(error))
    // Waited for from the start, so that a signal while the ports open is not lost.
    const stop = io.nextSignal()
    let reload: (() => void) | null = null
    let isWaiting = false
    io.onHangup(() => {
      if (reload === null) isWaiting = true
      else reload()
    })
    const surroundings = { log, clock: systemClock, workerCommand: ownCommand('serve-worker') }
    const started = await startServer(wish.config, surroundings)
    if (!started.ok) {
      io.words(`comet serve: ${started.why}`)
      return started.reason === 'config' ? EXIT.usage : EXIT.unavailable
    }
    const { server } = started
    beware(log, wish.warning)
    for (const warning of warningsFor(values.connections)) log.warn('machine', warning)
    const reloading = new Reload(given, log, (settings) => {
      const next = configOf(valuesOf<typeof OPTIONS>(settings), erlang.config)
      if ('why' in next) return next.why
      beware(log, next.warning)
      return server.change(next.config)
    })
    reload = () => reloading.now()
    if (isWaiting) reload()
    service?.ready(`Streams on ${server.publicUrl}.`, () => server.streams())
    await stop
    service?.stopping()
    // A second signal ends at once.
    const signal = io.nextSignal().then(signalExitCode)
    return Promise.race([server.drain().then(() => EXIT.ok), signal])
  },
})

/** What makes no sense together, if anything. */
function mistake(values: Values<typeof OPTIONS>): string | null {
  if ((values['tls-cert'] === null) !== (values['tls-key'] === null)) {
    return 'give --tls-cert and --tls-key, or neither'
  }
  return unguardedControl(values.control, values[TOKEN_OPTION] !== null) ?? erlangMistake(values)
}

/** What the options ask for; or what of the files that they name cannot be used. */
function configOf(
  values: Values<typeof OPTIONS>,
  erlang: ErlangConfig | null,
): { readonly config: ServerConfig; readonly warning: string | null } | { readonly why: string } {
  const read = readToken(values[TOKEN_OPTION])
  if ('why' in read) return read
  const certificate = certificateOf(values['tls-cert'], values['tls-key'])
  const config = {
    publicAddress: values.listen,
    certificate,
    controlAddress: values.control,
    controlToken: read.token,
    userIdMax: values['max-users'],
    workers: workersWish(values.workers, values.connections),
    streamsMax: values['max-streams'],
    streamsPerAddressMax: values['max-streams-per-address'],
    newStreamsPerSecondMax: values['max-new-streams'],
    proxies: { trusted: values['trusted-proxy'], header: values['forwarded-header'] },
    databasePath: values.db,
    subscriptionsPerUserMax: values['max-subscriptions-per-user'],
    outboxBytes: values.outbox,
    headTimeoutMs: values['head-timeout'],
    drainGraceMs: values['drain-grace'],
    drainMs: values.drain,
    erlang,
  }
  return { config, warning: read.warning }
}

function beware(log: Log, warning: string | null): void {
  if (warning !== null) log.warn('readable', `Beware: ${warning}.`)
}

function refused(io: Io, why: string): number {
  io.words(`comet serve: ${why}`)
  return EXIT.usage
}

/** What this machine lacks for so many streams; who names no number gets what fits. */
function warningsFor(connections: number | null): string[] {
  if (connections === null) return []
  return machineWarnings({ connections, end: 'server', sources: null })
}

/** Both or neither, by then. */
function certificateOf(certPath: string | null, keyPath: string | null) {
  return certPath === null || keyPath === null ? null : { certPath, keyPath }
}

function workersWish(workers: number | 'auto' | null, connections: number | null): WorkersWish {
  if (connections !== null) return { connections }
  return workers === 'auto' ? { onePerCore: true } : { count: workers ?? 1 }
}
