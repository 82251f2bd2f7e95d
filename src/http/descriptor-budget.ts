// The budget of open files of one process: whether there is room for a stream, and when a port must
// stop accepting for a while, since connections that send no request use the files up.

import type { Capacity } from '../core/capacity.ts'
import { type Clock, togetherMs } from '../core/clock.ts'
import { clockLimits, descriptorLimits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import type { PausablePort } from '../hub/host.ts'
import { ReservedDescriptors } from '../os/descriptors.ts'

export interface DescriptorBudgetOptions {
  readonly capacity: Capacity
  /** How many streams are open, or about to be. */
  readonly streams: () => number
  readonly openFiles: () => number
  readonly log: Log
  readonly clock: Clock
}

/** A worker has only a public port, its parent only a control port. */
export interface Ports {
  readonly public: PausablePort | null
  readonly control: PausablePort | null
}

export class DescriptorBudget {
  draining = false
  /** Were open files short at the last check? */
  short = false

  readonly #options: DescriptorBudgetOptions
  readonly #reserved = new ReservedDescriptors()
  /** Open files at the last check. */
  #filesSeen = 0
  /** Streams that may be admitted before open files must be counted again. */
  #spare = 0
  /** Connections that may be accepted before that. */
  #unlooked = 0

  constructor(options: DescriptorBudgetOptions) {
    this.#options = options
  }

  /** Is there no room for one more stream? */
  get full(): boolean {
    const { capacity, streams } = this.#options
    return streams() >= capacity.streamsMax || this.filesInUse >= capacity.refuseAtFiles
  }

  /**
   * Like `full`, but files are counted once for several streams while there are plenty, since
   * counting takes a system call. Connections that send no request are found by the watch. Hot
   * path: once a stream that is opened.
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

  /** Open files, without those held in reserve. */
  get filesInUse(): number {
    return this.#options.openFiles() - this.#reserved.count
  }

  /** Streams that are open, or about to be. */
  get streams(): number {
    return this.#options.streams()
  }

  /** Why no stream may be opened now, or null. */
  refusal(): 'full' | 'draining' | null {
    if (this.draining) return 'draining'
    return this.#hasRoom() ? null : 'full'
  }

  /**
   * Checks the ports that this process has until the returned function is called. One timer.
   */
  watch(ports: Ports): () => void {
    this.#reserved.hold(this.#options.capacity.reservedFiles)
    let timer: Timer
    const later = () => {
      timer = setTimeout(look, togetherMs(this.#options.clock, this.#waitMs(), clockLimits.gridMs))
    }
    const look = () => {
      if (ports.public !== null) this.check(ports.public)
      if (ports.control !== null) this.checkControl(ports.control)
      later()
    }
    later()
    return () => {
      clearTimeout(timer)
      this.#reserved.release()
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

  /**
   * The public port has accepted a connection: between two looks of the watch it may accept
   * hundreds, all of them silent. Hot path: once a connection.
   */
  accepted(port: PausablePort): void {
    if (--this.#unlooked > 0) return
    this.check(port)
    const left = this.#options.capacity.pauseAtFiles - this.filesInUse
    const { uncountedMax, uncountedRatio } = descriptorLimits
    this.#unlooked = Math.min(uncountedMax, Math.floor(left * uncountedRatio))
  }

  /** Pauses or resumes the public port if it must. */
  check(port: PausablePort): void {
    const { pauseAtFiles, resumeAtFiles } = this.#options.capacity
    this.#check(port, 'public', pauseAtFiles, resumeAtFiles)
  }

  /** The same for the control port, which is the last to close. */
  checkControl(port: PausablePort): void {
    const { pauseControlAtFiles, resumeControlAtFiles } = this.#options.capacity
    this.#check(port, 'control', pauseControlAtFiles, resumeControlAtFiles)
  }

  #check(port: PausablePort, name: string, pauseAtFiles: number, resumeAtFiles: number): void {
    const { capacity, log } = this.#options
    if (this.draining) return
    const files = this.filesInUse
    this.short = files >= capacity.refuseAtFiles
    if (this.short) this.#spare = 0
    if (!port.paused && files >= pauseAtFiles) {
      port.pause()
      this.#reserved.release()
      log.warn('paused', `${files} files are open: no new connections to the ${name} port for now.`)
    } else if (port.paused && files <= resumeAtFiles) {
      const resumed = port.resume()
      if (!resumed.ok) {
        log.repeated('resume_failed', `The ${name} port cannot be opened again: ${resumed.why}.`)
        return
      }
      if (name === 'public') this.#reserved.hold(capacity.reservedFiles)
      log.info('resumed', `${files} files are open: the ${name} port takes connections again.`)
    }
  }
}
