// Repeatable random numbers: the same seed gives the same numbers on every machine.

/** Returns whole numbers from 0 up to but not including `bound`, each equally likely. */
export type RandomBelow = (bound: number) => number

/**
 * sfc32, a small fast generator of Chris Doty-Humphrey's PractRand suite (2014), after 12 rounds
 * that make similar seeds diverge.
 *
 * @param seed any whole number; its low 53 bits count
 */
export function randomFrom(seed: number): RandomBelow {
  let a = 0x9e3779b9
  let b = seed >>> 0
  let c = Math.floor(seed / 2 ** 32) >>> 0
  let counter = 1
  const next = (): number => {
    const result = (a + b + counter) >>> 0
    counter = (counter + 1) >>> 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) >>> 0
    c = (((c << 21) | (c >>> 11)) + result) >>> 0
    return result
  }
  for (let round = 0; round < 12; round++) next()
  // A 32-bit number scaled to the bound; the bias is below 0.1 % for bounds up
  // to four million, and below 0.7 % for thirty.
  return (bound) => Math.floor((next() / 2 ** 32) * bound)
}
