// Zipf's law: user k of n is chosen k^-s times as often as user 1. Drawn exactly, in constant memory
// and time for any n, by rejection-inversion: W. Hörmann and G. Derflinger, "Rejection-inversion to
// generate variates from monotone discrete distributions", ACM TOMACS 6(3), 1996. It opens nothing.

import type { RandomBelow } from '../core/random.ts'

/**
 * Answers numbers from 1 to `n`, each k with a probability in proportion to k^-s.
 *
 * The hat is k^-s as a function of all real x. A point below it is drawn by inverting its integral
 * H, and rounded; it is rejected where the histogram lies below the hat, which is seldom.
 *
 * @param s the exponent, above 0; at 1 the integral is the logarithm
 */
export function zipf(n: number, s: number, random: RandomBelow): () => number {
  const first = integral(1.5, s) - 1
  const last = integral(n + 0.5, s)
  // How far below k a point may lie that needs no closer look, the same for all k.
  const squeeze = 2 - inverse(integral(2.5, s) - hat(2, s), s)
  return () => {
    for (;;) {
      const u = last + unit(random) * (first - last)
      const x = inverse(u, s)
      // Rounding may carry x past either end.
      const k = Math.min(n, Math.max(1, Math.floor(x + 0.5)))
      if (k - x <= squeeze || u >= integral(k + 0.5, s) - hat(k, s)) return k
    }
  }
}

/** From 0 to before 1 in steps of 2^-53; one draw has 32 bits, too few for the tail of a million. */
function unit(random: RandomBelow): number {
  return (random(2 ** 21) * 2 ** 32 + random(2 ** 32)) / 2 ** 53
}

function hat(x: number, s: number): number {
  return Math.exp(-s * Math.log(x))
}

/** H(x), from 1 to x: (x^(1-s) - 1) / (1-s), written so that it holds near and at s = 1. */
function integral(x: number, s: number): number {
  const log = Math.log(x)
  const t = (1 - s) * log
  return (Math.abs(t) > 1e-8 ? Math.expm1(t) / t : 1 + t / 2) * log
}

/** The x with H(x) = y. */
function inverse(y: number, s: number): number {
  // Below -1 there is no such x; rounding may get there.
  const t = Math.max(-1, y * (1 - s))
  return Math.exp((Math.abs(t) > 1e-8 ? Math.log1p(t) / t : 1 - t / 2) * y)
}
