// A folder for one test: made in the place for temporary files, and removed with all that is in it
// at the end of the scope.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'

export interface Folder extends AsyncDisposable {
  readonly path: string
}

export async function makeFolder(): Promise<Folder> {
  const path = await mkdtemp(`${tmpdir()}/comet-test-`)
  return {
    path,
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true })
    },
  }
}
