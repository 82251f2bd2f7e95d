// The keys in Redis of one cluster.

export interface BusKeys {
  readonly log: string
  readonly state: string
  originOf(origin: string): string
  /** The key of a message, by its hash. */
  keyOf(hash: string): string
  /** The subjects that a user follows; no other key begins with the same prefix. */
  followsOf(user: string): string
  /** All members, and their version. */
  readonly members: string
  /** Exists while the node sends its heartbeats. */
  nodeOf(origin: string): string
  inboxOf(origin: string): string
  /** Since when each user's tokens are valid. */
  readonly revoked: string
  ticketOf(ticket: string): string
  /** The events of the shared feed: connections of all nodes, opened and closed. */
  readonly feed: string
  readonly feedState: string
  /** Nodes that have connections in the feed, by origin. */
  readonly feedNodes: string
  /** The open connections of a node, as told by the feed. */
  connectedOf(origin: string): string
  /** The node that removes the connections of a node that has ended. */
  feedClaimOf(origin: string): string
}

/** @param prefix separates the keys of several clusters on one Redis */
export function busKeys(prefix: string): BusKeys {
  return {
    log: `${prefix}log`,
    state: `${prefix}log:state`,
    originOf: (origin) => `${prefix}log:origin:${origin}`,
    keyOf: (hash) => `${prefix}log:key:${hash}`,
    // Short, so that the key of any of a million users fits in 16 bytes: 145 MiB instead of 159.
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
