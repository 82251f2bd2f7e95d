// Curves of text, a bar of one column for each value.

const BARS = '▁▂▃▄▅▆▇█'

/** Values as bars from zero to the highest; a blank for one that is not known. */
export function barsOf(values: readonly (number | null)[]): string {
  const most = Math.max(0, ...values.map((value) => value ?? 0))
  return values.map((value) => bar(value, most)).join('')
}

function bar(value: number | null, most: number): string {
  if (value === null) return ' '
  const share = most > 0 ? value / most : 0
  return BARS[Math.min(BARS.length - 1, Math.floor(share * BARS.length))] ?? ' '
}
