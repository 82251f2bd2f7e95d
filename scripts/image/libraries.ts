// Which loader and libraries an executable needs, where its loader looks for them when there is no
// cache of libraries, and where this machine has them, which may be of the other kind. It runs
// neither the executable nor `ldd`.

import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { type Elf, type Machine, readElf } from './elf.ts'

/** Where the loaders of distributions look by themselves; Debian's names folders after machines. */
const FOLDERS: Readonly<Record<Machine, readonly string[]>> = {
  x64: foldersOf('x86_64-linux-gnu'),
  arm64: foldersOf('aarch64-linux-gnu'),
}

function foldersOf(triplet: string): string[] {
  return [`/lib/${triplet}`, `/usr/lib/${triplet}`, '/lib64', '/usr/lib64', '/lib', '/usr/lib']
}

/**
 * Where Debian has the loader and the libraries for machines of the other kind: in the packages
 * libc6-arm64-cross and libc6-amd64-cross, all in one folder.
 */
const OTHERS: Readonly<Record<Machine, string>> = {
  x64: '/usr/x86_64-linux-gnu/lib',
  arm64: '/usr/aarch64-linux-gnu/lib',
}

export interface Library {
  /** Where the loader looks for it. */
  readonly path: string
  /** Where this machine has it. */
  readonly source: string
}

/** The files that an executable needs to be started, by their paths; throws if one is not there. */
export async function librariesOf(executable: Elf): Promise<Library[]> {
  const { machine, interpreter } = executable
  if (interpreter === null) return []
  const loader = await find([interpreter, `${OTHERS[machine]}/${basename(interpreter)}`], machine)
  const libraries = new Map([[interpreter, loader.source]])
  const pending: Elf[] = [executable, loader.elf]
  for (let elf = pending.pop(); elf !== undefined; elf = pending.pop()) {
    if (elf.searched.length > 0) throw new Error(`it searches ${elf.searched}, which is not known`)
    for (const name of elf.needed) {
      if (isLoader(name, interpreter)) continue
      const paths = FOLDERS[machine].map((folder) => `${folder}/${name}`)
      const found = await find([...paths, `${OTHERS[machine]}/${name}`], machine)
      const [first = found.source] = paths
      const path = paths.includes(found.source) ? found.source : first
      if (libraries.has(path)) continue
      libraries.set(path, found.source)
      pending.push(found.elf)
    }
  }
  return [...libraries]
    .map(([path, source]) => ({ path, source }))
    .sort((one, other) => (one.path < other.path ? -1 : 1))
}

/** A loader is there already; musl's is its C library too. */
function isLoader(name: string, interpreter: string): boolean {
  const loader = basename(interpreter)
  return name === loader || (loader.startsWith('ld-musl-') && name.startsWith('libc.'))
}

/** The first of these files that is for this kind of machine. */
async function find(
  paths: readonly string[],
  machine: Machine,
): Promise<{ source: string; elf: Elf }> {
  for (const source of paths) {
    if (!existsSync(source)) continue
    const elf = readElf(await Bun.file(source).bytes())
    if (elf?.machine === machine) return { source, elf }
  }
  throw new Error(`there is none for ${machine} of ${paths.join(', ')}`)
}
