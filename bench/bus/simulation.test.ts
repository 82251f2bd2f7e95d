// Goal: the costs that the simulation calculates with are those that were measured, and its results
// are the ones that are written down. Method: the rows of results/bus-simulation.md.

import { expect, test } from 'bun:test'
import { engineMicros, highest, nodeMicros } from './simulation.ts'

const page = await Bun.file(`${import.meta.dir}/../results/bus-simulation.md`).text()

/** The publisher of the bench comes so often in a second, at most. */
const TURNS = 850
/** How far measured rows may be from the formula, at most and in the mean: other work was beside
 * them, and a node has more to do than Redis. */
interface Bounds {
  readonly most: number
  readonly mean: number
}

interface Row {
  readonly readers: number
  readonly perSecond: number
  readonly ofEntry: number
  readonly entriesOfRead: number
  readonly engineMicros: number
  readonly nodeMicros: number
}

const [measured = ''] = page.split('CPU time')
const rows: Row[] = measured
  .split('\n')
  .map((line) => line.split('|').map((cell) => Number(cell.replaceAll(',', '').trim())))
  .filter((cells) => cells.length === 10 && cells.every(Number.isFinite))
  .map(
    ([, readers = 0, perSecond = 0, ofEntry = 0, entriesOfRead = 0, , engine = 0, node = 0]) => ({
      ...{ readers, perSecond, ofEntry, entriesOfRead },
      ...{ engineMicros: engine, nodeMicros: node },
    }),
  )

function countsOf({ perSecond, ofEntry, entriesOfRead }: Row) {
  const entries = perSecond / ofEntry
  const wakes = Math.min(entries, TURNS)
  return { messages: perSecond, entries, wakes, reads: entries / entriesOfRead }
}

/** Is the formula near enough to what was measured? */
function fits(
  calculated: (row: Row) => number,
  measured: (row: Row) => number,
  { most, mean }: Bounds,
): void {
  expect(rows.length).toBeGreaterThan(30)
  const off = rows.map((row) => Math.abs(calculated(row) / (measured(row) * row.perSecond) - 1))
  expect(Math.max(...off)).toBeLessThan(most)
  expect(off.reduce((sum, one) => sum + one, 0) / off.length).toBeLessThan(mean)
}

test('the formula gives what Redis was measured to spend', () => {
  fits(
    (row) => {
      const { readers } = row
      const counts = countsOf(row)
      return engineMicros({ ...counts, reads: counts.reads * readers, readers, bodyBytes: 100 })
    },
    (row) => row.engineMicros,
    { most: 0.2, mean: 0.1 },
  )
})

test('the formula gives what a node was measured to spend', () => {
  fits(
    (row) => nodeMicros(countsOf(row)),
    (row) => row.nodeMicros,
    { most: 0.4, mean: 0.15 },
  )
})

test('the end is where the cost reaches its limit', () => {
  expect(highest((messages) => messages * 2, 10)).toBe(5)
  expect(highest(() => 11, 10)).toBe(0)
})

test('the tables that are written down are those that it prints', async () => {
  const printed = await Bun.$`bun ${import.meta.dir}/simulation.ts`.text()
  const tables = printed.split('\n\n').slice(1)
  expect(tables.length).toBe(2)
  for (const table of tables) expect(page).toContain(table.trim())
})
