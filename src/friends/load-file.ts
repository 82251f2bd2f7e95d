// Runs `comet friends load`: a progress bar for each phase, then what was loaded or which lines are
// invalid.

import type { Database } from 'bun:sqlite'
import { randomInt } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import cliProgress from 'cli-progress'
import { EXIT, type Run } from '../cli/command.ts'
import type { Io } from '../cli/io.ts'
import { NAME_RULE } from '../core/name.ts'
import type { Result } from '../core/result.ts'
import { friendsLimits } from '../core/tool-limits.ts'
import { formatCount, formatQuantity } from '../core/units.ts'
import { onProcessEnd } from '../os/process.ts'
import { type Loaded, loadFriends, saveSnapshot } from '../subscriptions/bulk-load.ts'
import { openDatabase } from '../subscriptions/database.ts'
import type { LoadOptions, LoadProgress, NotLoaded } from '../subscriptions/friends-file.ts'
import { IndexSnapshot } from '../subscriptions/index-snapshot.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import { MORE_COLUMNS, NOT_IDS, NOT_IDS_OR_NAMES } from '../subscriptions/pairs.ts'
import type { Pairs } from '../subscriptions/subscriptions.ts'
import type { LOAD } from './command.ts'
import { loadIntoRedis, withRedis } from './redis-graph.ts'

/** The files that SQLite creates for a database, and its snapshot. */
const SUFFIXES = ['', '-wal', '-shm', '-journal', '-index', '-index.new']

export const load: Run<typeof LOAD> = async (values, io, path) => {
  if (path !== '-' && !(await Bun.file(path).exists())) {
    io.stderr(`comet friends load: there is no file ${path}`)
    return EXIT.unavailable
  }
  // The seed: a file from anywhere must not have names that all collide in the table.
  const names = values.names ? new NameTable({ seed: randomInt(2 ** 32) }) : null
  const task = { values, names, io, path }
  if (values.bus === null) return await loadIntoDatabase(task)
  return await withRedis(values, io, 'load', async (graph) => {
    const add: AddFriends = (input, options) => loadIntoRedis(graph, input, options)
    return (await loadInto(add, task, 'in Redis')) ? EXIT.ok : EXIT.failed
  })
}

/** Adds the pairs of an input to where they are kept. */
type AddFriends = (
  input: AsyncIterable<Uint8Array>,
  options: LoadOptions,
) => Promise<Result<Loaded, NotLoaded>>

interface LoadTask {
  readonly values: Parameters<typeof load>[0]
  readonly names: NameTable | null
  readonly io: Io
  readonly path: string
}

async function loadIntoDatabase(task: LoadTask): Promise<number> {
  const { values, names, io } = task
  // Only a database that this command has created is removed after a failure.
  const isNew = values.db !== ':memory:' && !existsSync(values.db)
  let isCreated = false
  const remove = () => {
    if (!isCreated) return
    for (const suffix of SUFFIXES) rmSync(`${values.db}${suffix}`, { force: true })
  }
  const forget = onProcessEnd(remove)
  const snapshot = IndexSnapshot.of(values.db)
  const opened = openDatabase(values.db, names, snapshot)
  if (!opened.ok) {
    forget()
    snapshot?.close()
    io.stderr(`comet friends load: the database ${opened.why}`)
    return EXIT.unavailable
  }
  isCreated = isNew
  let isLoaded = false
  try {
    const add: AddFriends = (input, options) =>
      loadFriends(input, opened.value, options, (pairs) => {
        if (snapshot !== null) saveIndex(opened.value, pairs, snapshot, io)
      })
    isLoaded = await loadInto(add, task, 'in the database')
  } finally {
    forget()
    opened.value.close()
    snapshot?.close()
    if (!isLoaded) remove()
  }
  return isLoaded ? EXIT.ok : EXIT.failed
}

/** The pairs are loaded whether that is possible or not. */
function saveIndex(database: Database, pairs: Pairs, snapshot: IndexSnapshot, io: Io): void {
  const names = new NameTable({ seed: randomInt(2 ** 32) })
  const saved = saveSnapshot(database, pairs, names, snapshot)
  if (!saved.ok) io.stderr(`comet friends load: the next start takes longer: ${saved.why}`)
}

/** Loads the file and prints the outcome; returns whether it was loaded. */
async function loadInto(
  add: AddFriends,
  { values, names, io, path }: LoadTask,
  where: string,
): Promise<boolean> {
  const startedMs = performance.now()
  const file = path === '-' ? Bun.stdin : Bun.file(path)
  const bar = new PhaseBar(io.stderrIsTerminal)
  const result = await add(file.stream(), {
    idMax: values['max-users'],
    ignoresColumns: values['ignore-columns'],
    names,
    bytesTotal: path === '-' ? 0 : file.size,
    onProgress: (progress) => bar.show(progress),
  })
  bar.close()
  if (!result.ok) {
    io.stderr(refusalText(result.why))
    return false
  }
  const seconds = (performance.now() - startedMs) / 1000
  const loaded = result.value
  io.stdout(
    values.json
      ? JSON.stringify({ ok: true, ...loaded, seconds })
      : loadedText(loaded, seconds, where),
  )
  return true
}

/** What to do about lines that were refused for a reason. */
const HINTS = [
  [MORE_COLUMNS, 'use --ignore-columns to ignore the columns after the two ids'],
  [NOT_IDS, 'use --names if ids may be names, such as alice'],
  [NOT_IDS_OR_NAMES, `an id is a number, or ${NAME_RULE}`],
] as const

function refusalText({ reason, bad, badCount, isPartly }: NotLoaded): string {
  const shown = bad
    .slice(0, friendsLimits.badShownMax)
    .map((of) => `  line ${of.line}: ${of.reason}`)
  if (badCount > shown.length) shown.push(`  and ${formatCount(badCount - shown.length)} more`)
  for (const [reason, hint] of HINTS) {
    if (bad.some((of) => of.reason === reason)) shown.push(`  ${hint}`)
  }
  const what = isPartly ? 'a part may be loaded; load it again' : 'nothing was loaded'
  return [`comet friends load: ${what}: ${reason}`, ...shown].join('\n')
}

function loadedText({ added, repeated, present }: Loaded, seconds: number, where: string): string {
  const rate = formatCount(added / Math.max(seconds, 0.001))
  return (
    `${formatQuantity(added, 'subscription')} added in ${seconds.toFixed(1)} s, ${rate}/s; ` +
    `${formatQuantity(repeated, 'duplicate')} in the input, ${formatCount(present)} already ${where}`
  )
}

/** A bar that restarts with each phase; shows nothing unless standard error is a terminal. */
class PhaseBar {
  readonly #isVisible: boolean
  #bar: cliProgress.SingleBar | null = null
  #phase = ''
  #startedMs = 0

  constructor(isVisible: boolean) {
    this.#isVisible = isVisible
  }

  show({ phase, done, total }: LoadProgress): void {
    if (!this.#isVisible || total === 0) return
    if (phase !== this.#phase) {
      this.close()
      this.#phase = phase
      this.#startedMs = performance.now()
      this.#bar = new cliProgress.SingleBar({
        format: `${phase.padEnd(8)} {bar} {percentage}% {rate}/s {eta_formatted} left`,
        stream: process.stderr,
        clearOnComplete: true,
        hideCursor: true,
      })
      this.#bar.start(total, 0, { rate: '0' })
    }
    const seconds = (performance.now() - this.#startedMs) / 1000
    this.#bar?.update(done, { rate: formatCount(seconds > 0 ? done / seconds : 0) })
  }

  close(): void {
    this.#bar?.stop()
    this.#bar = null
  }
}
