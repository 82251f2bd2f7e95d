// Which packages an executable has in it, from bun.lock: the production dependencies, theirs, and
// what those expect to find beside them. Licences are in the packages' own files, as they are
// installed.

import packageJson from '../../package.json'

const root = `${import.meta.dir}/../..`

export interface Package {
  readonly name: string
  readonly version: string
  /** As npm has it: `sha512-` and the digest in base64. */
  readonly integrity: string
  /** An expression of SPDX. */
  readonly license: string
  /** Names of packages. */
  readonly dependencies: readonly string[]
}

interface Needs {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly optionalPeers?: readonly string[]
}

/** The name with its version, where it is from if not from the usual registry, needs, integrity. */
type Locked = readonly [string, string, Needs, string]

/** Sorted by name. */
export async function productionPackages(): Promise<Package[]> {
  const lock = Bun.JSONC.parse(await Bun.file(`${root}/bun.lock`).text()) as {
    readonly packages: Readonly<Record<string, Locked>>
  }
  const found = new Map<string, Package>()
  const pending = Object.keys(packageJson.dependencies)
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (found.has(name)) continue
    const locked = lock.packages[name]
    if (locked === undefined) throw new Error(`bun.lock has no ${name}`)
    const read = await packageOf(name, locked)
    found.set(name, read)
    pending.push(...read.dependencies)
  }
  for (const path of Object.keys(lock.packages)) {
    // A second version of a package is listed behind what needs it, as `strip-ansi/ansi-regex`.
    const [, parent] = /^(@[^/]+\/[^/]+|[^@/]+)\//.exec(path) ?? []
    if (parent !== undefined && found.has(parent)) {
      throw new Error(`bun.lock has ${path}; this list has one version of each package`)
    }
  }
  return [...found.values()].sort((one, other) => (one.name < other.name ? -1 : 1))
}

async function packageOf(name: string, [full, , needs, integrity]: Locked): Promise<Package> {
  const installed = await Bun.file(`${root}/node_modules/${name}/package.json`).json()
  const version = full.slice(name.length + 1)
  if (installed.version !== version) {
    throw new Error(`${name} is installed as ${installed.version}, but bun.lock has ${version}`)
  }
  if (typeof installed.license !== 'string') throw new Error(`${name} names no licence`)
  return { name, version, integrity, license: installed.license, dependencies: neededBy(needs) }
}

/** Packages that are there for development only are types, and in no executable. */
function neededBy({
  dependencies = {},
  peerDependencies = {},
  optionalPeers = [],
}: Needs): string[] {
  const peers = Object.keys(peerDependencies).filter((name) => !optionalPeers.includes(name))
  return [...Object.keys(dependencies), ...peers]
    .filter((name) => !Object.hasOwn(packageJson.devDependencies, name))
    .sort()
}
