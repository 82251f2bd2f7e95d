// What keeps a log in its file besides its entries: the stamp of who follows whom, and the newest
// entry of each chain, which is written now and then.

import type { HistoryLimits } from '../core/history-limits.ts'
import { codeOrThrow } from '../core/system-error.ts'
import type { BegunChange } from './begun-change.ts'
import { type HeadsOf, HeadsSnapshot, writeHeads } from './kept-heads.ts'
import type { LogFile } from './log-file.ts'
import type { LogStore } from './ring-log.ts'

export class FileStore implements LogStore {
  readonly stamp: number | null
  readonly begun: BegunChange | null
  readonly #file: LogFile
  readonly #of: HeadsOf
  readonly #limits: HistoryLimits
  #snapshot: HeadsSnapshot | null = null
  /** The first entry that the file of heads does not have. */
  #keptFrom: number

  /** @param keptFrom null if there is no file of heads */
  constructor(file: LogFile, of: HeadsOf, limits: HistoryLimits, keptFrom: number | null) {
    this.#limits = limits
    this.stamp = file.header.stamp
    this.begun = file.header.begun
    this.#file = file
    this.#of = of
    this.#keptFrom = keptFrom ?? 0
  }

  setStamp(stamp: number): void {
    this.#file.header.setStamp(stamp)
  }

  setBegun(change: BegunChange | null): void {
    this.#file.header.setBegun(change)
  }

  /**
   * The file counts as long as the window has all entries since then: another is begun when half of
   * the window is newer.
   */
  get #isDue(): boolean {
    const { ring } = this.#of
    const isFilling = ring.keptBytes * 2 > ring.bytes.length
    return isFilling && (ring.next - this.#keptFrom) * 2 >= ring.next - ring.oldest
  }

  maintain(): boolean {
    try {
      if (this.#snapshot !== null) this.#step(this.#snapshot)
      else if (this.#isDue) this.#snapshot = new HeadsSnapshot(this.#of)
    } catch (error) {
      codeOrThrow(error)
      this.#abandon()
      // As when the disk is full: not at once again.
      this.#keptFrom = this.#of.ring.next
    }
    return this.#snapshot !== null
  }

  #step(snapshot: HeadsSnapshot): void {
    const state = snapshot.step(this.#limits.headPlacesPerStep)
    if (state === 'more') return
    if (state === 'over') {
      snapshot.finish(false)
      this.#keptFrom = snapshot.from
    } else snapshot.abandon()
    this.#snapshot = null
  }

  #abandon(): void {
    this.#snapshot?.abandon()
    this.#snapshot = null
  }

  close(): void {
    this.#abandon()
    writeHeads(this.#of)
    this.#file.close()
  }
}
