// Builds everything that a release has: an executable for each machine, the client library for npm,
// their checksums, and the list of what the executables are made of. A target that is not available
// is reported, and the others are built.
//
//   bun run release                              dist/release/, and dist/comet-client.tgz
//   bun run release --only linux-x64-musl        only that executable and the lists; repeatable
//
// The same commit makes the same bytes, with the same version of Bun.

import { mkdir, rename, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { CLIENT_PACKAGE, clientPackage } from './release/client-package.ts'
import { productionPackages } from './release/packages.ts'
import { sbomOf } from './release/sbom.ts'
import { isSigned, signed } from './release/signature.ts'
import { mistaken, TARGETS, type Target } from './release/targets.ts'
import { runProgram } from './support/child-process.ts'
import { commitOfTree } from './support/commit.ts'

const root = resolve(import.meta.dir, '..')

/** Milliseconds for one executable, whose Bun may have to be downloaded first. */
const BUILD_MS_MAX = 600_000

const SUMS = 'SHA256SUMS'
const SBOM = 'comet.cdx.json'

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: TARGETS.map(({ name }) => name) },
    folder: { type: 'string', default: `${root}/dist/release` },
  },
  strict: true,
})

interface Sum {
  readonly name: string
  readonly sha256: string
}

/** Answers the executable's checksum, or why there is none. */
async function build(target: Target): Promise<Sum | { readonly why: string }> {
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
  console.error(`${(bytes.length / 1e6).toFixed(1).padStart(6)} MB  ${name}`)
  return { name, sha256: sha256Of(bytes) }
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
  const names = [SUMS, SBOM, CLIENT_PACKAGE, ...TARGETS.map(({ name }) => `comet-${name}`)]
  for (const name of names) await rm(`${values.folder}/${name}`, { force: true })
}

async function release(targets: readonly Target[]): Promise<number> {
  const packages = await productionPackages()
  await clear()
  const executables: Sum[] = []
  const failures: string[] = []
  for (const target of targets) {
    const built = await build(target)
    if ('why' in built) failures.push(`comet-${target.name} cannot be built: ${built.why}`)
    else executables.push(built)
  }
  const sbom = `${JSON.stringify(sbomOf({ packages, executables, ...(await commit()) }), null, 2)}\n`
  await Bun.write(`${values.folder}/${SBOM}`, sbom)
  const client = await clientPackage()
  await Bun.write(`${values.folder}/${CLIENT_PACKAGE}`, client)
  // Where it is found without a release, too.
  await Bun.write(`${root}/dist/${CLIENT_PACKAGE}`, client)
  const sums = [
    ...executables,
    { name: CLIENT_PACKAGE, sha256: sha256Of(client) },
    { name: SBOM, sha256: sha256Of(sbom) },
  ]
  const lines = sums.map(({ name, sha256 }) => `${sha256}  ${name}\n`)
  await Bun.write(`${values.folder}/${SUMS}`, lines.join(''))
  console.error(`${packages.length} packages and Bun ${Bun.version} are listed in ${SBOM}`)
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
