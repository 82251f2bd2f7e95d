// Typed arrays that grow, as columns of a table whose rows are numbers.

type Column = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array

/** A copy with room for `length` items; those that are new are 0. */
export function grown<T extends Column>(column: T, length: number): T {
  const copy = new (column.constructor as new (length: number) => T)(length)
  copy.set(column)
  return copy
}
