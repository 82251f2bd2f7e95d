// What `comet serve` does with its options: they become the server's configuration, at its start and at
// each SIGHUP, and signals its end.

import { EXIT, type Run } from '../cli/command.ts'
import { type Io, signalExitCode } from '../cli/io.ts'
import type { Values } from '../cli/option.ts'
import { Reload } from '../cli/reload.ts'
import { valuesOf } from '../cli/settings.ts'
import { readToken, TOKEN_OPTION } from '../cli/token.ts'
import { systemClock } from '../core/clock.ts'
import { Log } from '../core/log.ts'
import { openService } from '../os/service.ts'
import { subprocessCommand } from '../os/subprocess.ts'
import type { OPTIONS } from './command.ts'
import type { ErlangConfig, ServerConfig, WorkersRequest } from './config.ts'
import { erlangWish } from './erlang-options.ts'
import { startServer } from './start.ts'

/** Processes that other processes leave behind become children of process 1. */
const AS_INIT =
  'This is process 1, but no init: what others leave behind is not reaped. ' +
  'Use docker run --init, or what the engine calls it.'

export const run: Run<typeof OPTIONS> = async (values, io, _, given) => {
  const erlang = erlangWish(values)
  if ('why' in erlang) return refused(io, erlang.why)
  const wish = configOf(values, erlang.config)
  if ('why' in wish) return refused(io, wish.why)
  const service = openService(process.env, process.pid)
  const format = io.stderrIsTerminal ? 'text' : 'json'
  const log = new Log({ format, write: io.logLine, clock: systemClock })
  io.onUncaught((error) => log.bug(error))
  io.onIgnoredSignal((signal) =>
    log.repeated('signal', `${signal} came, which means nothing here.`),
  )
  // Waited for from the start, so that a signal while the ports open is not lost.
  const stop = io.nextSignal()
  let reload: (() => void) | null = null
  let isWaiting = false
  io.onHangup(() => {
    if (reload === null) isWaiting = true
    else reload()
  })
  const surroundings = { log, clock: systemClock, workerCommand: subprocessCommand('serve-worker') }
  const started = await startServer(wish.config, surroundings)
  if (!started.ok) {
    io.stderr(`comet serve: ${started.why}`)
    return started.reason === 'config' ? EXIT.usage : EXIT.unavailable
  }
  const { server } = started
  if (process.pid === 1 && process.platform === 'linux') log.warn('init', AS_INIT)
  beware(log, wish.warning)
  for (const warning of await warningsFor(values.connections)) log.warn('machine', warning)
  const reloading = new Reload(given, log, (settings) => {
    const next = configOf(valuesOf<typeof OPTIONS>(settings), erlang.config)
    if ('why' in next) return next.why
    beware(log, next.warning)
    return server.change(next.config)
  })
  reload = () => reloading.now()
  if (isWaiting) reload()
  service?.ready(`Streams on ${server.publicUrls.join(' and ')}.`, () => server.streams())
  await stop
  service?.stopping()
  // A second signal ends at once.
  const signal = io.nextSignal().then((name) => {
    log.warn('stopped', 'A second signal came: the streams that are left are cut.')
    return signalExitCode(name)
  })
  return Promise.race([server.drain().then(() => EXIT.ok), signal])
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
    publicAddresses: values.listen,
    certificate,
    controlAddress: values.control,
    controlMode: values['control-mode'],
    controlToken: read.token,
    controlHosts: values['control-host'],
    controlOrigins: values['control-origin'],
    bodyTimeoutMs: values['body-timeout'],
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
    keepaliveMs: values.keepalive,
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
  io.stderr(`comet serve: ${why}`)
  return EXIT.usage
}

/** What this machine lacks for so many streams; who names no number gets what fits. */
async function warningsFor(connections: number | null): Promise<string[]> {
  if (connections === null) return []
  const { machineWarnings } = await import('../doctor/warnings.ts')
  return machineWarnings({ connections, end: 'server', sources: null })
}

/** Both or neither, by then. */
function certificateOf(certPath: string | null, keyPath: string | null) {
  return certPath === null || keyPath === null ? null : { certPath, keyPath }
}

function workersWish(workers: number | 'auto' | null, connections: number | null): WorkersRequest {
  if (connections !== null) return { connections }
  return workers === 'auto' ? { onePerCore: true } : { count: workers ?? 1 }
}
