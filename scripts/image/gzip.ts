// Compresses what is downloaded more often than it is made.

/**
 * @param level from 1 to 12
 * @returns the same bytes for the same level, in gzip's form
 */
export function gzip(bytes: Uint8Array, level: number): Uint8Array {
  // The types of Bun do not have the library, which knows higher levels than zlib.
  return Bun.gzipSync(new Uint8Array(bytes), { library: 'libdeflate', level } as object)
}
