// Times as they are added up where the run is reported: histograms of three significant digits, as
// are the buckets in which the processes tell them.

import { build, type Histogram } from 'hdr-histogram-js'
import { highestOf, MICROS_MAX, type Times } from './recent.ts'

export function newHistogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: MICROS_MAX,
    numberOfSignificantValueDigits: 3,
  })
}

export function addTimes(histogram: Histogram, times: Times): void {
  for (let at = 0; at + 1 < times.length; at += 2) {
    const micros = highestOf(times[at] as number)
    histogram.recordValueWithCount(Math.min(MICROS_MAX, micros), times[at + 1] as number)
  }
}

/** Null if nothing was timed. */
export function percentileMs(histogram: Histogram, percentile: number): number | null {
  if (histogram.totalCount === 0) return null
  // The histogram answers with the upper end of a bucket, which may lie above what there was.
  const micros = Math.min(histogram.maxValue, histogram.getValueAtPercentile(percentile))
  return micros / 1000
}
