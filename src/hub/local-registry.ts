// The registry of streams in the process with the router: a stream begins where the log is now, or
// behind what its client has missed, and nothing comes between that and its next message.

import type { LocalOutlet } from './outlet.ts'
import { ResumeQueue } from './resume-queue.ts'
import type { Resumption } from './resumption.ts'
import type { StreamStore } from './store.ts'
import type { StreamFrom, StreamRegistry } from './stream.ts'

export class LocalRegistry implements StreamRegistry {
  readonly #store: StreamStore
  readonly #outlet: Pick<LocalOutlet, 'register'>
  readonly #resumption: Pick<Resumption, 'begin'>
  readonly #queue: ResumeQueue

  constructor(
    store: StreamStore,
    outlet: Pick<LocalOutlet, 'register'>,
    resumption: Pick<Resumption, 'begin'>,
  ) {
    this.#store = store
    this.#outlet = outlet
    this.#resumption = resumption
    this.#queue = new ResumeQueue(store, (slot, from) => this.#begin(slot, from))
  }

  register(slot: number, from: StreamFrom | null): void {
    if (from === null) this.#store.register(slot)
    else this.#queue.add(slot, from)
  }

  #begin(slot: number, from: StreamFrom): void {
    const store = this.#store
    // Its client may have left while it waited.
    if (!store.isOpening(slot)) store.forget(slot)
    else {
      const [user, subjects] = [store.userOf(slot), store.subjectsOf(slot)]
      this.#outlet.register(slot, this.#resumption.begin(user, subjects, from))
    }
    this.#queue.onBegun(from)
  }

  drain(): void {
    for (const slot of this.#queue.drain()) {
      if (this.#store.isOpening(slot)) this.#store.endOpening(slot)
      else this.#store.forget(slot)
    }
  }
}
