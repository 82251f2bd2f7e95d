// A running server: how its settings are replaced, and how it ends, in order.

import { httpUrl } from '../core/address.ts'
import { streamLimits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import { OK, type Result } from '../core/result.ts'
import { formatQuantity } from '../core/units.ts'
import type { DrainPace } from '../hub/drain.ts'
import type { StreamHost } from '../hub/host.ts'
import type { CurrentSettings, ServerConfig } from '../hub/settings.ts'
import type { Inputs } from './inputs.ts'
import type { Messages } from './messages.ts'
import type { RemoteSettings } from './remote-settings.ts'

export interface Server {
  /** One an address of the public port. */
  readonly publicUrls: readonly string[]
  readonly controlUrl: string
  /** Replaces the settings. Only those that a running server can change may differ. */
  replaceSettings(next: ServerConfig): Result<void>
  /** How many streams are open. */
  streams(): Promise<number>
  /**
   * In order: not ready, then end every stream properly, then close both ports. It takes as long as
   * the settings say, and at most `streamLimits.drainMsMax` for clients that do not take their last
   * bytes.
   */
  drain(): Promise<void>
}

/** The settings' own pace, or one that ends few streams soon and very many within a bound. */
export function paceOf({ drainMs }: ServerConfig): DrainPace {
  const { drainMsDefault, drainPerSecondMin } = streamLimits
  return drainMs === null
    ? { ms: drainMsDefault, perSecondMin: drainPerSecondMin }
    : { ms: drainMs, perSecondMin: 0 }
}

export interface RunningDependencies {
  readonly settings: CurrentSettings
  readonly host: StreamHost
  readonly inputs: Inputs
  readonly messages: Pick<Messages, 'close'>
  readonly remote: RemoteSettings
  readonly log: Log
}

export function running(dependencies: RunningDependencies): Server {
  const { settings, host, inputs, remote } = dependencies
  const unwatch = remote.watch(() => host.onSettings())
  const scheme = settings.current.certificate === null ? 'http' : 'https'
  return {
    publicUrls: host.addresses.map((address) => httpUrl(address, scheme)),
    controlUrl: inputs.control.addresses.map((address) => httpUrl(address)).join(' '),
    replaceSettings: (next) => {
      const prepared = host.prepare(next)
      if (!prepared.ok) return prepared
      // The port that the system has chosen stays.
      const { controlAddress } = settings.current
      settings.replace(remote.addTo({ ...next, controlAddress }))
      host.onSettings()
      return OK
    },
    streams: async () => (await host.figures()).open,
    drain: () => {
      unwatch()
      return drain(dependencies)
    },
  }
}

async function drain(dependencies: RunningDependencies) {
  const { settings, host, inputs, messages, log } = dependencies
  const { control, erlang, feed, leave, stopWatching } = inputs
  const { drainGraceMs } = settings.current
  leave()
  if (drainGraceMs > 0) {
    const seconds = drainGraceMs / 1000
    log.info('leaving', `Not ready any more; streams end in ${seconds} s.`, { seconds })
    await Bun.sleep(drainGraceMs)
  }
  const { open } = await host.figures()
  log.info('draining', `Ending ${formatQuantity(open, 'stream')}.`, { streams: open })
  erlang?.drain()
  const stopProgress = logProgress(host, log)
  const cut = await host.drain(paceOf(settings.current))
  stopProgress()
  await erlang?.stop()
  await feed.close()
  // A publisher whose batch is being read gets its answer, if the rest comes soon.
  await control.stop(streamLimits.controlGraceMs)
  stopWatching()
  await feed.stop()
  await messages.close()
  if (cut) log.warn('stopped', 'Clients that did not take their last bytes in time were cut.')
  else log.info('stopped', 'All streams have ended.')
}

/** Logs every few seconds how many streams are left, until the returned function is called. */
function logProgress(host: StreamHost, log: Log): () => void {
  const timer = setInterval(async () => {
    const { open } = await host.figures()
    if (open === 0) return
    log.info('draining', `${formatQuantity(open, 'stream')} still open.`, { streams: open })
  }, streamLimits.drainReportMs)
  return () => clearInterval(timer)
}
