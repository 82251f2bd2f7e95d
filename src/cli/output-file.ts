// A file that a command writes: whole, or as it was before. Readers see either the old file or all of
// the new one.

import { lstatSync, readlinkSync, realpathSync, rmSync, type Stats, statSync } from 'node:fs'
import { type FileHandle, open, rename } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { Io } from './io.ts'
import { removeAtEnd } from './leftover.ts'
import { OutputError } from './output.ts'

export type Write = (bytes: Uint8Array) => Promise<void>

/** Links that lead to one another; Linux follows no more either. */
const LINKS_MAX = 40
/** What this process has open already, by its number; standard output is 1. */
const DESCRIPTOR = new RegExp(`^/(?:dev|proc/${process.pid})/fd/(\\d+)$`)

/**
 * Gives `work` a place to write to, which becomes the file when all is written. What is no regular
 * file, such as a device or a FIFO, is written to directly.
 *
 * @throws OutputError if the file could not be written; a regular file is then as it was
 */
export async function writeFile(
  path: string,
  io: Pick<Io, 'stdoutBytes'>,
  work: (write: Write) => Promise<unknown>,
): Promise<void> {
  const place = await attempt(path, async () => placeOf(path))
  if (place === 'standard output') {
    await work((bytes) => io.stdoutBytes(bytes))
    return
  }
  const file = new OutputFile(place)
  try {
    await work((bytes) => attempt(path, () => file.write(bytes)))
    await attempt(path, () => file.finish())
  } finally {
    await file.close()
  }
}

async function attempt<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw error instanceof Error && 'code' in error
      ? new OutputError(path, String(error.code))
      : error
  }
}

interface Place {
  readonly path: string
  /** The file that is there, which another one can replace; null if there is none. */
  readonly old: Stats | null
  /** How it is opened if it is to be written to directly. */
  readonly direct: 'w' | 'a' | null
}

/** What a path stands for in the end: a link stays, and so does what cannot be replaced. */
function placeOf(given: string): Place | 'standard output' {
  let path = resolve(given)
  for (let links = 0; links < LINKS_MAX; links++) {
    const folder = realpathSync(dirname(path))
    path = join(folder, basename(path))
    const descriptor = DESCRIPTOR.exec(path)?.[1]
    if (descriptor === '1') return 'standard output'
    // Its opener has decided what becomes of what is in it.
    if (descriptor !== undefined) return { path, old: null, direct: 'a' }
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) break
    path = resolve(folder, readlinkSync(path))
  }
  const old = statSync(path, { throwIfNoEntry: false }) ?? null
  // A file of another device than its folder is mounted there.
  const stays = old !== null && !(old.isFile() && old.dev === statSync(dirname(path)).dev)
  return { path, old, direct: stays ? 'w' : null }
}

class OutputFile {
  readonly #place: Place
  #handle: FileHandle | null = null
  /** The file beside the one that it will replace, until it does. */
  #beside: string | null = null
  #isSafe: () => void = () => undefined

  constructor(place: Place) {
    this.#place = place
  }

  async write(bytes: Uint8Array): Promise<void> {
    // Opened no sooner, so that nothing is left behind by what fails before.
    this.#handle ??= await this.#open()
    await this.#handle.writeFile(bytes)
  }

  async finish(): Promise<void> {
    this.#handle ??= await this.#open()
    if (this.#beside === null) return
    // Some file systems tell of a full disk only now.
    await this.#handle.sync()
    await rename(this.#beside, this.#place.path)
    this.#forget()
  }

  /** What is not finished is gone. */
  async close(): Promise<void> {
    this.#remove()
    this.#forget()
    await this.#handle?.close()
  }

  async #open(): Promise<FileHandle> {
    const { path, old, direct } = this.#place
    if (direct !== null) return await open(path, direct)
    const beside = join(dirname(path), `.comet-${process.pid}-${crypto.randomUUID()}`)
    // Before there is anything to remove, since a signal may come at once.
    this.#beside = beside
    this.#isSafe = removeAtEnd(() => this.#remove())
    let handle: FileHandle
    try {
      handle = await open(beside, 'wx')
    } catch (error) {
      this.#forget()
      // The file may be one to write to, though its folder is not.
      if (old === null || !isRefusal(error)) throw error
      return await open(path, 'w')
    }
    if (old !== null) await takeAfter(handle, old)
    return handle
  }

  #remove(): void {
    if (this.#beside !== null) rmSync(this.#beside, { force: true })
  }

  #forget(): void {
    this.#beside = null
    this.#isSafe()
  }
}

/** Gives a file the owner and the mode of the one that it will replace. */
async function takeAfter(handle: FileHandle, old: Stats): Promise<void> {
  try {
    const { uid, gid } = await handle.stat()
    if (uid !== old.uid || gid !== old.gid) await handle.chown(old.uid, old.gid)
  } catch (error) {
    // Only root gives files away; others' new file is their own.
    if (!isRefusal(error)) throw error
  }
  await handle.chmod(old.mode & 0o7777)
}

function isRefusal(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : null
  return code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
}
