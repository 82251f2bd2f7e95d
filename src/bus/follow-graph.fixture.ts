// Who follows whom, as one node of a test knows it: from the items of the log, and from the sets in
// Redis when these do not tell any more.

import type { Cursor } from '../core/cursor.ts'
import type { Result } from '../core/result.ts'
import type { FollowChange } from '../log/message-log.ts'
import { busKeys } from './bus-keys.ts'

/** The sets in Redis, as `<user> <subject>`. */
export type LoadFollows = () => Promise<ReadonlySet<string>>

/** Of a bus. */
type ReadAll = () => Promise<Result<Cursor, unknown>>

export class FollowGraph {
  /** Of its node. */
  readAll: ReadAll = () => Promise.reject(new Error('it has no node'))
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
    const before = await this.readAll()
    const pairs = await this.#load().catch(() => null)
    const after = await this.readAll()
    if (load !== this.#loads) return
    const isKnown = before.ok && after.ok && before.value.epoch === after.value.epoch
    if (pairs === null || !isKnown) {
      const isClosed = !after.ok && after.why === 'closed'
      if (isClosed) return
      await new Promise((resolve) => setTimeout(resolve, 10))
      await this.#reload(load)
      return
    }
    this.pairs = new Set(pairs)
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

/** Reads the sets of a cluster; rejects while Redis is away. */
export async function followsIn(
  command: (name: string, ...args: string[]) => Promise<unknown>,
  prefix = 'comet:',
): Promise<Set<string>> {
  const beginning = busKeys(prefix).followsOf('')
  const keys = (await command('KEYS', `${beginning}*`)) as string[]
  const pairs = new Set<string>()
  for (const key of keys) {
    const subjects = await command('SMEMBERS', key)
    for (const subject of subjects as Iterable<string>) {
      pairs.add(`${key.slice(beginning.length)} ${subject}`)
    }
  }
  return pairs
}
