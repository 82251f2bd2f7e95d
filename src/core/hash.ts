// Where a number lies in an open-addressing table: one hash for all of them.

/**
 * The first place to look for a key. Multiplied by 2^32 over the golden ratio, whose high bits
 * spread neighbours apart (Knuth, The Art of Computer Programming, volume 3, section 6.4).
 *
 * @param mask the number of places, a power of two, less one
 */
export function homeOf(key: number, mask: number): number {
  const mixed = Math.imul(key, 0x9e3779b1) >>> 0
  return (mixed ^ (mixed >>> 16)) & mask
}
