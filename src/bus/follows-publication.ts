// What becomes of changes of who follows whom that were made together, as one answer.

import { type Result, refused, success } from '../core/result.ts'
import type { Publication, PublishRefusal } from '../log/message-bus.ts'

export class FollowsPublication implements Publication {
  /** Changes that are in the log: told before it is accepted. */
  changed = 0
  readonly #resolve: (result: Result<number, PublishRefusal>) => void

  /** @param resolve is called once, with how many have changed something */
  constructor(resolve: (result: Result<number, PublishRefusal>) => void) {
    this.#resolve = resolve
  }

  onAccepted(): void {
    this.#resolve(success(this.changed))
  }

  /** All was so before. */
  onRepeated(): void {
    this.#resolve(success(0))
  }

  onRefused(why: PublishRefusal): void {
    this.#resolve(refused(why))
  }

  /** No stream gets it. */
  settle(): void {
    // Empty.
  }

  late(): void {
    // Empty.
  }
}
