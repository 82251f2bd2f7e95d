// Which loader and libraries of this machine an executable needs, and where its loader looks for
// them when there is no cache of libraries. It runs neither the executable nor `ldd`.

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

/** The files that an executable needs to be started, by their paths; throws if one is not there. */
export async function librariesOf(executable: Elf): Promise<string[]> {
  const { machine, interpreter } = executable
  if (interpreter === null) return []
  const paths = new Set([interpreter])
  const pending: Elf[] = [executable, await readLibrary(interpreter, machine)]
  for (let elf = pending.pop(); elf !== undefined; elf = pending.pop()) {
    if (elf.searched.length > 0) throw new Error(`it searches ${elf.searched}, which is not known`)
    for (const name of elf.needed) {
      if (isLoader(name, interpreter)) continue
      const found = await find(name, machine)
      if (paths.has(found.path)) continue
      paths.add(found.path)
      pending.push(found.elf)
    }
  }
  return [...paths].sort()
}

/** A loader is there already; musl's is its C library too. */
function isLoader(name: string, interpreter: string): boolean {
  const loader = basename(interpreter)
  return name === loader || (loader.startsWith('ld-musl-') && name.startsWith('libc.'))
}

async function find(name: string, machine: Machine): Promise<{ path: string; elf: Elf }> {
  for (const folder of FOLDERS[machine]) {
    const path = `${folder}/${name}`
    if (!existsSync(path)) continue
    const elf = readElf(await Bun.file(path).bytes())
    if (elf?.machine === machine) return { path, elf }
  }
  throw new Error(`${name} for ${machine} is not in ${FOLDERS[machine].join(', ')}`)
}

async function readLibrary(path: string, machine: Machine): Promise<Elf> {
  const elf = existsSync(path) ? readElf(await Bun.file(path).bytes()) : undefined
  if (elf?.machine !== machine) throw new Error(`there is no ${path} for ${machine}`)
  return elf
}
