// Who follows whom, as one node of a test knows it: from the items of the log, and from the sets in
// Redis when these do not tell any more.

import type { FollowChange } from '../log/message-log.ts'

/** The sets in Redis, as `<user> <subject>`. */
export type LoadFollows = () => Promise<ReadonlySet<string>>

export class FollowGraph {
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
    const pairs = await this.#load().catch(() => null)
    if (load !== this.#loads) return
    if (pairs === null) {
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
  const beginning = `${prefix}follows:`
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
