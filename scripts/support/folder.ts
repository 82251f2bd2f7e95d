// Temporary folders of tests, benches and the demo, each removed with all that is in it.

import { afterAll } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'

export interface Folder extends AsyncDisposable {
  readonly path: string
}

const folders = new Set<string>()

process.on('exit', () => folders.forEach(remove))

/** A folder for a scope: removed at its end, or when this process is interrupted. */
export async function makeFolder(): Promise<Folder> {
  const path = make()
  return { path, [Symbol.asyncDispose]: async () => remove(path) }
}

/** A folder for all tests of the file that is being loaded. */
export function folderOfTests(): string {
  const path = make()
  afterAll(() => remove(path))
  return path
}

/** Writes a file that only its owner can read, as one with a secret has to be. Returns its path. */
export function privateFile(folder: string, text: string): string {
  const path = `${folder}/${crypto.randomUUID()}`
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

function make(): string {
  const path = mkdtempSync(`${tmpdir()}/comet-`)
  folders.add(path)
  return path
}

function remove(path: string): void {
  rmSync(path, { recursive: true, force: true })
  folders.delete(path)
}
