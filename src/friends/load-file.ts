// What `comet friends load` does: loads the file, shows a bar for each phase, says what was loaded or what
// is wrong.

import type { Database } from 'bun:sqlite'
import { existsSync, rmSync } from 'node:fs'
import cliProgress from 'cli-progress'
import { EXIT, type Run } from '../cli/command.ts'
import type { Io } from '../cli/io.ts'
import { removeAtEnd } from '../cli/leftover.ts'
import type { Values } from '../cli/option.ts'
import { formatCount } from '../core/units.ts'
import {
  type Loaded,
  type LoadProgress,
  loadFriends,
  type NotLoaded,
} from '../subscriptions/bulk-load.ts'
import { openDatabase } from '../subscriptions/database.ts'
import { MORE_COLUMNS } from '../subscriptions/pairs.ts'
import type { OPTIONS } from './load.ts'

/** Bad lines that are shown; more would scroll the reason away. */
const BAD_LINES_SHOWN = 10

export const run: Run<typeof OPTIONS> = async (values, io, path) => {
  const input = await openInput(path)
  if (typeof input === 'string') {
    io.stderr(`comet friends load: ${input}`)
    return EXIT.unavailable
  }
  // What was there before is kept, whatever comes of this, and so is what others have just made.
  const isNew = values.db !== ':memory:' && !existsSync(values.db)
  let suffixes: readonly string[] = []
  const remove = () => {
    for (const suffix of suffixes) rmSync(`${values.db}${suffix}`, { force: true })
  }
  const forget = removeAtEnd(remove)
  const opened = openDatabase(values.db)
  if (!opened.ok) {
    forget()
    io.stderr(`comet friends load: the database ${opened.why}`)
    return EXIT.unavailable
  }
  if (isNew) suffixes = SUFFIXES
  let isLoaded = false
  try {
    isLoaded = await loadInto(opened.database, values, io, input)
  } finally {
    forget()
    opened.database.close()
    if (!isLoaded) remove()
  }
  return isLoaded ? EXIT.ok : EXIT.failed
}

/** Of the files that SQLite makes for a database. */
const SUFFIXES = ['', '-wal', '-shm', '-journal']

/** Answers whether it was loaded, and says so. */
async function loadInto(
  database: Database,
  values: Values<typeof OPTIONS>,
  io: Io,
  input: Input,
): Promise<boolean> {
  const startedMs = performance.now()
  const bar = new PhaseBar(io)
  const result = await loadFriends(input.stream, database, {
    idMax: values['max-users'],
    ignoresColumns: values['ignore-columns'],
    bytesTotal: input.bytes,
    onProgress: (progress) => bar.show(progress),
  })
  bar.close()
  if (!result.ok) {
    io.stderr(refusal(result))
    return false
  }
  const seconds = (performance.now() - startedMs) / 1000
  io.stdout(values.json ? JSON.stringify({ ...result, seconds }) : summary(result, seconds))
  return true
}

interface Input {
  readonly stream: AsyncIterable<Uint8Array>
  /** 0 if nobody knows. */
  readonly bytes: number
}

async function openInput(path: string): Promise<Input | string> {
  if (path === '-') return { stream: Bun.stdin.stream(), bytes: 0 }
  const file = Bun.file(path)
  if (!(await file.exists())) return `there is no file ${path}`
  return { stream: file.stream(), bytes: file.size }
}

function refusal({ why, bad, badCount }: NotLoaded): string {
  const shown = bad.slice(0, BAD_LINES_SHOWN).map(({ line, reason }) => `  line ${line}: ${reason}`)
  if (badCount > shown.length) shown.push(`  and ${formatCount(badCount - shown.length)} more`)
  if (bad.some(({ reason }) => reason === MORE_COLUMNS)) {
    shown.push('  --ignore-columns takes no notice of what stands behind the two ids')
  }
  return [`comet friends load: nothing was loaded: ${why}`, ...shown].join('\n')
}

function summary({ added, repeated, present }: Loaded, seconds: number): string {
  const rate = formatCount(added / Math.max(seconds, 0.001))
  return (
    `${formatCount(added)} subscriptions added in ${seconds.toFixed(1)} s, ${rate}/s; ` +
    `${formatCount(repeated)} came twice, ${formatCount(present)} were there already`
  )
}

/** A bar that begins anew with each phase; nothing where nobody reads it. */
class PhaseBar {
  readonly #visible: boolean
  #bar: cliProgress.SingleBar | null = null
  #phase = ''
  #startedMs = 0

  constructor(io: Io) {
    this.#visible = io.stderrIsTerminal
  }

  show({ phase, done, total }: LoadProgress): void {
    if (!this.#visible || total === 0) return
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
