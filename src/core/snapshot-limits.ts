// The bounds of the snapshot of subscriptions beside a database, with their units and reasons.

const MIB = 1024 * 1024

export const snapshotLimits = {
  /** Subscriptions and names together, below which there is none: to read them from the database
   * takes about 30 ms. */
  rowsMin: 100_000,
  /** Bytes of a database that are read and hashed at a time: they stay in the caches of the CPU. */
  chunkBytes: 1 * MIB,
  /** Bytes of a snapshot, more than it has with as many subscriptions as can be loaded. */
  bytesMax: 4_096 * MIB,
} as const

export type SnapshotLimits = { readonly [Name in keyof typeof snapshotLimits]: number }
