// The subscriptions that one node of a test knows: from the items of the log, and from the sets in
// Redis when the items alone no longer tell them.

import type { Cursor } from '../core/cursor.ts'
import type { FollowChange } from '../log/message-log.ts'
import { busKeys } from './bus-keys.ts'
import { compareCursors, parseId } from './stream-entry.ts'

/** The sets in Redis, as `<user> <subject>`, and where the log is after that. */
export interface LoadedFollows {
  readonly pairs: ReadonlySet<string>
  readonly top: Cursor
}

/** Rejects while Redis is away. */
export type LoadFollows = () => Promise<LoadedFollows>

export class FollowGraph {
  /** How far its node has read the log. */
  readUpTo: () => Cursor = () => ({ epoch: 0, number: 0 })
  pairs = new Set<string>()
  readonly #load: LoadFollows
  /** Changes since it began to load; null if it knows all. */
  #since: FollowChange[] | null = null
  #loading = Promise.resolve()
  #loads = 0

  constructor(load: LoadFollows) {
    this.#load = load
  }

  /** Settles when it knows all. */
  async known(): Promise<void> {
    await this.#loading
  }

  onChange(change: FollowChange): void {
    this.#since?.push(change)
    if (this.#since === null) this.#apply(change)
  }

  onLost(): void {
    this.#since = []
    const load = ++this.#loads
    this.#loading = this.#loading.then(() => this.#reload(load))
  }

  async #reload(load: number): Promise<void> {
    // Only the newest one counts.
    if (load !== this.#loads) return
    this.#since = []
    const loaded = await this.#load().catch(() => null)
    while (loaded !== null && compareCursors(this.readUpTo(), loaded.top) < 0) {
      await pass()
      if (load !== this.#loads) return
    }
    if (load !== this.#loads) return
    if (loaded === null || this.readUpTo().epoch !== loaded.top.epoch) {
      await pass()
      await this.#reload(load)
      return
    }
    this.pairs = new Set(loaded.pairs)
    for (const change of this.#since ?? []) this.#apply(change)
    this.#since = null
  }

  #apply(change: FollowChange): void {
    if (change.follows) this.pairs.add(pairOf(change))
    else this.pairs.delete(pairOf(change))
  }
}

function pairOf({ user, subject }: FollowChange): string {
  return `${user.name ?? user.id} ${subject.name ?? subject.id}`
}

function pass(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5))
}

/** Reads the sets of a cluster on one connection. */
export async function followsIn(url: string, prefix = 'comet:'): Promise<LoadedFollows> {
  const keys = busKeys(prefix)
  const client = new Bun.RedisClient(url, { autoReconnect: false, connectionTimeout: 1_000 })
  try {
    await client.connect()
    const pairs = new Set<string>()
    for (const key of (await client.send('KEYS', [keys.followsOf('*')])) as string[]) {
      const user = key.slice(keys.followsOf('').length)
      const subjects = (await client.send('SMEMBERS', [key])) as Iterable<string>
      for (const subject of subjects) pairs.add(`${user} ${subject}`)
    }
    const info = (await client.send('XINFO', ['STREAM', keys.log])) as Record<string, unknown>
    const top = parseId(info['last-generated-id'])
    if (top === null) throw new Error('the log has no last entry')
    return { pairs, top }
  } finally {
    client.close()
  }
}
