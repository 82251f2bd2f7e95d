// A server that runs: how it changes, and how it ends, in order. What it is made of has been put
// together before.

import { httpUrl } from '../core/address.ts'
import { streamLimits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import { formatStreams } from '../core/units.ts'
import type { Pace } from '../hub/drain.ts'
import type { StreamHost } from '../hub/host.ts'
import type { StreamRules } from '../hub/rules.ts'
import { readCertificate } from '../public/tls.ts'
import type { ServerConfig } from './config.ts'
import type { Inputs } from './inputs.ts'
import type { Parts } from './parts.ts'

export interface Server {
  /** One an address of the public port. */
  readonly publicUrls: readonly string[]
  readonly controlUrl: string
  /**
   * Goes by another configuration as far as that can be done without a start.
   *
   * @returns why it does not, or null
   */
  change(config: ServerConfig): string | null
  /** How many streams are open. */
  streams(): Promise<number>
  /**
   * In order: not ready, then end every stream properly, then close both ports. It takes as long as it
   * was told to, and at most `streamLimits.drainMsMax` for clients that do not take their last bytes.
   */
  drain(): Promise<void>
}

/** What holds for streams by a configuration; answers why its certificate cannot be had otherwise. */
export function rulesOf(config: ServerConfig): StreamRules | string {
  const { userIdMax, outboxBytes, proxies, certificate } = config
  const read = certificate === null ? null : readCertificate(certificate)
  if (typeof read === 'string') return read
  return {
    ...{ userIdMax, outboxBytes, proxies, certificate: read },
    perAddressMax: config.streamsPerAddressMax,
    newPerSecondMax: config.newStreamsPerSecondMax,
  }
}

/** As it was wished, or few streams soon and very many within a bound. */
export function paceOf({ drainMs }: ServerConfig): Pace {
  const { drainMsDefault, drainPerSecondMin } = streamLimits
  return drainMs === null
    ? { ms: drainMsDefault, perSecondMin: drainPerSecondMin }
    : { ms: drainMs, perSecondMin: 0 }
}

export function running(
  { config: first, subscriptions, log }: Parts,
  host: StreamHost,
  inputs: Inputs,
): Server {
  const { control, erlang, leave, stopSampling } = inputs
  const scheme = first.certificate === null ? 'http' : 'https'
  let config = first
  return {
    publicUrls: host.addresses.map((address) => httpUrl(address, scheme)),
    controlUrl: control.addresses.map((address) => httpUrl(address)).join(' '),
    change: (next) => {
      const rules = rulesOf(next)
      if (typeof rules === 'string') return rules
      const why = host.change(rules)
      if (why !== null) return why
      config = next
      inputs.change(next)
      return null
    },
    streams: async () => (await host.figures()).open,
    drain: async () => {
      leave()
      if (config.drainGraceMs > 0) {
        const seconds = config.drainGraceMs / 1000
        log.info('leaving', `Not ready any more; streams end in ${seconds} s.`, { seconds })
        await Bun.sleep(config.drainGraceMs)
      }
      const { open } = await host.figures()
      log.info('draining', `Ending ${formatStreams(open)}.`, { streams: open })
      erlang?.drain()
      const quiet = tellProgress(host, log)
      const cut = await host.drain(paceOf(config))
      quiet()
      await erlang?.stop()
      // A publisher whose batch is being read gets its answer, if it is quick about it.
      await control.stop(streamLimits.controlGraceMs)
      stopSampling()
      subscriptions.close()
      if (cut) log.warn('stopped', 'Clients that did not take their last bytes in time were cut.')
      else log.info('stopped', 'All streams have ended.')
    },
  }
}

/** Tells now and then how many streams are left, until the returned function is called. */
function tellProgress(host: StreamHost, log: Log): () => void {
  const timer = setInterval(async () => {
    const { open } = await host.figures()
    if (open === 0) return
    log.info('draining', `${formatStreams(open)} still open.`, { streams: open })
  }, streamLimits.drainTellMs)
  return () => clearInterval(timer)
}
