// The table of what the doctor has found: a line of what is and should be, and one that says why.

export interface FindingRow {
  /** Is it as it should be? A word of a few letters. */
  readonly mark: string
  readonly name: string
  readonly is: string
  readonly shouldBe: string
  readonly why: string
}

/** The width of a mark, and of what has none. */
export const INDENT = ' '.repeat(8)

/** @param what the rows are about, in one word */
export function findingRows(what: string, rows: readonly FindingRow[]): string[] {
  const width = (of: (row: FindingRow) => string) => Math.max(...rows.map((row) => of(row).length))
  const names = width(({ name }) => name)
  const values = width(({ is }) => is)
  const line = (mark: string, name: string, is: string, should: string) =>
    `${mark.padEnd(INDENT.length)}${name.padEnd(names)}  ${is.padStart(values)}  ${should}`
  return [
    line('', what, 'is', 'should be'),
    ...rows.flatMap(({ mark, name, is, shouldBe, why }) => [
      line(mark, name, is, shouldBe),
      `${INDENT}  ${why}`,
    ]),
  ]
}
