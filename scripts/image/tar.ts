// Writes tar archives whose bytes follow from their contents alone: the order, owners and times are
// those it is given. Its own, since it is one header of 512 bytes, and libraries read the clock, the
// user and the file system.

interface Named {
  /** Without a slash at the beginning or the end; at most 100 bytes. */
  readonly path: string
  readonly mode: number
  /** Of the user and of the group; root's without it. */
  readonly owner?: number
}

export interface TarFile extends Named {
  readonly bytes: Uint8Array
}

/** A folder, if there are no bytes. */
export type TarEntry = TarFile | (Named & { readonly bytes?: never })

const BLOCK = 512

/** @param seconds the time of all entries, since 1970 */
export function tarOf(entries: readonly TarEntry[], seconds: number): Uint8Array {
  const sizes = entries.map(({ bytes }) => BLOCK + padded(bytes?.length ?? 0))
  // Two empty blocks are the end.
  const archive = new Uint8Array(sizes.reduce((sum, size) => sum + size, 2 * BLOCK))
  let at = 0
  for (const [index, entry] of entries.entries()) {
    archive.set(headerOf(entry, seconds), at)
    if (entry.bytes !== undefined) archive.set(entry.bytes, at + BLOCK)
    at += sizes[index] ?? 0
  }
  return archive
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK
}

/** A header of POSIX.1-1988, `ustar`. */
function headerOf({ path, mode, owner = 0, bytes }: TarEntry, seconds: number): Uint8Array {
  const isFolder = bytes === undefined
  const header = new Uint8Array(BLOCK)
  const put = (at: number, text: string, size: number) => {
    const encoded = Buffer.from(text)
    if (encoded.length > size) throw new Error(`${text} does not fit an archive`)
    header.set(encoded, at)
  }
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0')
  put(0, isFolder ? `${path}/` : path, 100)
  put(100, octal(mode, 7), 7)
  put(108, octal(owner, 7), 7)
  put(116, octal(owner, 7), 7)
  put(124, octal(bytes?.length ?? 0, 11), 11)
  put(136, octal(seconds, 11), 11)
  put(156, isFolder ? '5' : '0', 1)
  put(257, 'ustar\x0000', 8)
  // The sum is taken with blanks in its own place.
  put(148, ' '.repeat(8), 8)
  const sum = header.reduce((total, byte) => total + byte, 0)
  put(148, `${octal(sum, 6)}\0 `, 8)
  return header
}
