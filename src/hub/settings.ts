// The settings of a running server: one immutable record, replaced whole when they are read again
// and sent whole to the workers. Readers read `current` when they need a value.

import { hostname } from 'node:os'
import { type Address, isLoopback, type Network } from '../core/address.ts'
import type { ControlToken } from '../core/control-token.ts'
import type { LogSettings } from '../core/log.ts'
import type { RedisAddress } from '../core/redis-address.ts'
import { OK, type Result, refused } from '../core/result.ts'

/** How many processes hold streams: so many, one a core, or as many as so many streams need. */
export type WorkersRequest =
  | { readonly count: number }
  | { readonly onePerCore: true }
  | { readonly connections: number }

export type WireRequest = 'auto' | 'socket'

/** A TLS certificate and its key, both in PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** The proxies whose word on the address of a client counts. */
export interface ProxySettings {
  readonly trusted: readonly Network[]
  /** The header in which they name the client. */
  readonly header: string
}

/** How a token may be signed; the algorithm follows from the key. */
export type KeyAlgorithm = 'HS256' | 'RS256' | 'ES256' | 'EdDSA'

/** The parts of a key in base64url, and its kind (RFC 7517 section 4). */
export type Jwk = Readonly<Record<string, string>>

/** A key that clients' tokens are checked with, and what it was checked for when it was read. */
export interface TokenKey {
  readonly id: string | null
  readonly algorithm: KeyAlgorithm
  /** A public key, or a shared secret (RFC 7517). */
  readonly jwk: Jwk
}

/** What a token must say besides; an empty list asks for nothing. */
export interface TokenRules {
  readonly issuers: readonly string[]
  readonly audiences: readonly string[]
}

/** How clients prove who they are. */
export interface IdentitySettings extends TokenRules {
  /** Those of files. */
  readonly keys: readonly TokenKey[]
  /** Where more of them are; null for nowhere. */
  readonly keysUrl: string | null
  /** Those that came from there last. */
  readonly remoteKeys: readonly TokenKey[]
}

/** `alive@host` (erlang(7)). */
export interface ErlangNodeName {
  readonly alive: string
  readonly host: string
  readonly full: string
}

/** How this server is a node among Erlang nodes. */
export interface ErlangConfig {
  readonly name: ErlangNodeName
  /** The node to connect to; null to wait for those that connect. */
  readonly peer: ErlangNodeName | null
  readonly cookie: string
  /** Where nodes connect; null for the host of the name. */
  readonly listen: Address | null
  /** Milliseconds of silence after which a connection is dead. */
  readonly tickTimeMs: number
  /** The port of epmd, on every host. */
  readonly epmdPort: number
  /** Is a server that is not connected with the peer not ready? */
  readonly required: boolean
}

/** How this server is one of several nodes, which share one log in Redis. */
export interface BusConfig {
  readonly address: RedisAddress
  /** What the names of all keys begin with. */
  readonly prefix: string
  /** Is a server that is not connected with Redis not ready? */
  readonly isRequired: boolean
  /** Of this server, among the nodes. */
  readonly nodeName: string
}

/** The file of the database, unless it is named. */
export const DATABASE_DEFAULT = 'comet.db'

