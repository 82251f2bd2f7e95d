// The samples of the last hour, in memory that does not grow: every second of the last ten minutes,
// and every ten seconds of the hour. The server keeps them, and a page keeps a copy of what it has
// got. Pure.

import { dashboardLimits } from '../core/limits.ts'
import { foldSamples, SampleRing } from '../report/samples.ts'
import { COLUMN_NAMES, COLUMNS, type ColumnName, type Sample, type Samples } from './columns.ts'

const { secondsKept, tensKept, sampleEveryMs, foldMs } = dashboardLimits

/** The server's samples. */
export class History {
  readonly seconds = new SampleRing(COLUMN_NAMES, secondsKept)
  readonly tens = new SampleRing(COLUMN_NAMES, tensKept)
  /** The samples of the ten seconds that are not over yet. */
  #unfolded: { timeMs: number; sample: Sample }[] = []

  push(timeMs: number, sample: Sample): void {
    const rounded = roundedSample(sample)
    const first = this.#unfolded[0]
    if (first !== undefined && Math.floor(first.timeMs / foldMs) !== Math.floor(timeMs / foldMs)) {
      this.#fold()
    }
    this.#unfolded.push({ timeMs, sample: rounded })
    this.seconds.push(timeMs, rounded)
  }

  /** Has the time of the last second in it, so that it is never ahead of the clock. */
  #fold(): void {
    const samples = this.#unfolded.map(({ sample }) => sample)
    const timeMs = this.#unfolded.at(-1)?.timeMs ?? 0
    this.tens.push(timeMs, roundedSample(foldSamples(samples, COLUMNS)))
    this.#unfolded = []
  }
}

function sampleWith(get: (name: ColumnName) => number | null): Sample {
  return Object.fromEntries(COLUMN_NAMES.map((name) => [name, get(name)])) as Sample
}

/** With no more digits than a chart can show: an hour of samples is sent as text. */
function roundedSample(sample: Sample): Sample {
  return sampleWith((name) => {
    const value = sample[name]
    if (value === null) return null
    return Math.abs(value) >= 1_000 ? Math.round(value) : Number(value.toPrecision(4))
  })
}

export type Span = 'seconds' | 'tens'

/** Samples further apart than this many steps have a gap between them, which no curve bridges. */
const GAP_STEPS = 3

/** What the server answers of its samples. */
export interface NewSamples {
  readonly now: { readonly startedMs: number; readonly timeMs: number }
  readonly seconds: Samples
  readonly tens: Samples
}

/** The page's samples: as many as the server keeps, however long the page stays open. */
export class PageHistory {
  readonly #rings = {
    seconds: new SampleRing(COLUMN_NAMES, secondsKept),
    tens: new SampleRing(COLUMN_NAMES, tensKept),
  }
  #startedMs = 0

  /** The time after which samples are to be asked for. */
  get sinceMs(): number {
    return this.#rings.seconds.newestMs ?? 0
  }

  of(span: Span): Samples {
    return this.#rings[span].since(0)
  }

  /**
   * Adds what is new. Samples from before a restart of the server stay, unless its clock went back.
   */
  take({ now, seconds, tens }: NewSamples): void {
    if (now.startedMs !== this.#startedMs && now.timeMs < this.sinceMs) {
      this.#rings.seconds.clear()
      this.#rings.tens.clear()
    }
    this.#startedMs = now.startedMs
    this.#add('seconds', seconds, sampleEveryMs)
    this.#add('tens', tens, foldMs)
  }

  #add(span: Span, { times, values }: Samples, stepMs: number): void {
    const ring = this.#rings[span]
    for (const [at, timeMs] of times.entries()) {
      const newestMs = ring.newestMs ?? 0
      if (timeMs <= newestMs) continue
      // A moment without values, which ends the curve before it.
      if (newestMs > 0 && timeMs - newestMs > GAP_STEPS * stepMs) {
        ring.push(
          newestMs + 1,
          sampleWith(() => null),
        )
      }
      // A server of another version may not have all figures.
      ring.push(
        timeMs,
        sampleWith((name) => values[name]?.[at] ?? null),
      )
    }
  }
}
