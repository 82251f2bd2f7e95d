// Builds everything that a release has: an executable for each machine, with its packages for
// Debian and npm; the man page; the client library for npm; their checksums, and the list of what
// the executables are made of. A target that is not available is reported, the others are built.
//
//   bun run release                              dist/release/, and dist/comet-client.tgz
//   bun run release --image                      with the image for x64 and arm64; Linux only
//   bun run release --only linux-x64-musl        only that executable, its packages and the lists;
//                                                repeatable
//
// DEBFULLNAME and DEBEMAIL name who answers for the Debian packages, and --source URL says in the
// image where the source is. The same commit makes the same bytes, with the same version of Bun.

import { mkdir, rename, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { CLIENT_PACKAGE, clientPackage } from './release/client-package.ts'
import { debName, debOf } from './release/deb.ts'
import { MAN_PAGE, manPage } from './release/documents.ts'
import { productionPackages } from './release/packages.ts'
import { sbomOf } from './release/sbom.ts'
import {
  packageNameOf,
  platformPackage,
  SERVER_PACKAGE,
  serverPackage,
} from './release/server-packages.ts'
import { isSigned, signed } from './release/signature.ts'
import { mistaken, TARGETS, type Target } from './release/targets.ts'
import { runProgram } from './support/child-process.ts'
import { commitOfTree } from './support/commit.ts'

const root = resolve(import.meta.dir, '..')

/** Milliseconds for one executable, whose Bun may have to be downloaded first. */
const BUILD_MS_MAX = 600_000

const SUMS = 'SHA256SUMS'
const SBOM = 'comet.cdx.json'
const IMAGE = 'comet.oci.tar'

/** Debian and the image have the C library of GNU. */
const DEB_TARGETS = ['linux-x64', 'linux-arm64']

const { DEBFULLNAME = 'The comet authors', DEBEMAIL = 'authors@comet.invalid' } = process.env
const MAINTAINER = `${DEBFULLNAME} <${DEBEMAIL}>`

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: TARGETS.map(({ name }) => name) },
    folder: { type: 'string', default: `${root}/dist/release` },
    image: { type: 'boolean', default: false },
    source: { type: 'string', default: process.env['COMET_SOURCE_URL'] },
    /** How hard packages are compressed, 1 to 9; tests have no minute to spare. */
    level: { type: 'string', default: '6' },
  },
  strict: true,
})

interface Sum {
  readonly name: string
  readonly sha256: string
}

interface Built extends Sum {
  readonly bytes: Uint8Array
}

/** Answers the executable with its checksum, or why there is none. */
async function build(target: Target): Promise<Built | { readonly why: string }> {
  const name = `comet-${target.name}`
  // In the same folder each time: Bun writes paths of the source, relative to it, into the result.
  const command = [process.execPath, 'scripts/build.ts', '--target', `bun-${target.name}`]
  const { exitCode, stderr } = await runProgram(command, { cwd: root, timeoutMs: BUILD_MS_MAX })
  if (exitCode !== 0) return { why: reasonIn(stderr) }
  const built = await Bun.file(`${root}/dist/${name}`).bytes()
  const why = mistaken(built, target)
  if (why !== null) return { why }
  const bytes = target.loader === 'macOS' && !isSigned(built) ? signed(built, 'comet') : built
  if (bytes !== built) await Bun.write(`${root}/dist/${name}`, bytes)
  await rename(`${root}/dist/${name}`, `${values.folder}/${name}`)
  return { ...said(name, bytes), bytes }
}

function said(name: string, bytes: Uint8Array): Sum {
  console.error(`${(bytes.length / 1e6).toFixed(1).padStart(6)} MB  ${name}`)
  return { name, sha256: sha256Of(bytes) }
}

async function write(name: string, bytes: Uint8Array): Promise<Sum> {
  await Bun.write(`${values.folder}/${name}`, bytes)
  return said(name, bytes)
}

/** The packages of an executable. */
async function packed(target: Target, executable: Uint8Array, seconds: number): Promise<Sum[]> {
  const level = Number(values.level)
  const sums: Sum[] = []
  const name = packageNameOf(target)
  if (name !== null) {
    sums.push(await write(`${name}.tgz`, await platformPackage(target, executable, level)))
  }
  if (DEB_TARGETS.includes(target.name)) {
    const { machine } = target
    const deb = await debOf({ machine, executable, maintainer: MAINTAINER, seconds, level })
    sums.push(await write(debName(machine), deb))
  }
  return sums
}

