// Numbers with units, such as `10k`, `64KiB` and `30s`: parsed, and formatted for people. Parsing
// returns undefined for any other text. Nothing of Bun is used, since pages carry this into the
// browser.

const COUNT_FACTORS: Record<string, number> = { '': 1, k: 1e3, m: 1e6 }

const DURATION_FACTORS_MS: Record<string, number> = {
  ...{ ms: 1, s: 1e3, m: 6e4, min: 6e4, h: 36e5, d: 864e5 },
}

const BYTE_FACTORS: Record<string, number> = {
  '': 1,
  b: 1,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
}

/** `10k` is 10,000 and `1.5m` is 1,500,000; the result is a whole number. */
export function parseCount(text: string): number | undefined {
  const value = scaled(text, COUNT_FACTORS)
  return value !== undefined && Number.isSafeInteger(value) ? value : undefined
}

/**
 * `250ms`, `30s`, `5min`, `1h30m`, `10d` in milliseconds, larger units first; a unit is required,
 * so that none is guessed.
 */
export function parseDurationMs(text: string): number | undefined {
  if (!/^\s*(\d+(\.\d+)?\s*[a-z]+\s*)+$/i.test(text)) return undefined
  let sum = 0
  let unitBefore = Number.POSITIVE_INFINITY
  for (const [part, unit = ''] of text.matchAll(/\d+(?:\.\d+)?\s*([a-z]+)/gi)) {
    const unitMs = DURATION_FACTORS_MS[unit.toLowerCase()] ?? Number.POSITIVE_INFINITY
    const value = scaled(part, DURATION_FACTORS_MS)
    if (value === undefined || unitMs >= unitBefore) return undefined
    sum += value
    unitBefore = unitMs
  }
  return sum
}

/** `64KiB` is 65,536 bytes. */
export function parseBytes(text: string): number | undefined {
  const value = scaled(text, BYTE_FACTORS)
  return value !== undefined && Number.isSafeInteger(value) ? value : undefined
}

/** Why a size in KB, MB or GB is invalid; null for any other text. KB is 1,000 bytes to some and
 * 1,024 to others. */
export function ambiguousBytes(text: string): string | null {
  const unit = /\d\s*([kmg])b(?![a-z])/i.exec(text)?.[1]
  if (unit === undefined) return null
  const prefix = unit.toUpperCase()
  return `${prefix}B is ambiguous, write ${prefix}iB`
}

/** `1%` is 0.01; from 0 to 100 %. */
export function parseShare(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*%$/.exec(text.trim())
  const share = Number(match?.[1]) / 100
  return match !== null && share <= 1 ? share : undefined
}

function scaled(text: string, factors: Record<string, number>): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim())
  if (match === null) return undefined
  const unit = (match[2] ?? '').toLowerCase()
  const factor = Object.hasOwn(factors, unit) ? factors[unit] : undefined
  if (factor === undefined) return undefined
  const value = Number(match[1]) * factor
  // Rounded to a millionth, so that 1.1k is 1,100 and not 1,100.0000000000002; above 2^33 a number
  // has no millionths.
  return value < 2 ** 33 ? Math.round(value * 1e6) / 1e6 : Math.round(value)
}

/** A count as an option takes it: `500`, `10k`, `1m`. */
export function writtenCount(count: number): string {
  if (count > 0 && count % 1e6 === 0) return `${count / 1e6}m`
  return count > 0 && count % 1e3 === 0 ? `${count / 1e3}k` : `${count}`
}

/** A size as an option takes it: `64KiB`, `1GiB`. */
export function writtenBytes(bytes: number): string {
  for (const [unit, factor] of [
    ['GiB', 1024 ** 3],
    ['MiB', 1024 ** 2],
    ['KiB', 1024],
  ] as const) {
    if (bytes > 0 && bytes % factor === 0) return `${bytes / factor}${unit}`
  }
  return `${bytes}`
}

/** A duration as an option takes it: `250ms`, `1h`, `1min30s`. */
export function writtenDuration(ms: number): string {
  let rest = ms
  let text = ''
  for (const unit of ['d', 'h', 'min', 's', 'ms']) {
    const factor = DURATION_FACTORS_MS[unit] ?? 1
    const whole = Math.floor(rest / factor)
    if (whole > 0) text += `${whole}${unit}`
    rest -= whole * factor
  }
  return text === '' ? '0s' : text
}

const GROUPED = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** 1234567 as `1,234,567`. */
export function formatCount(value: number): string {
  return GROUPED.format(value)
}

/** `1 user`, `2,000 users`. */
export function formatQuantity(count: number, noun: string, plural = `${noun}s`): string {
  const shown = formatCount(count)
  return `${shown} ${shown === '1' ? noun : plural}`
}

/** Milliseconds with as many digits as are worth reading: `0.42 ms`, `17.3 ms`, `2.10 s`. */
export function formatMs(ms: number | null): string {
  if (ms === null) return '–'
  // Each bound lies where the smaller form would round up to it.
  if (ms >= 999.5) return `${(ms / 1000).toFixed(2)} s`
  if (ms >= 99.95) return `${ms.toFixed(0)} ms`
  return `${ms.toFixed(ms >= 9.995 ? 1 : 2)} ms`
}

/** Bytes in binary units: `3.9 KiB`, `58.1 MiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    // Below the bound where one decimal would round up to 1024.0.
    if (Math.abs(value) < 1023.95 || unit === 'GiB') {
      return unit === 'B' ? `${Math.round(value)} B` : `${value.toFixed(1)} ${unit}`
    }
    value /= 1024
  }
  return `${bytes} B`
}
