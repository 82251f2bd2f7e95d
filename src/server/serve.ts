// The process of `comet serve`: starts the server with its options, changes them at SIGHUP, and
// ends it at a signal; says to a service manager how it is.

import { EXIT, type OptionSources, type Run } from '../cli/command.ts'
import { signalExitCode } from '../cli/io.ts'
import { type ResolvedOption, type ResolvedOptions, valuesOf } from '../cli/option-sources.ts'
import { systemClock } from '../core/clock.ts'
import { Log } from '../core/log.ts'
import type { Result } from '../core/result.ts'
import type { ServerConfig } from '../hub/settings.ts'
import { openService } from '../os/service.ts'
import { subprocessCommand } from '../os/subprocess.ts'
import { readCertificate } from '../public/tls.ts'
import { busConfig } from './bus-options.ts'
import { OPTIONS, type Reloadable, type ServeValues, serverConfig } from './command.ts'
import { erlangConfig } from './erlang-options.ts'
import { startServer } from './start.ts'

/** Processes that other processes leave behind become children of process 1. */
const NO_INIT =
  'This is process 1, but not an init: orphaned processes are not reaped. ' +
  'Use docker run --init, or what the engine calls it.'

export const run: Run<typeof OPTIONS> = async (values, io, _, source) => {
  const refuse = (why: string, exitCode: number = EXIT.usage): number => {
    io.stderr(`comet serve: ${why}`)
    return exitCode
  }
  const erlang = erlangConfig(values)
  if (!erlang.ok) return refuse(erlang.why)
  const shared = busConfig(values)
  if (!shared.ok) return refuse(shared.why)
  const once = { erlang: erlang.value, bus: shared.value.bus }
  const first = configOf(values, once)
  if (!first.ok) return refuse(first.why)
  const service = openService(process.env, process.pid)
  const format = io.stderrIsTerminal ? 'text' : 'json'
  const hasColor = io.stderrHasColor
  const log = new Log({ format, hasColor, write: io.logLine, clock: systemClock })
  log.change(first.value.config)
  io.onUncaught((error) => log.bug(error))
  io.onIgnoredSignal((signal) => log.repeated('signal', `Ignored ${signal}, which has no meaning.`))
  // Waited for from the start, so that a signal while the ports open is not lost.
  const stop = io.nextSignal()
  let reload: (() => void) | null = null
  let isReloadPending = false
  io.onHangup(() => {
    if (reload === null) isReloadPending = true
    else reload()
  })
  const dependencies = { log, clock: systemClock, workerCommand: subprocessCommand('serve-worker') }
  const started = await startServer(first.value.config, dependencies)
  if (!started.ok) {
    const { cause, reason } = started.why
    return refuse(reason, cause === 'config' ? EXIT.usage : EXIT.unavailable)
  }
  const server = started.value
  if (process.pid === 1 && process.platform === 'linux') log.warn('init', NO_INIT)
  warnOf(log, [...first.value.warnings, ...shared.value.warnings])
  for (const warning of await machineWarnings(values.connections)) log.warn('machine', warning)
  const reloader = new Reloader(source, log, (resolved) => {
    const next = configOf(valuesOf<typeof OPTIONS>(resolved), once)
    if (!next.ok) return next
    warnOf(log, next.value.warnings)
    const replaced = server.replaceSettings(next.value.config)
    if (replaced.ok) log.change(next.value.config)
    return replaced
  })
  reload = () => reloader.reload()
  if (isReloadPending) reload()
  service?.ready(`Streams on ${server.publicUrls.join(' and ')}.`, () => server.streams())
  await stop
  service?.stopping()
  // A second signal ends at once.
  const signal = io.nextSignal().then((name) => {
    log.warn('stopped', 'A second signal came: the remaining streams are cut.')
    return signalExitCode(name)
  })
  return Promise.race([server.drain().then(() => EXIT.ok), signal])
}

/** @param once what is read at the start alone */
function configOf(values: ServeValues, once: Pick<ServerConfig, 'erlang' | 'bus'>) {
  const certPath = values['tls-cert']
  const keyPath = values['tls-key']
  if (certPath === null || keyPath === null) {
    return serverConfig(values, { certificate: null, ...once })
  }
  const read = readCertificate(certPath, keyPath)
  return read.ok ? serverConfig(values, { certificate: read.value, ...once }) : read
}

function warnOf(log: Log, warnings: readonly string[]): void {
  for (const warning of warnings) log.warn('unsafe', `Unsafe: ${warning}.`)
}

/** What this machine lacks for so many streams; without a number the server takes what fits. */
async function machineWarnings(connections: number | null): Promise<string[]> {
  if (connections === null) return []
  const { machineWarnings: warningsFor } = await import('../doctor/doctor.ts')
  return warningsFor({ connections, end: 'server', sources: null })
}

/**
 * Reads the options of a running server again, and says what has changed and what takes a restart.
 */
class Reloader {
  readonly #log: Log
  readonly #again: OptionSources['again']
  readonly #apply: (resolved: ResolvedOptions) => Result<void>
  /** In effect now. */
  #resolved: ResolvedOptions

  /** @param apply changes the server to other options */
  constructor(
    { resolved, again }: OptionSources,
    log: Log,
    apply: (resolved: ResolvedOptions) => Result<void>,
  ) {
    this.#resolved = resolved
    this.#again = again
    this.#log = log
    this.#apply = apply
  }

  reload(): void {
    const read = this.#again()
    if (!read.ok) {
      for (const why of read.why) this.#failed(why)
      return
    }
    const before = this.#resolved
    if (hasFile(before) && !hasFile(read.value)) {
      // As it is for a moment while it is being written.
      this.#failed('the file has no options any more, which only a restart would follow')
      return
    }
    const changes = Object.keys(before).flatMap((name) => {
      const [was, is] = [before[name] as ResolvedOption, read.value[name] as ResolvedOption]
      return Bun.deepEquals(was.value, is.value) ? [] : [{ name, was, is }]
    })
    const next = { ...before }
    for (const { name, was, is } of changes) if (mayChange(name, was, is)) next[name] = is
    const applied = this.#apply(next)
    if (!applied.ok) {
      this.#failed(applied.why)
      return
    }
    this.#resolved = next
    for (const { name, was, is } of changes) {
      const [old, wanted] = [writtenText(was), writtenText(is)]
      if (next[name] === is) {
        this.#log.info('reloaded', `${name} is ${wanted} now; it was ${old}.`, { option: name })
      } else {
        const text = `${name} stays ${old}; ${wanted} takes a restart.`
        this.#log.warn('not_reloaded', text, { option: name })
      }
    }
    if (changes.length === 0) this.#log.info('reloaded', UNCHANGED)
  }

  #failed(why: string): void {
    this.#log.error('reload_failed', `Nothing has changed: ${why.replace(/\.$/, '')}.`)
  }
}

const UNCHANGED = 'No option has changed; keys, tokens and certificate were read again.'

function hasFile(resolved: ResolvedOptions): boolean {
  return Object.values(resolved).some(({ source }) => source === 'config')
}

function mayChange(name: string, was: ResolvedOption, is: ResolvedOption): boolean {
  const { reload } = OPTIONS[name as keyof typeof OPTIONS] as Reloadable
  if (reload === 'value') return (was.value === null) === (is.value === null)
  return reload === 'anything'
}

function writtenText({ written }: ResolvedOption): string {
  const isEmpty = written === null || (Array.isArray(written) && written.length === 0)
  return isEmpty ? 'not set' : String(written)
}
