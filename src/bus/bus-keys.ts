// The keys in Redis of one cluster.

export interface BusKeys {
  readonly log: string
  readonly state: string
  originOf(origin: string): string
  /** Of the key of a message, by its hash. */
  keyOf(hash: string): string
  /** Of the subjects that a user follows, as text; no other key begins so. */
  followsOf(user: string): string
  /** All members, and their version. */
  readonly members: string
  /** Exists while the node sends its heartbeats. */
  nodeOf(origin: string): string
  inboxOf(origin: string): string
  /** Since when each user's tokens are valid. */
  readonly revoked: string
  ticketOf(ticket: string): string
  /** Of the connections of all nodes, opened and closed. */
  readonly feed: string
  readonly feedState: string
  /** Nodes that have connections there, by origin. */
  readonly feedNodes: string
  /** Those of a node that are open, as the feed has told. */
  connectedOf(origin: string): string
  /** Who removes those of a node that is no more. */
  feedClaimOf(origin: string): string
}

/** @param prefix separates the keys of several clusters on one Redis */
export function busKeys(prefix: string): BusKeys {
  return {
    log: `${prefix}log`,
    state: `${prefix}log:state`,
    originOf: (origin) => `${prefix}log:origin:${origin}`,
    keyOf: (hash) => `${prefix}log:key:${hash}`,
    // So short that it takes 16 bytes for a million users: 145 MiB in all instead of 159.
    followsOf: (user) => `${prefix}f:${user}`,
    members: `${prefix}nodes`,
    nodeOf: (origin) => `${prefix}node:${origin}`,
    inboxOf: (origin) => `${prefix}inbox:${origin}`,
    revoked: `${prefix}revoked`,
    ticketOf: (ticket) => `${prefix}ticket:${ticket}`,
    feed: `${prefix}feed`,
    feedState: `${prefix}feed:state`,
    feedNodes: `${prefix}feed:nodes`,
    connectedOf: (origin) => `${prefix}connected:${origin}`,
    feedClaimOf: (origin) => `${prefix}feed:claim:${origin}`,
  }
}
