// What a server is told when it starts. The options of `comet serve` become this, and so do tests.

import { type Address, isLoopback } from '../core/address.ts'
import type { NodeConfig } from '../erlang/node.ts'
import type { ProxyRules } from '../hub/rules.ts'
import type { CertificatePaths } from '../public/tls.ts'

/** How many processes hold streams: so many, one a core, or as many as so many streams need. */
export type WorkersRequest =
  | { readonly count: number }
  | { readonly onePerCore: true }
  | { readonly connections: number }

/** How this server is a node among Erlang nodes. */
export interface ErlangConfig extends NodeConfig {
  /** Is a server that is not connected with the node not ready? */
  readonly required: boolean
}

export interface ServerConfig {
  /** Where clients open streams. */
  readonly publicAddresses: readonly Address[]
  /** The certificate to speak TLS by; null to speak HTTP in the clear. */
  readonly certificate: CertificatePaths | null
  /** Where publishers and operators go; loopback only, unless there is a token. */
  readonly controlAddress: Address
  /** The mode of its file, if it is a Unix socket. */
  readonly controlMode: number
  /** What they must know; null if nothing. */
  readonly controlToken: string | null
  /** Names by which the control port is known besides its own, as `parseHost` writes them. */
  readonly controlHosts: readonly string[]
  /** Origins of pages that may use it besides its own. */
  readonly controlOrigins: readonly string[]
  /** Milliseconds that the body of a request there is waited for. */
  readonly bodyTimeoutMs: number
  /** Highest user id that may open a stream. */
  readonly userIdMax: number
  readonly workers: WorkersRequest
  /** Streams to hold at most, evenly dealt out to the workers; null for as many as the open-files
   * limit allows. */
  readonly streamsMax: number | null
  /** Streams that one client address may have open; null for any number. */
  readonly streamsPerAddressMax: number | null
  /** Streams that may be opened a second; null for any number. */
  readonly newStreamsPerSecondMax: number | null
  readonly proxies: ProxyRules
  /** The file that keeps the subscriptions, or `:memory:`. */
  readonly databasePath: string
  /** Subjects that one user may follow. */
  readonly subscriptionsPerUserMax: number
  readonly outboxBytes: number
  readonly headTimeoutMs: number
  /** Milliseconds of silence, then a client is asked whether it is there; 0 for never. */
  readonly keepaliveMs: number
  /** Milliseconds between not being ready and the end of the first stream, when it is told to stop. */
  readonly drainGraceMs: number
  /** Milliseconds over which the streams are then ended; null for as few as are good for others. */
  readonly drainMs: number | null
  /** Null to be no Erlang node. */
  readonly erlang: ErlangConfig | null
}

/** Why the control port may not be there, or null. */
export function unguardedControl(address: Address, hasToken: boolean): string | null {
  if (hasToken || isLoopback(address)) return null
  return (
    'anyone who reaches the control port can publish, so without --control-token-file it must be on ' +
    `a loopback address like 127.0.0.1:8001, not on ${address.hostname}`
  )
}
