// Goal: a release has executables for the machines they are named after, packages of them,
// checksums that `sha256sum` takes, and a true list of what is in them; failures are reported.
// Method: a release of one target that can be had and one that cannot. All of them, with their
// downloads, are built by hand.

import { beforeAll, expect, test } from 'bun:test'
import { readdir, rm } from 'node:fs/promises'
import packageJson from '../../package.json'
import { type Finished, runProgram } from '../support/child-process.ts'
import { folderOfTests } from '../support/folder.ts'
import { type ReadBom, readBom } from './cyclonedx.fixture.ts'
import { debName } from './deb.ts'
import { productionPackages } from './packages.ts'
import { mistaken, TARGETS } from './targets.ts'

const root = `${import.meta.dir}/../..`

/** For this machine Bun takes itself; everything else it has to fetch. */
const HERE = `${process.platform}-${process.arch}`
const ELSEWHERE = HERE === 'linux-arm64' ? 'linux-x64-musl' : 'linux-arm64'

/** What a release of one target has, in order. */
const FILES = [
  ...[`comet-${HERE}`, `comet-server-${HERE}.tgz`],
  ...(process.platform === 'linux' ? [debName(process.arch === 'x64' ? 'x64' : 'arm64')] : []),
  ...['comet-server.tgz', 'comet-client.tgz', 'comet.1', 'comet.cdx.json'],
]

const folder = folderOfTests()
let result: Finished
let bom: ReadBom

function release(args: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
  const command = [process.execPath, `${root}/scripts/release.ts`, ...args]
  return runProgram(command, { env, killsDescendants: true })
}

beforeAll(async () => {
  await Bun.write(`${folder}/comet-linux-x64-musl`, 'from an earlier release')
  await Bun.write(`${folder}/no-folder`, '')
  result = await release(
    ['--only', HERE, '--only', ELSEWHERE, '--folder', folder, '--level', '1'],
    // Nothing can be kept in a file, so nothing can be fetched.
    { BUN_INSTALL_CACHE_DIR: `${folder}/no-folder/cache` },
  )
  await rm(`${folder}/no-folder`)
  bom = readBom(await Bun.file(`${folder}/comet.cdx.json`).text())
}, 60_000)

test('a target that cannot be built is reported with exit 1, and the other is built', async () => {
  expect(result.stderr).toMatch(
    new RegExp(`^comet-${ELSEWHERE} cannot be built: .*error: .+$`, 'm'),
  )
  expect(result.exitCode).toBe(1)
  expect((await readdir(folder)).sort()).toEqual(['SHA256SUMS', ...FILES].sort())
})

test('the executable of a release runs and names this commit', async () => {
  const head = (await Bun.$`git -C ${root} rev-parse --short HEAD`.text()).trim()
  const line = await Bun.$`${folder}/comet-${HERE} --version`.text()
  expect(line).toStartWith(`comet ${packageJson.version} (${head}`)
})

test('sha256sum accepts the checksums of a release', async () => {
  const sums = await Bun.file(`${folder}/SHA256SUMS`).text()
  const lines = sums.trim().split('\n')
  expect(lines.map((line) => line.slice(66))).toEqual(FILES)
  for (const line of lines) {
    const bytes = await Bun.file(`${folder}/${line.slice(66)}`).bytes()
    expect(line.slice(0, 66)).toBe(
      `${new Bun.CryptoHasher('sha256').update(bytes).digest('hex')}  `,
    )
  }
  if (Bun.which('sha256sum') !== null) {
    await Bun.$`cd ${folder} && sha256sum --strict -c SHA256SUMS`.quiet()
  }
})

test('the bill of materials has the executable with its checksum, and Bun with its parts', async () => {
  const { name, version, components: files } = bom.metadata.component
  expect([name, version]).toEqual([packageJson.name, packageJson.version])
  const sums = await Bun.file(`${folder}/SHA256SUMS`).text()
  expect(files?.map(({ name, hashes }) => `${hashes?.[0]?.content}  ${name}`)).toEqual(
    sums.split('\n').slice(0, 1),
  )
  const bun = bom.components.find(({ name }) => name === 'bun')
  expect(bun?.version).toBe(Bun.version)
  expect(bun?.components?.map(({ name }) => name)).toContain('sqlite')
})

test('the bill of materials has every package whose code is in the executable', async () => {
  const bundle = await Bun.build({
    entrypoints: [`${root}/src/main.ts`],
    target: 'bun',
    metafile: true,
  })
  const bundled = Object.keys(bundle.metafile?.inputs ?? {}).flatMap((path) => {
    return /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []
  })
  expect(bundled).toContain('elysia')
  const listed = bom.components.map(({ group, name }) => (group ? `${group}/${name}` : name))
  expect(listed).toEqual(expect.arrayContaining([...new Set(bundled)]))
  expect(listed).toEqual(expect.arrayContaining(Object.keys(packageJson.dependencies)))
  // What is there for development only.
  expect(listed).not.toContain('typescript')
})

test('the bill of materials has exact versions, digests of bun.lock, and dependencies', async () => {
  const packages = await productionPackages()
  expect(bom.components).toHaveLength(packages.length + 1)
  const lock = await Bun.file(`${root}/bun.lock`).text()
  for (const { name, version, integrity } of packages) {
    expect(lock).toContain(`["${name}@${version}", `)
    expect(lock).toContain(`"${integrity}"]`)
    const sha512 = Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex')
    const component = bom.components.find((one) => one['bom-ref'] === `${name}@${version}`)
    expect(component?.hashes).toEqual([{ alg: 'SHA-512', content: sha512 }])
  }
  const comet = bom.dependencies.find(({ ref }) => ref.startsWith('comet@'))
  expect(comet?.dependsOn).toHaveLength(Object.keys(packageJson.dependencies).length + 1)
  // From what is installed on comet's behalf, everything is reached.
  const reached = new Set([`comet@${packageJson.version}`])
  for (const ref of reached) {
    const next = bom.dependencies.find((one) => one.ref === ref)?.dependsOn ?? []
    for (const one of next) reached.add(one)
  }
  expect(reached.size).toBe(bom.components.length + 1)
})

test('an executable for another machine is recognized', async () => {
  const bytes = await Bun.file(`${folder}/comet-${HERE}`).bytes()
  const fitting = TARGETS.filter((target) => mistaken(bytes, target) === null)
  expect(fitting.map(({ name }) => name)).toContain(HERE)
  expect(fitting.every(({ name }) => name.startsWith(HERE))).toBe(true)
  expect(TARGETS.every((target) => mistaken(Buffer.from('#!/bin/sh\n'), target) !== null)).toBe(
    true,
  )
})

test('an unknown target is an error with exit 2', async () => {
  const { exitCode, stderr } = await release(['--only', 'linux-z80', '--folder', folder])
  expect(exitCode).toBe(2)
  expect(stderr).toStartWith('There is no target linux-z80; there are linux-x64, ')
})
