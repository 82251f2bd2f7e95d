// Settings for tests: those of a server without options, on loopback and any port, except what a
// test names.

import {
  CurrentSettings,
  type IdentitySettings,
  type ServerConfig,
  type TokenKey,
} from './settings.ts'

const ANY_PORT = { hostname: '127.0.0.1', port: 0 }

export const CONFIG: ServerConfig = {
  publicAddresses: [ANY_PORT],
  identity: null,
  anonymous: false,
  corsOrigins: [],
  certificate: null,
  controlAddress: ANY_PORT,
  controlMode: 0o600,
  controlTokens: [],
  controlHosts: [],
  controlOrigins: [],
  bodyTimeoutMs: 30_000,
  userIdMax: 1_000_000,
  workers: { count: 1 },
  streamsMax: null,
  streamsPerAddressMax: null,
  newStreamsPerSecondMax: null,
  proxies: { trusted: [], header: 'X-Forwarded-For' },
  historyBytes: 0,
  feedBytes: 0,
  nodeName: null,
  heartbeatMs: 0,
  databasePath: ':memory:',
  subscriptionsPerUserMax: 1_000_000,
  outboxBytes: 65_536,
  wire: 'auto',
  headTimeoutMs: 10_000,
  keepaliveMs: 0,
  drainGraceMs: 0,
  drainMs: 0,
  logLevel: 'info',
  logFormat: null,
  erlang: null,
  bus: null,
}

/** Clients need a token that one of these keys has signed. */
export function identityOf(...keys: TokenKey[]): IdentitySettings {
  return { keys, keysUrl: null, remoteKeys: [], issuers: [], audiences: [] }
}

export function settingsOf(others: Partial<ServerConfig> = {}): CurrentSettings {
  return new CurrentSettings({ ...CONFIG, ...others })
}
