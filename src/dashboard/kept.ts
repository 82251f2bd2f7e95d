// The samples that the page has, as many as the server keeps and no more, however long it stays open.
// Pure: it takes what the server answers, and knows no browser.

import { dashboardLimits } from '../core/limits.ts'
import { COLUMN_NAMES, type ColumnName, type Samples } from './columns.ts'
import type { Live } from './view.ts'

export type Span = 'seconds' | 'tens'

/** Milliseconds between two samples. */
const APART_MS: Readonly<Record<Span, number>> = {
  seconds: dashboardLimits.sampleEveryMs,
  tens: dashboardLimits.foldMs,
}

/** Samples further apart than this many steps have a gap between them, which no curve bridges. */
const GAP_STEPS = 3

type Mutable = {
  times: number[]
  values: Record<ColumnName, (number | null)[]>
}

export class Kept {
  readonly #samples: Record<Span, Mutable> = { seconds: empty(), tens: empty() }
  #startedMs = 0

  /** The time that the next question is about. */
  get sinceMs(): number {
    return this.#samples.seconds.times.at(-1) ?? 0
  }

  of(span: Span): Samples {
    return this.#samples[span]
  }

  /** Adds what is new. What was before a restart of the server stays, unless its clock went back. */
  take({ now, seconds, tens }: Live): void {
    if (now.startedMs !== this.#startedMs && now.timeMs < this.sinceMs) this.#forget()
    this.#startedMs = now.startedMs
    this.#add('seconds', seconds, dashboardLimits.secondsKept)
    this.#add('tens', tens, dashboardLimits.tensKept)
  }

  #forget(): void {
    this.#samples.seconds = empty()
    this.#samples.tens = empty()
  }

  #add(span: Span, { times, values }: Samples, keptMax: number): void {
    const kept = this.#samples[span]
    for (const [at, timeMs] of times.entries()) {
      const last = kept.times.at(-1) ?? timeMs
      if (timeMs < last || kept.times.length > 0 === (timeMs === last)) continue
      // A moment without values, which ends the curve before it and begins it again after.
      if (timeMs - last > GAP_STEPS * APART_MS[span]) push(kept, last + 1, () => null)
      push(kept, timeMs, (name) => values[name]?.[at] ?? null)
    }
    const surplus = kept.times.length - keptMax
    if (surplus <= 0) return
    kept.times.splice(0, surplus)
    for (const name of COLUMN_NAMES) kept.values[name].splice(0, surplus)
  }
}

function push(kept: Mutable, timeMs: number, of: (name: ColumnName) => number | null): void {
  kept.times.push(timeMs)
  for (const name of COLUMN_NAMES) kept.values[name].push(of(name))
}

function empty(): Mutable {
  return {
    times: [],
    values: Object.fromEntries(
      COLUMN_NAMES.map((name) => [name, []]),
    ) as unknown as Mutable['values'],
  }
}
