// Counts what is lost in the kernel with streams that are cut as slow.

import type { SendQueues } from '../os/sockets.ts'

export class Unacknowledged {
  /**
   * Bytes of cut streams that the kernel had taken and the client's machine had not acknowledged.
   */
  bytes = 0
  /** Cut streams whose bytes are not known. */
  unmeasured = 0
  readonly #queues: SendQueues | null

  /** @param queues null on a system where the kernel cannot be asked */
  constructor(queues: SendQueues | null) {
    this.#queues = queues
  }

  /** The stream with this descriptor is about to be cut. */
  beforeCut(descriptor: number): void {
    const bytes = this.#queues?.bytes(descriptor) ?? null
    if (bytes === null) this.unmeasured++
    else this.bytes += bytes
  }
}
