// What a command writes: standard output, and files, which are whole or as they were before.
// Readers see either the old file or all of the new one. Output that cannot be written ends the
// command.

import { lstatSync, readlinkSync, realpathSync, rmSync, type Stats, statSync } from 'node:fs'
import { type FileHandle, open, rename } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { codeOf } from '../core/system-error.ts'
import { onProcessEnd } from '../os/process.ts'

/** Output that could not be written, to a file or to standard output. */
export class OutputError extends Error {
  /** The reader of standard output has left. */
  readonly isReaderGone: boolean

  constructor(place: string, code: string, isReaderGone = false) {
    super(`${place} could not be written (${code})`)
    this.isReaderGone = isReaderGone
  }
}

export class StandardOutput {
  /** All texts so far; rejects with the first error. */
  #texts: Promise<unknown> = Promise.resolve()
  readonly #failed = Promise.withResolvers<never>()
  #isOpen = false

  /** Rejects when a text cannot be written, and never settles otherwise. */
  get failed(): Promise<never> {
    return this.#failed.promise
  }

  /** Settles when all texts so far are written; rejects if one of them could not be. */
  async written(): Promise<void> {
    await this.#texts
  }

  text(text: string): void {
    const written = this.#write(text.endsWith('\n') ? text : `${text}\n`)
    written.catch((error: unknown) => this.#failed.reject(error))
    this.#texts = Promise.all([this.#texts, written])
    // `failed` and `written()` report it.
    this.#texts.catch(() => undefined)
  }

  /** Settles when the bytes are free again; rejects if they could not be written. */
  bytes(data: Uint8Array): Promise<void> {
    return this.#write(data)
  }

  #write(data: string | Uint8Array): Promise<void> {
    const { stdout } = process
    // Each write gets its own error; without a listener it would end the process.
    if (!this.#isOpen) stdout.on('error', () => undefined)
    this.#isOpen = true
    return new Promise((resolve, reject) => {
      stdout.write(data, (error?: Error | null) => {
        if (error === undefined || error === null) return resolve()
        const code = codeOf(error) ?? error.message
        reject(new OutputError('standard output', code, code === 'EPIPE'))
      })
    })
  }
}

export type Write = (bytes: Uint8Array) => Promise<void>

/** Symbolic links that are followed; as many as Linux follows. */
const LINKS_MAX = 40
/** A descriptor that this process has open; standard output is 1. */
const DESCRIPTOR = new RegExp(`^/(?:dev|proc/${process.pid})/fd/(\\d+)$`)

/**
 * Gives `work` a function that writes; the file takes its place when all is written. Anything but a
 * regular file, such as a device or a FIFO, is written to directly.
 *
 * @throws OutputError if the file could not be written; a regular file is then as it was
 */
export async function writeFile(
  path: string,
  io: { stdoutBytes(data: Uint8Array): Promise<void> },
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
    const code = codeOf(error)
    throw code === undefined ? error : new OutputError(path, code)
  }
}

interface Place {
  readonly path: string
  /** The file that is there; null if there is none. */
  readonly old: Stats | null
  /** How it is opened if it is written to directly. */
  readonly direct: 'w' | 'a' | null
}

/** What a path leads to: a link stays, and so does a file that cannot be replaced. */
function placeOf(given: string): Place | 'standard output' {
  let path = resolve(given)
  for (let links = 0; links < LINKS_MAX; links++) {
    const folder = realpathSync(dirname(path))
    path = join(folder, basename(path))
    const descriptor = DESCRIPTOR.exec(path)?.[1]
    if (descriptor === '1') return 'standard output'
    // The process that opened the descriptor decided whether its content is kept.
    if (descriptor !== undefined) return { path, old: null, direct: 'a' }
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) break
    path = resolve(folder, readlinkSync(path))
  }
  const old = statSync(path, { throwIfNoEntry: false }) ?? null
  // A file on another device than its folder is a mount point.
  const stays = old !== null && !(old.isFile() && old.dev === statSync(dirname(path)).dev)
  return { path, old, direct: stays ? 'w' : null }
}

class OutputFile {
  readonly #place: Place
  #handle: FileHandle | null = null
  /** The temporary file beside the one that it will replace. */
  #beside: string | null = null
  #forgetCleanUp: () => void = () => undefined

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
    // Some file systems report a full disk only now.
    await this.#handle.sync()
    await rename(this.#beside, this.#place.path)
    this.#forget()
  }

  /** Removes what is not finished. */
  async close(): Promise<void> {
    this.#remove()
    this.#forget()
    await this.#handle?.close()
  }

  async #open(): Promise<FileHandle> {
    const { path, old, direct } = this.#place
    if (direct !== null) return await open(path, direct)
    const beside = join(dirname(path), `.comet-${process.pid}-${crypto.randomUUID()}`)
    // Before the file exists, since a signal may come at once.
    this.#beside = beside
    this.#forgetCleanUp = onProcessEnd(() => this.#remove())
    let handle: FileHandle
    try {
      handle = await open(beside, 'wx')
    } catch (error) {
      this.#forget()
      // The file may be writable although its folder is not.
      if (old === null || !isRefusal(error)) throw error
      return await open(path, 'w')
    }
    if (old !== null) await copyOwnerAndMode(handle, old)
    return handle
  }

  #remove(): void {
    if (this.#beside !== null) rmSync(this.#beside, { force: true })
  }

  #forget(): void {
    this.#beside = null
    this.#forgetCleanUp()
  }
}

/** Copies owner and mode of the file that will be replaced. */
async function copyOwnerAndMode(handle: FileHandle, old: Stats): Promise<void> {
  try {
    const { uid, gid } = await handle.stat()
    if (uid !== old.uid || gid !== old.gid) await handle.chown(old.uid, old.gid)
  } catch (error) {
    // Only root may change the owner.
    if (!isRefusal(error)) throw error
  }
  await handle.chmod(old.mode & 0o7777)
}

function isRefusal(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
}
