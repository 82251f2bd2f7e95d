// Programs that have a log as a server does, each in a process of its own, so that neither compiled
// code nor memory of another measurement is in the figures. Prints them as a line of JSON.
//
//   bun bench/log/log-program.ts append|resume|fill|fill-names|recover|empty PATH|-

import { historyLimits } from '../../src/core/history-limits.ts'
import { cpuSeconds } from '../../src/core/loop.ts'
import { randomFrom } from '../../src/core/random.ts'
import { NOBODY } from '../../src/log/heads.ts'
import type { LogMessage, LogReader, MessageLog } from '../../src/log/message-log.ts'
import { openLog } from '../../src/log/open-log.ts'
import type { RingLog } from '../../src/log/ring-log.ts'
import { NameTable } from '../../src/subscriptions/name-table.ts'
import { readProportional } from '../harness/proc.ts'

const KEYS = 1_000_000
const BODY = Buffer.alloc(100, 'x')
/** Of each way to add them; the window is full after half a million. */
const MESSAGES = 2_000_000
const PER_SECOND = 16_666
const { bytesDefault } = historyLimits

export interface AppendFigures {
  readonly singleMicros: number
  readonly batch16Micros: number
  readonly batch64Micros: number
  /** Memory of a message above its body: what the tables say, and what the process has. */
  readonly tableBytes: number
  readonly processBytes: number
}

export type ResumeFigures = Readonly<Record<`f${15 | 100 | 5000}s${1 | 5 | 26}`, number>>

const [mode = '', path = '-'] = process.argv.slice(2)
const random = randomFrom(20_261_130)
const programs: Readonly<Record<string, () => unknown>> = {
  append: appendAll,
  resume: resumeAll,
  fill: () => fill((key) => key),
  'fill-names': () => fill((key) => `user-${key}`),
  recover,
  empty,
}
console.log(JSON.stringify(programs[mode]?.()))

function open(): RingLog {
  const names = new NameTable({ seed: 1 })
  const { log, note } = openLog({
    path: path === '-' ? null : path,
    bytes: bytesDefault,
    intern: (name) => names.intern(name),
    nameOf: (handle) => names.nameOf(handle),
  })
  if (note !== null) throw new Error(note)
  return log
}

function about(target: number, name: string | null = null): LogMessage {
  return { bytes: BODY, isAbout: true, target, event: null, isJson: false, name, key: null }
}

function messages(count: number): LogMessage[] {
  return Array.from({ length: count }, () => about(1 + random(KEYS)))
}

function anonymousBytes(): number {
  Bun.gc(true)
  const memory = readProportional(process.pid)
  if (memory === undefined) throw new Error('anonymous memory is read from /proc')
  return memory.anonymousBytes
}

/** CPU time of one, in microseconds. */
function micros(count: number, work: () => void): number {
  const before = cpuSeconds()
  work()
  return ((cpuSeconds() - before) * 1e6) / count
}

function appendAll(): AppendFigures {
  const all = messages(MESSAGES)
  const before = anonymousBytes()
  const log = open()
  const single = () => {
    for (const message of all) log.append(message)
  }
  const batches = (size: number) => {
    const groups = Array.from({ length: MESSAGES / size }, (_, at) => {
      return all.slice(at * size, (at + 1) * size)
    })
    return micros(MESSAGES, () => {
      for (const group of groups) log.appendAll(group)
    })
  }
  single()
  const singleMicros = micros(MESSAGES, single)
  const batch16Micros = batches(16)
  const batch64Micros = batches(64)
  if (log.last !== 4 * MESSAGES) throw new Error(`${log.last} messages were added`)
  const kept = log.last - log.oldest + 1
  const bodies = path === '-' ? BODY.length : 0
  return {
    ...{ singleMicros, batch16Micros, batch64Micros },
    tableBytes: (log.tableBytes + bytesDefault) / kept - BODY.length,
    processBytes: (anonymousBytes() - before) / kept - bodies,
  }
}

function resumeAll(): ResumeFigures {
  const log = open()
  for (const message of messages(MESSAGES)) log.append(message)
  const figures: Record<string, number> = {}
  for (const follows of [15, 100, 5_000]) {
    const readers = Array.from({ length: follows > 1_000 ? 100 : 2_000 }, () => readerOf(follows))
    for (const seconds of [1, 5, 26]) {
      // The first times, what is run is compiled.
      for (let turn = 0; turn < 3; turn++) resume(log, readers, seconds)
      const cpu = micros(readers.length * 5, () => {
        for (let turn = 0; turn < 5; turn++) resume(log, readers, seconds)
      })
      figures[`f${follows}s${seconds}`] = cpu
    }
  }
  return figures as ResumeFigures
}

function readerOf(follows: number): LogReader {
  const subjects = new Set<number>()
  while (subjects.size < follows) subjects.add(1 + random(KEYS))
  return { user: 1 + random(KEYS), follows: Uint32Array.from(subjects), subjects: [] }
}

/** Each reader finds what it has missed, and reads it; or it is too much. */
function resume(log: MessageLog, readers: readonly LogReader[], seconds: number): void {
  const after = log.last - PER_SECOND * seconds
  let bytes = 0
  let count = 0
  for (const reader of readers) {
    const missed = log.missedBy(reader, after)
    if ('gap' in missed) {
      if (missed.gap === 'too_many' && seconds === 26 && reader.follows.length > 1_000) continue
      throw new Error(`a reader has a gap: ${missed.gap}`)
    }
    count += missed.numbers.length
    for (const number of missed.numbers) bytes += log.read(number).bytes.length
  }
  if (bytes !== count * BODY.length) throw new Error(`${bytes} bytes were read`)
}

function fill(subjectOf: (key: number) => number | string): { messages: number } {
  const log = open()
  for (let at = 0; at < MESSAGES / 2; at++) {
    const key = 1 + random(KEYS)
    const subject = subjectOf(key)
    const isName = typeof subject === 'string'
    log.append(about(isName ? NOBODY + key : key, isName ? subject : null))
  }
  log.close()
  return { messages: log.last - log.oldest + 1 }
}

/** In a process that has just started, as a server that was killed and starts again. */
function recover(): { micros: number; messages: number; ms: number } {
  const startedMs = performance.now()
  const log = open()
  const ms = performance.now() - startedMs
  const count = log.last - log.oldest + 1
  if (log.last !== MESSAGES / 2) throw new Error(`its last message is ${log.last}`)
  return { micros: (ms * 1_000) / count, messages: count, ms }
}

/** A log in which nothing is. */
function empty(): { kib: number } {
  const before = anonymousBytes()
  const log = open()
  const kib = (anonymousBytes() - before) / 1_024
  if (log.last !== 0) throw new Error('the log is not empty')
  return { kib }
}
