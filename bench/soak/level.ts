// Whether memory has levelled off, told from samples of a long run. Pure.

import { median } from '../harness/case.ts'

export interface MemorySample {
  readonly seconds: number
  readonly bytes: number
}

/** The run in four quarters: a heap that is collected goes up and down, so its median is what counts. */
export interface Level {
  readonly quarterBytes: readonly [number, number, number, number]
  /** The last quarter to the one before; 1 is level. */
  readonly lastToThird: number
  /** The slope of the second half, by the median of all slopes between two samples (Theil and Sen, 1968),
   * which a single collection does not move. */
  readonly bytesPerHour: number
}

/** @param samples evenly spaced, eight at least; null for fewer */
export function levelOf(samples: readonly MemorySample[]): Level | null {
  if (samples.length < 8) return null
  const quarter = (at: number) => {
    const bounds = [at, at + 1].map((part) => Math.floor((samples.length * part) / 4))
    return median(samples.slice(...bounds).map(({ bytes }) => bytes))
  }
  const [first, second, third, last] = [quarter(0), quarter(1), quarter(2), quarter(3)]
  return {
    quarterBytes: [first, second, third, last],
    lastToThird: last / third,
    bytesPerHour: slope(samples.slice(samples.length >> 1)) * 3600,
  }
}

function slope(samples: readonly MemorySample[]): number {
  const slopes = samples.flatMap((a, at) =>
    samples.slice(at + 1).map((b) => (b.bytes - a.bytes) / (b.seconds - a.seconds)),
  )
  return median(slopes)
}
