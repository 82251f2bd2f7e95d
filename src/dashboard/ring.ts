// Samples of the last while, in memory that is taken once and never grows: seconds for minutes, and ten
// seconds, each folded from them, for the hour. Pure: times are arguments.

import { dashboardLimits } from '../core/limits.ts'
import { COLUMN_NAMES, COLUMNS, type ColumnName, type Sample, type Samples } from './columns.ts'

const { secondsKept, tensKept, foldMs } = dashboardLimits
const WIDTH = COLUMN_NAMES.length

/** The newest samples, up to as many as there is room for. */
export class Ring {
  length = 0
  readonly #capacity: number
  readonly #times: Float64Array
  /** A row for each sample; NaN stands for null. */
  readonly #values: Float64Array
  /** The row that is written next, over the oldest. */
  #next = 0

  constructor(capacity: number) {
    this.#capacity = capacity
    this.#times = new Float64Array(capacity)
    this.#values = new Float64Array(capacity * WIDTH)
  }

  push(timeMs: number, sample: Sample): void {
    this.#times[this.#next] = timeMs
    const row = this.#next * WIDTH
    for (const [at, name] of COLUMN_NAMES.entries()) {
      this.#values[row + at] = sample[name] ?? Number.NaN
    }
    this.#next = (this.#next + 1) % this.#capacity
    this.length = Math.min(this.length + 1, this.#capacity)
  }

  /** The samples that are newer, oldest first. */
  since(timeMs: number): Samples {
    const rows = this.#rows().filter((row) => (this.#times[row] as number) > timeMs)
    const columns = COLUMN_NAMES.map((name, at) => [name, rows.map((row) => this.#value(row, at))])
    return {
      times: rows.map((row) => this.#times[row] as number),
      values: Object.fromEntries(columns) as Samples['values'],
    }
  }

  /** The values of one figure in the newest samples, so many at most, oldest first. */
  last(name: ColumnName, count: number): number[] {
    const at = COLUMN_NAMES.indexOf(name)
    return this.#rows()
      .slice(-count)
      .map((row) => this.#value(row, at))
      .filter((value) => value !== null)
  }

  #rows(): number[] {
    const first = this.#next - this.length + this.#capacity
    return Array.from({ length: this.length }, (_, at) => (first + at) % this.#capacity)
  }

  #value(row: number, at: number): number | null {
    const value = this.#values[row * WIDTH + at] as number
    return Number.isNaN(value) ? null : value
  }
}

/** Both rings, the second fed by the first. */
export class History {
  readonly seconds = new Ring(secondsKept)
  readonly tens = new Ring(tensKept)
  /** The samples of the ten seconds that are not over yet. */
  #unfolded: { timeMs: number; sample: Sample }[] = []

  push(timeMs: number, sample: Sample): void {
    const short = shortened(sample)
    const first = this.#unfolded[0]
    if (first !== undefined && stretchOf(first.timeMs) !== stretchOf(timeMs)) this.#fold()
    this.#unfolded.push({ timeMs, sample: short })
    this.seconds.push(timeMs, short)
  }

  /** Stands at the time of the last second in it, so that it is never ahead of the clock. */
  #fold(): void {
    const last = this.#unfolded.at(-1)
    if (last === undefined) return
    this.tens.push(last.timeMs, folded(this.#unfolded.map(({ sample }) => sample)))
    this.#unfolded = []
  }
}

function stretchOf(timeMs: number): number {
  return Math.floor(timeMs / foldMs)
}

/** Several samples as one; a figure that none of them has is null. */
export function folded(samples: readonly Sample[]): Sample {
  const entries = COLUMN_NAMES.map((name) => {
    const values = samples.map((sample) => sample[name]).filter((value) => value !== null)
    if (values.length === 0) return [name, null]
    if (COLUMNS[name] === 'peak') return [name, Math.max(...values)]
    return [name, short(values.reduce((sum, value) => sum + value, 0) / values.length)]
  })
  return Object.fromEntries(entries) as Sample
}

function shortened(sample: Sample): Sample {
  const entries = COLUMN_NAMES.map((name) => {
    const value = sample[name]
    return [name, value === null ? null : short(value)]
  })
  return Object.fromEntries(entries) as Sample
}

/** With no more digits than a chart can show: an hour of samples is sent as text. */
function short(value: number): number {
  return Math.abs(value) >= 1_000 ? Math.round(value) : Number(value.toPrecision(4))
}
