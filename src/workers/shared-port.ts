// The public port of a server with workers: they share it, so the parent makes sure that no other
// server is on it.

import type { Address } from '../core/address.ts'
import { systemClock } from '../core/clock.ts'
import { type Result, refused, success } from '../core/result.ts'
import { codeOf } from '../core/system-error.ts'
import { listen } from '../http/listener.ts'
import type { Reply } from '../http/response.ts'

/**
 * Checks that the port is free on all its addresses, and reserves it as long as this process lives.
 *
 * @returns the addresses with the ports that the system chose
 */
export async function reservePort(wanted: readonly Address[]): Promise<Result<readonly Address[]>> {
  const probe = listen({
    addresses: wanted,
    isShared: false,
    handle: (exchange) => exchange.reply(STARTING),
    rejection: () => STARTING,
    headMs: () => 1_000,
    idleMs: 1_000,
    clock: systemClock,
    onBug: () => undefined,
  })
  if (!probe.ok) return refused(`the public port ${probe.why}`)
  await probe.value.stop(0)
  const { addresses } = probe.value
  const taken = addresses.find((address) => !reserve(address))
  if (taken === undefined) return success(addresses)
  return refused(`the public port ${taken.hostname}:${taken.port} is in use by another comet`)
}

const STARTING: Reply = { status: 503, body: 'The server is starting\n' }

/**
 * Keeps other servers with workers off the port: between the probe and the start of the workers
 * nothing listens on it. An abstract socket (unix(7)) ends with its process; systems without them
 * have only the probe.
 */
function reserve({ hostname, port }: Address): boolean {
  if (process.platform !== 'linux') return true
  try {
    const lock = Bun.listen({
      unix: `\0comet ${hostname}:${port}`,
      socket: { data: () => undefined },
    })
    lock.unref()
    return true
  } catch (error) {
    if (codeOf(error) === 'EADDRINUSE') return false
    throw error
  }
}
