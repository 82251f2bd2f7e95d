// Opens the log of a server: from its file if that can be trusted, else anew, with an epoch that no
// log here had before; in memory if there can be no file. It never fails, and says what happened.

import { closeSync, fstatSync, openSync, readFileSync, readSync, rmSync, statSync } from 'node:fs'
import { type Clock, systemClock } from '../core/clock.ts'
import { type HistoryLimits, historyLimits } from '../core/history-limits.ts'
import { codeOf, codeOrThrow } from '../core/system-error.ts'
import { writtenBytes } from '../core/units.ts'
import { Chains, type ChainsOptions } from './chains.ts'
import { WORD_BYTES, wordsOf } from './entry.ts'
import { EntryRing } from './entry-ring.ts'
import { FileStore } from './file-store.ts'
import { NameHash, randomSeeds } from './gone-heads.ts'
import { readHeads, removeHeads } from './kept-heads.ts'
import { createLogFile, fileBytesOf, type LogFile, openLogFile } from './log-file.ts'
import { HEADER_BYTES, type HeaderState, LogHeader } from './log-header.ts'
import { type Intern, recoverChains, recoverEntries } from './recovery.ts'
import { memoryLog, RingLog } from './ring-log.ts'

export interface OpenLogOptions {
  /** Of the file, which this process alone may use; null for none. */
  readonly path: string | null
  /** Of the window, with 16 bytes of each entry besides what it says; 0 to keep none. */
  readonly bytes: number
  /** Called for each name in the file. */
  readonly intern: Intern
  /** The name of a handle. */
  readonly nameOf: (handle: number) => string
  readonly clock?: Clock
  readonly limits?: HistoryLimits
  /** Differs after each start of the machine. */
  readonly bootId?: string
}

export interface OpenedLog {
  readonly log: RingLog
  /** What happened, for the operator; null if nothing did that is worth a word. */
  readonly note: string | null
}

type Opening = Required<OpenLogOptions> & { readonly path: string; readonly ringWords: number }

export function openLog(options: OpenLogOptions): OpenedLog {
  const { path, bytes, clock = systemClock, limits = historyLimits } = options
  const { nameOf } = options
  if (path === null) return { log: memoryLog({ bytes, clock, limits, nameOf }), note: null }
  const ringWords = Math.floor(bytes / WORD_BYTES)
  const { bootId = readBootId() } = options
  const opening = { ...options, path, clock, limits, bootId, ringWords }
  const found = find(path)
  switch (found.kind) {
    case 'absent':
      return begin(opening, 0, null)
    case 'unusable':
      return inMemory(opening, found.epoch, `${path} ${found.why}`)
    case 'useless':
      return begin(opening, found.epoch, `${path} ${found.why}`)
    case 'log':
      return continued(opening, found.state)
  }
}

type Found =
  | { readonly kind: 'absent' }
  /** It must not or cannot be written over. */
  | { readonly kind: 'unusable'; readonly epoch: number; readonly why: string }
  /** It can be written over, and nothing in it can be used. */
  | { readonly kind: 'useless'; readonly epoch: number; readonly why: string }
  | { readonly kind: 'log'; readonly state: HeaderState }

/** What is at the path. */
function find(path: string): Found {
  try {
    if (!statSync(path).isFile()) return { kind: 'unusable', epoch: 0, why: 'is no file' }
    const file = openSync(path, 'r+')
    try {
      return look(file)
    } finally {
      closeSync(file)
    }
  } catch (error) {
    const code = codeOrThrow(error)
    if (code === 'ENOENT') return { kind: 'absent' }
    return unwritable(path, `cannot be read and written (${code})`)
  }
}

function look(file: number): Found {
  const { size } = fstatSync(file)
  const page = new Uint8Array(HEADER_BYTES)
  readSync(file, page, 0, HEADER_BYTES, 0)
  const reading = new LogHeader(page).read()
  switch (reading.kind) {
    case 'foreign':
      return { kind: 'unusable', epoch: 0, why: 'is no log of comet, and is left as it is' }
    case 'damaged':
      return { kind: 'useless', epoch: reading.epoch, why: 'is damaged' }
    case 'other version':
      return { kind: 'useless', epoch: reading.epoch, why: 'is of another version of comet' }
    case 'whole': {
      const { state } = reading
      if (size === fileBytesOf(state.ringWords)) return { kind: 'log', state }
      return { kind: 'useless', epoch: state.epoch, why: 'is damaged: its length is not its own' }
    }
  }
}

/**
 * A log that can at most be read. It is removed, if that is possible: if it could be written at a
 * later start, nobody would know of the messages between.
 */
function unwritable(path: string, why: string): Found {
  try {
    const page = new Uint8Array(HEADER_BYTES)
    page.set(readFileSync(path).subarray(0, HEADER_BYTES))
    const reading = new LogHeader(page).read()
    if (reading.kind === 'foreign') return { kind: 'unusable', epoch: 0, why }
    const epoch = reading.kind === 'whole' ? reading.state.epoch : reading.epoch
    return remove(path) ? { kind: 'useless', epoch, why } : { kind: 'unusable', epoch, why }
  } catch {
    return { kind: 'unusable', epoch: 0, why }
  }
}

function remove(path: string): boolean {
  try {
    rmSync(path, { force: true })
    return true
  } catch {
    return false
  }
}

/** Goes on with the log of the file. */
function continued(opening: Opening, state: HeaderState): OpenedLog {
  const { path, bootId, ringWords } = opening
  // An id that cannot be read is no one's.
  if (!state.isClean && (state.bootId !== bootId || bootId === '')) {
    return begin(opening, state.epoch, `${path} was open when the machine stopped`)
  }
  const anew = (why: string) => begin(opening, state.epoch, `${path} ${why}`)
  try {
    const isSame = state.ringWords === ringWords
    const opened = isSame ? mapped(opening, state) : resized(opening, state)
    return opened ?? anew('is damaged')
  } catch (error) {
    return anew(`cannot be used: ${reasonOf(error)}`)
  }
}

