// The file of a socket that the control port is: taken over from a server that is gone, and never
// from one that lives.

import { lstatSync, unlinkSync } from 'node:fs'
import { OK, type Result, refused } from '../core/result.ts'
import { codeOf } from '../core/system-error.ts'

/** Makes room for a socket at the path. */
export async function makeRoom(path: string): Promise<Result<void>> {
  const file = lstatSync(path, { throwIfNoEntry: false })
  if (file === undefined) return OK
  if (!file.isSocket()) {
    return refused(`unix:${path} is a file that is no socket; choose another path`)
  }
  if (await answers(path)) {
    return refused(`unix:${path} is in use; stop what listens there or choose another`)
  }
  unlinkSync(path)
  return OK
}

async function answers(path: string): Promise<boolean> {
  try {
    const socket = await Bun.connect({ unix: path, socket: { data: () => undefined } })
    socket.end()
    return true
  } catch (error) {
    // Any other error does not prove that no server listens there.
    return codeOf(error) !== 'ECONNREFUSED'
  }
}
