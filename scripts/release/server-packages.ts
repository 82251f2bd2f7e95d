// The npm packages of the executable: one for each kind of machine with the executable alone, and
// one for people, which depends on all of them and starts the one that was installed.

import packageJson from '../../package.json'
import { jsonText, npmPackage } from './npm-package.ts'
import { TARGETS, type Target } from './targets.ts'

const root = `${import.meta.dir}/../..`
const npm = `${import.meta.dir}/npm`

/** The package for people. */
export const SERVER_PACKAGE = 'comet-server'

const { version, license } = packageJson

/** The name of the package for a kind of machine; null if there is none. */
export function packageNameOf({ name }: Target): string | null {
  // The same executable as without the suffix: see README.md.
  return name.endsWith('-baseline') ? null : `${SERVER_PACKAGE}-${name}`
}

/** @param level how hard to compress, from 1 to 9 */
export async function platformPackage(
  target: Target,
  executable: Uint8Array,
  level?: number,
): Promise<Uint8Array> {
  const name = packageNameOf(target)
  if (name === null) throw new Error(`there is no package for ${target.name}`)
  const os = target.loader === 'macOS' ? 'darwin' : 'linux'
  const description = {
    ...{ name, version, license },
    description: `The executable of ${SERVER_PACKAGE} for ${target.name}.`,
    ...{ os: [os], cpu: [target.machine] },
    ...(os === 'linux' ? { libc: [target.name.endsWith('-musl') ? 'musl' : 'glibc'] } : {}),
    // Yarn would leave it in an archive, where it cannot be started.
    preferUnplugged: true,
  }
  const files = [
    { name: 'package.json', contents: jsonText(description) },
    { name: 'LICENSE', contents: await Bun.file(`${root}/LICENSE`).text() },
    { name: 'README.md', contents: `# ${name}\n\n${description.description}\n` },
    { name: 'bin/comet', contents: executable, isExecutable: true },
  ]
  return await npmPackage(files, level)
}

/** The package for people, without an executable of its own. */
export async function serverPackage(): Promise<Uint8Array> {
  const names = TARGETS.flatMap((target) => packageNameOf(target) ?? [])
  const description = {
    ...{ name: SERVER_PACKAGE, version, license, description: packageJson.description },
    bin: { comet: 'bin/comet' },
    ...{ os: ['linux', 'darwin'], cpu: ['x64', 'arm64'] },
    // Of the same version: the executables are made together.
    optionalDependencies: Object.fromEntries(names.map((name) => [name, version])),
  }
  const files = [
    { name: 'package.json', contents: jsonText(description) },
    { name: 'LICENSE', contents: await Bun.file(`${root}/LICENSE`).text() },
    { name: 'README.md', contents: await Bun.file(`${npm}/README.md`).text() },
    {
      name: 'bin/comet',
      contents: await Bun.file(`${npm}/comet.sh`).text(),
      isExecutable: true,
    },
  ]
  return await npmPackage(files)
}
