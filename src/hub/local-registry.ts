// The registry of streams in the process with the router: a stream begins where the log is now, or
// behind what its client has missed, and nothing comes between that and its next message.

import { refused } from '../core/result.ts'
import type { NameTable } from '../subscriptions/name-table.ts'
import type { LocalOutlet } from './outlet.ts'
import { ResumeQueue } from './resume-queue.ts'
import type { Resumption } from './resumption.ts'
import type { StreamStore } from './store.ts'
import type { StreamFrom, StreamRegistry } from './stream.ts'
import { changeSubjects, idsOf, type SubjectsChange } from './subject-changes.ts'

/** What a registry needs of the router. */
export interface RouterParts {
  readonly resumption: Pick<Resumption, 'begin' | 'cursor' | 'settledFor'>
  readonly names: Pick<NameTable, 'intern' | 'idOf'>
}

export class LocalRegistry implements StreamRegistry {
  readonly #store: StreamStore
  readonly #outlet: Pick<LocalOutlet, 'register' | 'inOrder'>
  readonly #router: RouterParts
  readonly #queue: ResumeQueue
  #isDrained = false

  constructor(
    store: StreamStore,
    outlet: Pick<LocalOutlet, 'register' | 'inOrder'>,
    router: RouterParts,
  ) {
    this.#store = store
    this.#outlet = outlet
    this.#router = router
    this.#queue = new ResumeQueue(store, (...stream) => this.#beginSettled(...stream))
  }

  register(slot: number, from: StreamFrom | null): void {
    if (from === null) this.#store.register(slot)
    else this.#queue.add(slot, from)
  }

  #beginSettled(slot: number, from: StreamFrom, isLate: boolean): void {
    const settled = isLate ? null : this.#router.resumption.settledFor(from)
    if (settled === null) {
      this.#begin(slot, from)
      return
    }
    // It takes no room meanwhile: others, of which this server knows all, need not wait for it.
    this.#queue.onBegun(from)
    settled.then((isSettled) => this.#beginLater(slot, from, !isSettled))
  }

  #beginLater(slot: number, from: StreamFrom, isLate: boolean): void {
    if (!this.#isDrained) this.#queue.add(slot, from, isLate)
    else if (this.#store.isOpening(slot)) this.#store.endOpening(slot)
    else this.#store.forget(slot)
  }

  #begin(slot: number, from: StreamFrom): void {
    const store = this.#store
    // Its client may have left while it waited.
    if (!store.isOpening(slot)) store.forget(slot)
    else {
      const [user, subjects] = [store.userOf(slot), store.subjectsOf(slot)]
      this.#outlet.register(slot, this.#router.resumption.begin(user, subjects, from))
    }
    this.#queue.onBegun(from)
  }

  change(change: SubjectsChange): void {
    const { names, resumption } = this.#router
    const ids = idsOf(names, change)
    const { cursor } = resumption
    if (ids === null) change.done(refused('too_many_names'))
    else this.#outlet.inOrder(() => changeSubjects(this.#store, change, ids, cursor))
  }

  drain(): void {
    this.#isDrained = true
    for (const slot of this.#queue.drain()) {
      if (this.#store.isOpening(slot)) this.#store.endOpening(slot)
      else this.#store.forget(slot)
    }
  }
}
