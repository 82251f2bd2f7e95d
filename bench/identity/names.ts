// Names: a million of them in the product's table, and a server that starts with a million named
// followers of one subject, beside one whose followers are numbers. `comet friends load` makes the
// databases; the table is measured in a process of its own (name-table.ts). The start is from
// before the process is made to its line that says it listens.

import { succeed } from '../../scripts/support/child-process.ts'
import { makeFolder } from '../../scripts/support/folder.ts'
import type { Case } from '../harness/case.ts'
import { loadFriends, readJson, startServer } from '../harness/comet.ts'
import { settledMemory } from '../memory.ts'
import { type NameFigures, nameOf } from './name-table.ts'

const NAMES = 1_000_000
const SUBJECT = 1
const MIB = 1024 * 1024
/** Milliseconds for the program with the table, which takes three seconds. */
const TABLE_MS_MAX = 120_000

type Kind = 'names' | 'numbers'
type Figure = keyof NameFigures | `${Kind}${'Seconds' | 'Mib' | 'OnDisk'}`

export const names: Case<Figure> = {
  name: 'names',
  figures: {
    tableBytes: { title: 'memory of the table of a million names, each', unit: 'bytes', digits: 1 },
    processBytes: { title: '  anonymous memory of its process', unit: 'bytes', digits: 1 },
    findMicros: { title: 'finding a random name', unit: 'µs', digits: 2 },
    internMicros: { title: 'a name that is new in the table', unit: 'µs', digits: 2 },
    restoreMicros: { title: 'a name read from the database', unit: 'µs', digits: 2 },
    namesSeconds: { title: 'start with a million followers, names', unit: 's', digits: 2 },
    numbersSeconds: { title: '  numbers', unit: 's', digits: 2 },
    namesMib: { title: 'resident memory with them, names', unit: 'MiB', digits: 0 },
    numbersMib: { title: '  numbers', unit: 'MiB', digits: 0 },
    namesOnDisk: { title: 'on disk, a follower with its name', unit: 'bytes', digits: 1 },
    numbersOnDisk: { title: '  a number', unit: 'bytes', digits: 1 },
  },
  open: async () => {
    if (process.platform !== 'linux') return { impossible: 'anonymous memory is read from /proc' }
    const folder = await makeFolder()
    const databases = {
      // A number above that of the subject, and the highest that a server takes is higher.
      numbers: await databaseOf(`${folder.path}/numbers`, (at) => String(SUBJECT + 1 + at), []),
      names: await databaseOf(`${folder.path}/names`, nameOf, ['--names']),
    }
    return {
      run: () => run(databases),
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    }
  },
}

/** Everyone follows one subject. */
async function databaseOf(path: string, userOf: (at: number) => string, args: readonly string[]) {
  const lines = Array.from({ length: NAMES }, (_, at) => `${userOf(at)} ${SUBJECT}\n`)
  await Bun.write(`${path}.txt`, lines.join(''))
  const { subscriptions } = await loadFriends(NAMES, `${path}.txt`, `${path}.db`, args)
  if (subscriptions !== NAMES) throw new Error(`${NAMES} were to load, ${subscriptions} did`)
  return `${path}.db`
}

async function run(databases: Readonly<Record<Kind, string>>): Promise<Record<Figure, number>> {
  const table = await tableFigures(databases.names)
  const numbers = await serveOnce(databases.numbers, 0)
  const named = await serveOnce(databases.names, NAMES)
  return {
    ...table,
    namesSeconds: named.seconds,
    numbersSeconds: numbers.seconds,
    namesMib: named.bytes / MIB,
    numbersMib: numbers.bytes / MIB,
    namesOnDisk: Bun.file(databases.names).size / NAMES,
    numbersOnDisk: Bun.file(databases.numbers).size / NAMES,
  }
}

async function tableFigures(database: string): Promise<NameFigures> {
  const program = `${import.meta.dir}/name-table.ts`
  const { stdout } = await succeed([process.execPath, program, database, String(NAMES)], {
    name: 'name-table.ts',
    timeoutMs: TABLE_MS_MAX,
  })
  return JSON.parse(stdout) as NameFigures
}

async function serveOnce(db: string, namesUsed: number) {
  await using server = await startServer({ db })
  const { subscriptions, names } = await server.stats()
  if (subscriptions.held !== NAMES) throw new Error(`it holds ${subscriptions.held}`)
  if (names.used !== namesUsed) throw new Error(`${namesUsed} names were kept, not ${names.used}`)
  const bytes = await settledMemory(server)
  await checkFollowing(server.controlUrl, namesUsed === 0 ? SUBJECT + NAMES : nameOf(NAMES - 1))
  return { seconds: server.startSeconds, bytes }
}

/** The last one follows the subject as the database has it. */
async function checkFollowing(controlUrl: string, user: string | number): Promise<void> {
  const page = await readJson(controlUrl, `/users/${user}/subscriptions`)
  const wanted = { users: [SUBJECT], next: null }
  if (!Bun.deepEquals(page, wanted)) throw new Error(`${user} follows ${JSON.stringify(page)}`)
}