/** The image of the executables for glibc that were built; none if there are none. */
async function image(built: readonly Sum[]): Promise<Sum[]> {
  const executables = DEB_TARGETS.map((target) => `comet-${target}`).filter((name) =>
    built.some((one) => one.name === name),
  )
  if (!values.image || executables.length === 0) return []
  const outfile = `${values.folder}/${IMAGE}`
  const options = executables.flatMap((name) => ['--executable', `${values.folder}/${name}`])
  const source = values.source === undefined ? [] : ['--source', values.source]
  const command = [process.execPath, 'scripts/image.ts', ...options, '--outfile', outfile]
  const { exitCode, stderr } = await runProgram([...command, ...source], {
    cwd: root,
    timeoutMs: BUILD_MS_MAX,
  })
  if (exitCode !== 0) throw new Error(reasonIn(stderr))
  return [said(IMAGE, await Bun.file(outfile).bytes())]
}

/** The line that says what went wrong, of all that Bun writes. */
function reasonIn(stderr: string): string {
  const lines = Bun.stripANSI(stderr).trim().split('\n')
  return lines.find((line) => /\berror\b/i.test(line)) ?? lines.at(-1) ?? 'without a word'
}

function sha256Of(contents: Uint8Array | string): string {
  return new Bun.CryptoHasher('sha256').update(contents).digest('hex')
}

async function commit(): Promise<{ commit: string; seconds: number }> {
  const { revision, seconds } = await commitOfTree()
  if (revision?.endsWith('+')) {
    console.error('The tree has changes of its own; a release is of a commit.')
  }
  return { commit: revision ?? 'unknown', seconds }
}

/** What an earlier release left would be taken for a part of this one. */
async function clear(): Promise<void> {
  await mkdir(values.folder, { recursive: true })
  const names = [
    ...[SUMS, SBOM, IMAGE, MAN_PAGE, CLIENT_PACKAGE, `${SERVER_PACKAGE}.tgz`],
    ...TARGETS.flatMap((target) => [
      ...[`comet-${target.name}`, `${packageNameOf(target)}.tgz`, debName(target.machine)],
    ]),
  ]
  for (const name of names) await rm(`${values.folder}/${name}`, { force: true })
}

async function release(targets: readonly Target[]): Promise<number> {
  const parts = await productionPackages()
  const made = await commit()
  await clear()
  const executables: Sum[] = []
  const packages: Sum[] = []
  const failures: string[] = []
  for (const target of targets) {
    const built = await build(target)
    if ('why' in built) {
      failures.push(`comet-${target.name} cannot be built: ${built.why}`)
      continue
    }
    const { bytes, ...sum } = built
    executables.push(sum)
    packages.push(...(await packed(target, bytes, made.seconds)))
  }
  packages.push(await write(`${SERVER_PACKAGE}.tgz`, await serverPackage()))
  const client = await clientPackage()
  packages.push(await write(CLIENT_PACKAGE, client))
  // Where it is found without a release, too.
  await Bun.write(`${root}/dist/${CLIENT_PACKAGE}`, client)
  packages.push(await write(MAN_PAGE, Buffer.from(await manPage())))
  packages.push(...(await image(executables)))
  const sbom = `${JSON.stringify(sbomOf({ packages: parts, executables, ...made }), null, 2)}\n`
  await Bun.write(`${values.folder}/${SBOM}`, sbom)
  const sums = [...executables, ...packages, { name: SBOM, sha256: sha256Of(sbom) }]
  const lines = sums.map(({ name, sha256 }) => `${sha256}  ${name}\n`)
  await Bun.write(`${values.folder}/${SUMS}`, lines.join(''))
  console.error(`${parts.length} packages and Bun ${Bun.version} are listed in ${SBOM}`)
  for (const failure of failures) console.error(failure)
  return failures.length === 0 ? 0 : 1
}

const wanted = new Set(values.only)
const targets = TARGETS.filter(({ name }) => wanted.delete(name))
if (wanted.size > 0) {
  const names = TARGETS.map(({ name }) => name).join(', ')
  console.error(`There is no target ${[...wanted].join(', ')}; there are ${names}.`)
  process.exit(2)
}
process.exit(await release(targets))
