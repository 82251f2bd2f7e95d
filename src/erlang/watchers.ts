// The processes of one node that watch comet, by a monitor or by a link, so that each can be told when
// comet ends. What they watch is comet itself: each of its names, and its one process.

import { erlangLimits } from '../core/limits.ts'

export interface Watcher {
  /** The name or process that it watches, as a term. */
  readonly watched: Uint8Array
  /** Itself, as a term. */
  readonly by: Uint8Array
  /** Of a monitor; null for a link. */
  readonly reference: Uint8Array | null
}

export class Watchers {
  /** By the reference of a monitor, by the process of a link: a process is linked once only. */
  readonly #all = new Map<string, Watcher>()

  get count(): number {
    return this.#all.size
  }

  /** Answers false if there are as many as there may be, or it is too large. Keeps copies. */
  add({ watched, by, reference }: Watcher): boolean {
    const bytes = watched.length + by.length + (reference?.length ?? 0)
    if (bytes > erlangLimits.watcherBytesMax) return false
    if (this.#all.size >= erlangLimits.watchersMax) return false
    this.#all.set(keyOf(reference ?? by), {
      watched: watched.slice(),
      by: by.slice(),
      reference: reference?.slice() ?? null,
    })
    return true
  }

  /** @param term the reference of a monitor, or the process of a link */
  remove(term: Uint8Array): void {
    this.#all.delete(keyOf(term))
  }

  /** Forgets all, and answers them. */
  takeAll(): Watcher[] {
    const all = [...this.#all.values()]
    this.#all.clear()
    return all
  }
}

/** Bytes as a text that differs when they do. */
function keyOf(term: Uint8Array): string {
  return Buffer.from(term.buffer, term.byteOffset, term.byteLength).toString('latin1')
}
