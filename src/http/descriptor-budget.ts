// Keeps open files in reserve: says when there is room for a stream, and stops accepting for a while when
// connections that never ask for anything use the files up.

import { type Clock, togetherMs } from '../core/clock.ts'
import { clockLimits, descriptorLimits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import { ReservedDescriptors } from '../os/descriptors.ts'
import type { Capacity } from './capacity.ts'
import type { Listener } from './listener.ts'

export interface DescriptorBudgetOptions {
  readonly capacity: Capacity
  /** How many streams are open, or about to be. */
  readonly streams: () => number
  readonly openFiles: () => number
  readonly log: Log
  readonly clock: Clock
}

/** A worker has only the one, its parent only the other. */
export interface Ports {
  readonly open: Listener | null
  readonly control: Listener | null
}

export class DescriptorBudget {
  draining = false
  /** Were open files short at the last look? */
  short = false

  readonly #options: DescriptorBudgetOptions
  readonly #held = new ReservedDescriptors()
  /** Open files at the last look. */
  #filesSeen = 0
  /** Streams that may be admitted before open files must be counted again. */
  #spare = 0

  constructor(options: DescriptorBudgetOptions) {
    this.#options = options
  }

  /** Is there no room for one more stream? */
  get full(): boolean {
    const { capacity, streams } = this.#options
    return streams() >= capacity.streamsMax || this.filesInUse >= capacity.refuseAtFiles
  }

  /**
   * The same, but files are counted once for several streams while there are plenty: counting them
   * costs as much as a system call that does something. Connections that ask for nothing are the
   * watch's to find. Hot path: once a stream that comes.
   */
  #hasRoom(): boolean {
    const { capacity, streams } = this.#options
    if (this.#spare > 0 && streams() < capacity.streamsMax) {
      this.#spare--
      return true
    }
    if (this.full) return false
    const { uncountedMax, uncountedRatio } = descriptorLimits
    const left = capacity.refuseAtFiles - this.filesInUse
    this.#spare = Math.min(uncountedMax, Math.floor(left * uncountedRatio))
    return true
  }

  /** Open files, without those that are only held back. */
  get filesInUse(): number {
    return this.#options.openFiles() - this.#held.count
  }

  /** Why no stream may be opened now, or null. */
  shut(): 'full' | 'draining' | null {
    if (this.draining) return 'draining'
    if (this.#hasRoom()) return null
    const open = this.#options.streams()
    this.#options.log.repeated('refused', `A stream was refused: ${open} are open, the limit.`)
    return 'full'
  }

  /**
   * Looks after the ports that this process has until the returned function is called. One timer
   * for the process.
   */
  watch(ports: Ports): () => void {
    this.#held.hold(this.#options.capacity.reservedFiles)
    let timer: Timer
    const later = () => {
      timer = setTimeout(look, togetherMs(this.#options.clock, this.#waitMs(), clockLimits.gridMs))
    }
    const look = () => {
      if (ports.open !== null) this.check(ports.open)
      if (ports.control !== null) this.checkControl(ports.control)
      later()
    }
    later()
    return () => {
      clearTimeout(timer)
      this.#held.release()
    }
  }

  /** Until the next look: less, the fewer files are left before something must be done, and while
   * their number changes; a hundred idle workers that looked twenty times a second would cost a
   * fifth of a core. */
  #waitMs(): number {
    const { checkEveryMs, checkQuietEveryMs, checkEveryMsMax, acceptedPerMsMax } = descriptorLimits
    const files = this.filesInUse
    const leastMs = files === this.#filesSeen ? checkQuietEveryMs : checkEveryMs
    this.#filesSeen = files
    const left = this.#options.capacity.refuseAtFiles - files
    return Math.min(checkEveryMsMax, Math.max(leastMs, left / acceptedPerMsMax))
  }

  /** One look at the public port: pauses or resumes it if it must. */
  check(listener: Listener): void {
    const { pauseAtFiles, resumeAtFiles } = this.#options.capacity
    this.#check(listener, 'public', pauseAtFiles, resumeAtFiles)
  }

  /** One look at the control port, which is the last to close. */
  checkControl(listener: Listener): void {
    const { pauseControlAtFiles, resumeControlAtFiles } = this.#options.capacity
    this.#check(listener, 'control', pauseControlAtFiles, resumeControlAtFiles)
  }

  #check(listener: Listener, name: string, pauseAtFiles: number, resumeAtFiles: number): void {
    const { capacity, log } = this.#options
    if (this.draining) return
    const files = this.filesInUse
    this.short = files >= capacity.refuseAtFiles
    if (this.short) this.#spare = 0
    if (!listener.paused && files >= pauseAtFiles) {
      listener.pause()
      this.#held.release()
      log.warn('paused', `${files} files are open: no new connections to the ${name} port for now.`)
    } else if (listener.paused && files <= resumeAtFiles) {
      const why = listener.resume()
      if (why !== null) {
        log.repeated('resume_failed', `The ${name} port cannot be opened again: ${why}.`)
        return
      }
      if (name === 'public') this.#held.hold(capacity.reservedFiles)
      log.info('resumed', `${files} files are open: the ${name} port takes connections again.`)
    }
  }
}
