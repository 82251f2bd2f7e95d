// Numbers in bytes, the highest byte first, as everything between nodes has them. Not by a DataView: to
// make one for each part that comes costs more than to read it.

/** Hot path: some times a message. */
export function uint16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
}

/** Hot path: some times a message. */
export function uint32At(bytes: Uint8Array, at: number): number {
  return int32At(bytes, at) >>> 0
}

export function int32At(bytes: Uint8Array, at: number): number {
  return (uint16At(bytes, at) << 16) | uint16At(bytes, at + 2)
}
