// The users that messages are for: `--subjects`, parsed and turned into a source of users.

import type { RandomBelow } from '../core/random.ts'
import { type Result, success } from '../core/result.ts'
import { genLimits } from '../core/tool-limits.ts'
import type { Subject } from '../core/user.ts'
import { readSubjects } from './subject-file.ts'

/** How the user of each message is chosen. */
export type Subjects =
  | { readonly kind: 'uniform' }
  /** User k with a probability in proportion to k^-exponent. */
  | { readonly kind: 'zipf'; readonly exponent: number }
  /** From the numbers and names in a file, each equally often. */
  | { readonly kind: 'file'; readonly path: string }

/** Returns the user of the next message, by number or by name. */
export type NextUser<S extends Subject = Subject> = () => S

/** `uniform`, `zipf:1.1` or `file:ids.txt`. */
export function parseSubjects(text: string): Subjects | undefined {
  if (text === 'uniform') return { kind: 'uniform' }
  const [, kind, rest = ''] = /^(zipf|file):(.+)$/s.exec(text) ?? []
  if (kind === 'file') return { kind, path: rest }
  if (kind !== 'zipf' || !/^\d+(\.\d+)?$/.test(rest)) return undefined
  const exponent = Number(rest)
  return exponent > 0 && exponent <= genLimits.zipfExponentMax ? { kind, exponent } : undefined
}

/**
 * Makes the source; reads a file completely first.
 *
 * @param users number of users, with ids from 1 on; a file has its own
 */
export async function openSubjects(
  subjects: Subjects,
  users: number,
  random: RandomBelow,
): Promise<Result<NextUser>> {
  if (subjects.kind === 'uniform') return success(uniform(users, random))
  if (subjects.kind === 'zipf') return success(zipf(users, subjects.exponent, random))
  const read = await readSubjects(subjects.path)
  if (!read.ok) return read
  const list = read.value
  return success(() => list.at(random(list.count)))
}

export function uniform(users: number, random: RandomBelow): NextUser<number> {
  return () => 1 + random(users)
}

/**
 * Returns numbers from 1 to `n`, each k with a probability in proportion to k^-s: Zipf's law, drawn
 * exactly and in constant memory and time for any n by rejection-inversion. W. Hörmann and G.
 * Derflinger, "Rejection-inversion to generate variates from monotone discrete distributions", ACM
 * TOMACS 6(3), 1996.
 *
 * The hat is k^-s as a function of all real x. A point below it is drawn by inverting its integral
 * H, and rounded; it is rejected where the histogram is below the hat, which is rare.
 *
 * @param s the exponent, above 0; at 1 the integral is the logarithm
 */
export function zipf(n: number, s: number, random: RandomBelow): NextUser<number> {
  const first = integral(1.5, s) - 1
  const last = integral(n + 0.5, s)
  // How far below k a point may be without a closer look, the same for all k.
  const squeeze = 2 - inverse(integral(2.5, s) - hat(2, s), s)
  return () => {
    for (;;) {
      // From 0 up to 1 in steps of 2^-53; one draw has 32 bits, too few for the tail of a million.
      const unit = (random(2 ** 21) * 2 ** 32 + random(2 ** 32)) / 2 ** 53
      const u = last + unit * (first - last)
      const x = inverse(u, s)
      // Rounding may carry x past either end.
      const k = Math.min(n, Math.max(1, Math.floor(x + 0.5)))
      if (k - x <= squeeze || u >= integral(k + 0.5, s) - hat(k, s)) return k
    }
  }
}

function hat(x: number, s: number): number {
  return Math.exp(-s * Math.log(x))
}

/** H(x), from 1 to x: (x^(1-s) - 1) / (1-s), in a form that is accurate near and at s = 1. */
function integral(x: number, s: number): number {
  const log = Math.log(x)
  const t = (1 - s) * log
  return (Math.abs(t) > 1e-8 ? Math.expm1(t) / t : 1 + t / 2) * log
}

/** The x with H(x) = y. */
function inverse(y: number, s: number): number {
  // Below -1 there is no such x, but rounding may get there.
  const t = Math.max(-1, y * (1 - s))
  return Math.exp((Math.abs(t) > 1e-8 ? Math.log1p(t) / t : 1 - t / 2) * y)
}
