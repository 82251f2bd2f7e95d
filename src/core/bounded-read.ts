// Reads a stream of bytes to its end, or refuses it once it is longer than a bound.

/**
 * All bytes of a body; null if there are more than `bytesMax`. The rest is not read then.
 *
 * @param body null for none
 * @throws what the body throws
 */
export async function readWithin(
  body: AsyncIterable<Uint8Array> | null,
  bytesMax: number,
): Promise<Buffer | null> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of body ?? []) {
    length += part.length
    if (length > bytesMax) return null
    parts.push(part)
  }
  return Buffer.concat(parts)
}
