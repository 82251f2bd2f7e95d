// Open files of this process, of which every connection is one: their limit, their number, and a
// reserve.

import { closeSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { codeOf } from '../core/system-error.ts'

/**
 * The open-files limit of this process (`ulimit -n`). Bun raises the soft limit to the hard one
 * when it starts, so the hard limit is what counts.
 */
export function openFilesLimit(): number {
  const fromProc = limitFromProc()
  if (fromProc !== undefined) return fromProc
  // Without /proc: every POSIX shell reports the limit that it inherits.
  const shell = Bun.spawnSync(['sh', '-c', 'ulimit -n'])
  const text = shell.stdout.toString().trim()
  return text === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(text) || 1024
}

function limitFromProc(): number | undefined {
  let text: string
  try {
    text = readFileSync('/proc/self/limits', 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  const soft = /^Max open files\s+(\S+)/m.exec(text)?.[1]
  if (soft === undefined) return undefined
  return soft === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(soft)
}

/** How many files this process has open. Linux 6.2 and later report it without a list. */
export function openFiles(): number {
  const size = sizeOfProcFd()
  return size > 0 ? size : descriptors().length
}

/** The numbers of this process's open files, perhaps with the one that reads this list. */
export function descriptors(): number[] {
  // A container may lack /dev/fd, and other systems have no /proc.
  const folder = process.platform === 'linux' ? '/proc/self/fd' : '/dev/fd'
  return readdirSync(folder).map(Number)
}

/** The highest descriptor of this process, estimated from how many files it ever had open. */
export class HighestDescriptor {
  readonly #limit: number
  readonly #openFiles: () => number
  #filesMax = 0

  constructor(limit: number, openFiles: () => number) {
    this.#limit = limit
    this.#openFiles = openFiles
  }

  /** A new file gets the lowest free number, so none is much above the most that were ever open. */
  last(): number {
    this.#filesMax = Math.max(this.#filesMax, this.#openFiles())
    return Math.min(this.#limit, Math.ceil(this.#filesMax * 1.25) + 1_024) - 1
  }
}

/** Open files that are only held to be closed when no others are left. */
export class ReservedDescriptors {
  #held: number[] = []

  get count(): number {
    return this.#held.length
  }

  hold(count: number): void {
    while (this.#held.length < count) this.#held.push(openSync('/dev/null', 'r'))
  }

  release(): void {
    for (const descriptor of this.#held) closeSync(descriptor)
    this.#held = []
  }
}

function sizeOfProcFd(): number {
  return statSync('/proc/self/fd', { throwIfNoEntry: false })?.size ?? 0
}