export interface ServerConfig extends LogSettings {
  /** Where clients open streams. */
  readonly publicAddresses: readonly Address[]
  /** Null if everyone may open the stream of every user. */
  readonly identity: IdentitySettings | null
  /**
   * May everyone who reaches the port open streams? Without it and without tokens it is for this
   * machine alone.
   */
  readonly anonymous: boolean
  /** Origins of pages that may open streams besides the port's own. */
  readonly corsOrigins: readonly string[]
  /** For TLS on the public port; null for HTTP in the clear. */
  readonly certificate: Certificate | null
  /** Loopback only, unless there is a token. */
  readonly controlAddress: Address
  /** The mode of its file, if it is a Unix socket. */
  readonly controlMode: number
  /** One of these is what requests to the control port must present; if empty, nothing. */
  readonly controlTokens: readonly ControlToken[]
  /** Names by which the control port is known besides its own, as `parseHost` writes them. */
  readonly controlHosts: readonly string[]
  /** Origins of pages that may use it besides its own. */
  readonly controlOrigins: readonly string[]
  /** Milliseconds for the next bytes of a request body there. */
  readonly bodyTimeoutMs: number
  /** Highest user id that may open a stream. */
  readonly userIdMax: number
  readonly workers: WorkersRequest
  /**
   * Streams to hold at most, split evenly among the workers; null for what the open files allow.
   */
  readonly streamsMax: number | null
  /** Streams that one client address may have open; null for any number. */
  readonly streamsPerAddressMax: number | null
  /** Streams that may be opened a second; null for any number. */
  readonly newStreamsPerSecondMax: number | null
  readonly proxies: ProxySettings
  /** The file that keeps the subscriptions, or `:memory:`. */
  readonly databasePath: string
  /** Bytes of messages that are kept for clients that come back; 0 for none. */
  readonly historyBytes: number
  /** Bytes of the latest events of the feed of connections; 0 for no feed. */
  readonly feedBytes: number
  /** What this node is called there; null for the name of the machine. */
  readonly nodeName: string | null
  /** Subjects that one user may follow. */
  readonly subscriptionsPerUserMax: number
  /** Bytes that may wait for one slow stream. */
  readonly outboxBytes: number
  /** What carries streams: the wire that costs least where it works, or sockets of Bun. */
  readonly wire: WireRequest
  readonly headTimeoutMs: number
  /** Milliseconds of silence after which a client is probed; 0 for never. */
  readonly keepaliveMs: number
  /** Milliseconds of silence before which a stream gets a sign of life; 0 for never. */
  readonly heartbeatMs: number
  /** Milliseconds between not being ready and the end of the first stream, at a stop. */
  readonly drainGraceMs: number
  /** Milliseconds over which the streams then end; null for a pace that spares other servers. */
  readonly drainMs: number | null
  /** Null to be no Erlang node. */
  readonly erlang: ErlangConfig | null
  /** Null for a server of its own. */
  readonly bus: BusConfig | null
}

/** What the server is called. */
export function nodeNameIn({ bus, nodeName }: Pick<ServerConfig, 'bus' | 'nodeName'>): string {
  return bus?.nodeName ?? nodeName ?? hostname()
}

/** What a reader of some of the settings needs. */
export interface Settings<Name extends keyof ServerConfig = keyof ServerConfig> {
  readonly current: Pick<ServerConfig, Name>
}

/** The settings of this process. Only the start and SIGHUP replace them. */
export class CurrentSettings implements Settings {
  #current: ServerConfig

  constructor(config: ServerConfig) {
    this.#current = config
  }

  get current(): ServerConfig {
    return this.#current
  }

  replace(config: ServerConfig): void {
    this.#current = config
  }
}

/**
 * A value made from the current settings, made again after each replacement. One comparison a call,
 * so that it may be read on a hot path.
 */
export function derived<Config extends object, Value>(
  settings: { readonly current: Config },
  make: (config: Config) => Value,
): () => Value {
  let from = settings.current
  let value = make(from)
  return () => {
    if (settings.current !== from) {
      from = settings.current
      value = make(from)
    }
    return value
  }
}

/** May the public port be opened? */
export function checkPublicGuard(addresses: readonly Address[], isGuarded: boolean): Result<void> {
  const open = addresses.find((address) => !isLoopback(address))
  if (isGuarded || open === undefined) return OK
  return refused(
    `anyone who reaches ${open.hostname} could read every user's messages: give a key for ` +
      "clients' tokens with --jwt-key-file, --jwt-secret-file or --jwks-url, or --anonymous to allow that",
  )
}

/** May the control port be opened? */
export function checkControlGuard(address: Address, hasToken: boolean): Result<void> {
  if (hasToken || isLoopback(address)) return OK
  return refused(
    'anyone who reaches the control port can publish, so without --control-token-file it must be on ' +
      `a loopback address like 127.0.0.1:8001, not on ${address.hostname}`,
  )
}
