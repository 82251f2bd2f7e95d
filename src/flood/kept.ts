// The samples of a flood that its page draws, as plain numbers, and never more than a page needs: in a
// long run each of them stands for several seconds. Histograms are not kept; the totals have them.

import { viewLimits } from '../core/tool-limits.ts'
import { type Kinds, merged, mergedEach } from '../report/downsample.ts'
import type { FloodSample } from './sample.ts'

/** Totals so far, and the latency since the sample before: of several, the slowest. */
export interface KeptSample {
  readonly seconds: number
  readonly open: number
  readonly opened: number
  readonly failed: number
  readonly closed: number
  readonly messages: number
  readonly bytes: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly p999Ms: number | null
  readonly maxMs: number | null
}

const KINDS: Kinds = {
  peaks: new Set(['p50Ms', 'p99Ms', 'p999Ms', 'maxMs']),
  totals: new Set(['seconds', 'open', 'opened', 'failed', 'closed', 'messages', 'bytes']),
}

export class KeptSamples {
  readonly #most: number
  #full: KeptSample[] = []
  /** Those that will be one when they are enough. */
  #waiting: KeptSample[] = []
  /** Samples that become one. */
  #each = 1

  /** @param most an even number */
  constructor(most: number = viewLimits.samplesMax) {
    this.#most = most
  }

  hear({ seconds, open, connections, received, latency }: FloodSample): void {
    const { messages, bytes } = received
    this.#waiting.push({ seconds, open, ...connections, messages, bytes, ...latency })
    if (this.#waiting.length < this.#each) return
    this.#full.push(...mergedEach(this.#waiting, this.#each, KINDS))
    this.#waiting = []
    if (this.#full.length < this.#most) return
    this.#full = mergedEach(this.#full, 2, KINDS)
    this.#each *= 2
  }

  get list(): readonly KeptSample[] {
    const [first, ...others] = this.#waiting
    return first === undefined ? this.#full : [...this.#full, merged([first, ...others], KINDS)]
  }
}
