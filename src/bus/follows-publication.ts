// The outcome of subscription changes that were made together, as one result.

import { type Result, refused, success } from '../core/result.ts'
import type { Publication, PublishRefusal } from '../log/message-bus.ts'

export class FollowsPublication implements Publication {
  /** The number of changes in the log; set before it is accepted. */
  changed = 0
  readonly #resolve: (result: Result<number, PublishRefusal>) => void

  /** @param resolve is called once, with the number of changes that changed something */
  constructor(resolve: (result: Result<number, PublishRefusal>) => void) {
    this.#resolve = resolve
  }

  onAccepted(): void {
    this.#resolve(success(this.changed))
  }

  /** None of them changed anything. */
  onRepeated(): void {
    this.#resolve(success(0))
  }

  onRefused(why: PublishRefusal): void {
    this.#resolve(refused(why))
  }

  /** Not sent to streams. */
  settle(): void {
    // Empty.
  }

  late(): void {
    // Empty.
  }
}
