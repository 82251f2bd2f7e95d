// A program that holds a million names as a server does, in a process of its own, so that what
// others have freed is not in its memory: reads them from a database, finds them, and gives a
// second table the same names as new ones. Prints the figures as a line of JSON.
//
//   bun bench/identity/name-table.ts DATABASE NAMES

import { openDatabase } from '../../src/subscriptions/database.ts'
import { readNames } from '../../src/subscriptions/kept-names.ts'
import { NameTable, NOBODY } from '../../src/subscriptions/name-table.ts'
import { readProportional } from '../harness/proc.ts'

const FINDS = 2_000_000
/** Names that are looked for in turn: more of the table than the caches of a processor hold. */
const WANTED = 2 ** 18

export interface NameFigures {
  readonly tableBytes: number
  readonly processBytes: number
  readonly restoreMicros: number
  readonly findMicros: number
  readonly internMicros: number
}

export function nameOf(at: number): string {
  return `user-${at}`
}

if (import.meta.main) {
  const [database = '', names = ''] = process.argv.slice(2)
  console.log(JSON.stringify(measured(database, Number(names))))
}

function measured(path: string, names: number): NameFigures {
  const opened = openDatabase(path)
  if (!opened.ok) throw new Error(opened.why)
  const before = anonymousBytes()
  const table = new NameTable({ seed: 1 })
  const restoreMs = timed(() => readNames(opened.value, table))
  if (table.size !== names) throw new Error(`${names} names were to be read, ${table.size} were`)
  const processBytes = anonymousBytes() - before
  opened.value.close(true)
  const findMs = timedFinds(table)
  return {
    tableBytes: table.memoryBytes / names,
    processBytes: processBytes / names,
    restoreMicros: (restoreMs * 1_000) / names,
    findMicros: (findMs * 1_000) / FINDS,
    internMicros: (timedInterns(names) * 1_000) / names,
  }
}

/** Once garbage is collected. */
function anonymousBytes(): number {
  Bun.gc(true)
  const memory = readProportional(process.pid)
  if (memory === undefined) throw new Error('anonymous memory is read from /proc')
  return memory.anonymousBytes
}

function timed(work: () => void): number {
  const startedMs = performance.now()
  work()
  return performance.now() - startedMs
}

/** Names in one array of bytes, as they lie in requests. */
function timedFinds(table: NameTable): number {
  const wanted = Array.from({ length: WANTED }, () => Math.floor(Math.random() * table.size))
  const bytes = Buffer.from(wanted.map(nameOf).join(''))
  const ends = new Uint32Array(WANTED)
  let end = 0
  for (const [at, number] of wanted.entries()) {
    end += nameOf(number).length
    ends[at] = end
  }
  const handles = new Uint32Array(WANTED)
  const ms = timed(() => {
    for (let find = 0; find < FINDS; find++) {
      const at = find % WANTED
      const start = at === 0 ? 0 : (ends[at - 1] as number)
      handles[at] = table.findBytes(bytes, start, ends[at] as number)
    }
  })
  for (const [at, number] of wanted.entries()) {
    const found = table.subjectOf(handles[at] as number)
    if (found !== nameOf(number)) throw new Error(`${nameOf(number)} was found as ${found}`)
  }
  return ms
}

/** Including the growth of the table, and that each name is made as a text. */
function timedInterns(names: number): number {
  const table = new NameTable({ seed: 2 })
  const ms = timed(() => {
    for (let at = 0; at < names; at++) table.intern(nameOf(at))
  })
  if (table.size !== names) throw new Error(`${names} names are new, ${table.size} have handles`)
  if (table.find(nameOf(names)) !== NOBODY) throw new Error('a name was found that has no handle')
  return ms
}
