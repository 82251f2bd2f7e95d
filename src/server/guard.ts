// Keeps open files in reserve: decides who may open a stream, and closes the public port for a
// while when connections that never ask for anything use the files up.

import { descriptorLimits, streamLimits } from '../core/limits.ts'
import type { StreamStore } from '../stream/store.ts'
import type { Admission, Gate } from '../transport/admission.ts'
import type { Capacity } from './capacity.ts'
import type { Listener } from './listener.ts'
import type { Log } from './log.ts'

export interface GuardOptions {
  readonly capacity: Capacity
  readonly streams: StreamStore
  readonly openFiles: () => number
  readonly log: Log
}

export class Guard implements Gate {
  /** Streams refused since the start. */
  refused = 0
  draining = false

  readonly #options: GuardOptions

  constructor(options: GuardOptions) {
    this.#options = options
  }

  /** Is there no room for one more stream? */
  get full(): boolean {
    const { capacity, streams, openFiles } = this.#options
    return streams.open >= capacity.streamsMax || openFiles() >= capacity.refuseAtFiles
  }

  admit(): Admission {
    if (!this.draining && !this.full) return { admitted: true }
    this.refused++
    if (!this.draining) {
      const { open } = this.#options.streams
      this.#options.log.repeated('refused', `A stream was refused: ${open} are open, the limit.`)
    }
    return {
      admitted: false,
      reason: this.draining ? 'draining' : 'full',
      retryAfterSeconds: streamLimits.retryAfterSeconds,
    }
  }

  /** Looks after a port until the returned function is called. One timer for the whole process. */
  watch(listener: Listener): () => void {
    const timer = setInterval(() => this.check(listener), descriptorLimits.checkEveryMs)
    return () => clearInterval(timer)
  }

  /** One look: pauses or resumes the port if it must. */
  check(listener: Listener): void {
    const { capacity, openFiles, log } = this.#options
    if (this.draining) return
    const files = openFiles()
    if (!listener.paused && files >= capacity.pauseAtFiles) {
      listener.pause()
      log.warn('paused', `${files} files are open: no new connections until some are closed.`)
    } else if (listener.paused && files <= capacity.resumeAtFiles) {
      const why = listener.resume()
      if (why === null)
        log.info('resumed', `${files} files are open: connections are welcome again.`)
      else log.repeated('resume_failed', `The public port cannot be opened again: ${why}.`)
    }
  }
}
