// Numbers of entries, of which tables keep the low 32 bits.

/** The highest number below `next` that has these low bits. */
export function lastBelow(next: number, low: number): number {
  return next - (((next >>> 0) - low) >>> 0)
}