function mapped(opening: Opening, state: HeaderState): OpenedLog | null {
  return recovered(opening, openLogFile(opening.path, state.ringWords), state)
}

/** Of a log whose heads are not read yet. */
function chainsOf(
  { limits, nameOf }: Opening,
  known: Pick<ChainsOptions, 'floor' | 'expected'> = {},
): Chains {
  const hash = new NameHash(nameOf, randomSeeds())
  return new Chains({ placesMax: limits.headPlacesMax, hash, ...known })
}

function entriesOf({ words, bytes, header }: LogFile) {
  return { words, bytes, header }
}

/** Null if its entries are damaged. */
function recovered(opening: Opening, file: LogFile, state: HeaderState): OpenedLog | null {
  const { path, clock, limits, intern, bootId } = opening
  const { epoch, place } = state
  const ring = new EntryRing({ ...entriesOf(file), next: state.oldest })
  const expected = recoverEntries({ ring, epoch, place, end: state.next, intern })
  if (expected === null) return null
  // What had left the window is known by the file of heads alone.
  const chains = chainsOf(opening, { floor: ring.oldest - 1, expected })
  const of = { path, epoch, ring, chains }
  const keptFrom = readHeads(of)
  recoverChains(ring, chains)
  const { header } = file
  header.setOldest(place, ring.oldest)
  header.setNext(ring.next)
  if (state.isClean || state.bootId !== bootId) {
    header.setClean(false)
    header.setBoot(bootId)
    // Else it might be clean once more after a crash of the machine.
    file.sync()
  }
  const store = new FileStore(file, of, limits, keptFrom)
  return { log: new RingLog({ epoch, ring, chains, clock, limits, store }), note: null }
}

/**
 * Takes over the newest entries that fit. Null if they are damaged. The old file is not mapped: the
 * disk would have its room back only when garbage has been collected.
 */
function resized(opening: Opening, state: HeaderState): OpenedLog | null {
  const { path, ringWords, bootId, bytes: byteCount } = opening
  const { epoch, next, place, stamp, begun } = state
  const { buffer, byteOffset } = readFileSync(path)
  const bytes = new Uint8Array(buffer, byteOffset + HEADER_BYTES, state.ringWords * WORD_BYTES)
  const words = new Uint32Array(buffer, bytes.byteOffset, state.ringWords)
  const ring = new EntryRing({ words, bytes, header: null, next: state.oldest })
  const counts = recoverEntries({ ring, epoch, place, end: next, intern: () => null })
  if (counts === null) return null
  let oldest = next
  let room = ringWords
  for (; oldest > ring.oldest; oldest--) {
    room -= wordsOf(ring.words[ring.placeOf(oldest - 1)] as number)
    if (room < 0) break
  }
  const fill = (words: Uint32Array) => {
    let end = 0
    for (let number = oldest; number < next; number++) {
      const place = ring.placeOf(number)
      const length = wordsOf(ring.words[place] as number)
      words.set(ring.words.subarray(place, place + length), end)
      end += length
    }
  }
  const taken = { epoch, ringWords, bootId, next, oldest, place: 0, stamp, begun }
  const file = createLogFile(path, taken, fill)
  const opened = recovered(opening, file, { ...taken, isClean: state.isClean })
  return opened === null
    ? null
    : { ...opened, note: `${path} keeps ${writtenBytes(byteCount)} from now on` }
}

/** Begins an epoch, in a new file. */
function begin(opening: Opening, epochBefore: number, why: string | null): OpenedLog {
  const { path, clock, limits, ringWords, bootId } = opening
  const epoch = nextEpoch(clock, epochBefore)
  const position = { next: 1, oldest: 1, place: 0 }
  const state = { epoch, ringWords, bootId, ...position, stamp: null, begun: null }
  try {
    const file = created(path, state)
    const ring = new EntryRing({ ...entriesOf(file), next: 1 })
    const chains = chainsOf(opening)
    removeHeads(path)
    const store = new FileStore(file, { path, epoch, ring, chains }, limits, null)
    const log = new RingLog({ epoch, ring, chains, clock, limits, store })
    return { log, note: why === null ? null : `${why}; the log begins anew` }
  } catch (error) {
    // Entries that were lost since would be missing in it.
    remove(path)
    const reason = `${why ?? path}${why === null ? '' : ', and another'} cannot be made`
    return inMemory(opening, epochBefore, `${reason}: ${reasonOf(error)}`)
  }
}

function reasonOf(error: unknown): string {
  const code = codeOrThrow(error)
  return code === 'ENOSPC' ? 'there is no room on its disk' : code
}

/** Of the old file and the new one, there may be room for one alone. */
function created(path: string, state: Omit<HeaderState, 'isClean'>): LogFile {
  try {
    return createLogFile(path, state)
  } catch (error) {
    if (codeOf(error) !== 'ENOSPC') throw error
    rmSync(path, { force: true })
    return createLogFile(path, state)
  }
}

function inMemory(opening: Opening, epochBefore: number, why: string): OpenedLog {
  const { bytes, clock, limits, nameOf } = opening
  const log = memoryLog({ bytes, clock, limits, nameOf, epoch: nextEpoch(clock, epochBefore) })
  return { log, note: `${why}; the log is in memory, and ends with this process` }
}

function nextEpoch(clock: Clock, before: number): number {
  return Math.max(Math.floor(clock.nowMs()), before + 1)
}

/** Empty where it cannot be read. */
function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  } catch {
    return ''
  }
}
