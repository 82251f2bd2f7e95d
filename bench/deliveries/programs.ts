// The programs in C of what measures deliveries: the bare epoll server, and the client of all
// servers.

import { makeFolder } from '../../scripts/support/folder.ts'
import { compileC } from '../harness/process.ts'

/** Paths; the folder is removed with all that is in it. */
export interface Programs extends AsyncDisposable {
  readonly folder: string
  readonly floor: string
  readonly receiver: string
}

/** Compiles them, or says why this machine cannot run them. */
export async function compilePrograms(): Promise<Programs | { readonly impossible: string }> {
  const cc = Bun.which('cc')
  if (process.platform !== 'linux') return { impossible: 'bare epoll is Linux only' }
  if (cc === null) return { impossible: 'there is no C compiler (cc) to build the floor with' }
  const folder = await makeFolder()
  const compiled = async (name: string) => {
    const program = `${folder.path}/${name}`
    await compileC(cc, `${import.meta.dir}/${name}.c`, program)
    return program
  }
  return {
    folder: folder.path,
    floor: await compiled('floor'),
    receiver: await compiled('receiver'),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}
