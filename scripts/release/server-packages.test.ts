// Goal: who installs the npm package gets the one executable for the machine, whose exit code and
// signals are those of the program. Method: a registry on loopback, npm and Bun as clients of it.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdir, readdir } from 'node:fs/promises'
import packageJson from '../../package.json'
import { runProgram } from '../support/child-process.ts'
import { COMET, CometServer } from '../support/comet.ts'
import { folderOfTests } from '../support/folder.ts'
import { type Registry, serveRegistry } from './registry.fixture.ts'
import { packageNameOf, platformPackage, serverPackage } from './server-packages.ts'
import { TARGETS } from './targets.ts'

const HERE = `comet-server-${process.platform}-${process.arch}`
const folder = folderOfTests()
let registry: Registry

beforeAll(async () => {
  const executable = await Bun.file(COMET).bytes()
  const other = Buffer.from('#!/bin/sh\necho for another machine\n')
  const platforms = TARGETS.filter((target) => packageNameOf(target) !== null).map((target) =>
    platformPackage(target, packageNameOf(target) === HERE ? executable : other, 1),
  )
  registry = await serveRegistry([await serverPackage(), ...(await Promise.all(platforms))])
}, 60_000)

afterAll(() => registry[Symbol.dispose]())

const npm = Bun.which('npm')
const CLIENTS = [
  ...(npm === null ? [] : [['npm', [npm, 'install', '--no-audit', '--no-fund']] as const]),
  ['Bun', [process.execPath, 'install']] as const,
]

/** Installs the package in a folder of its own; returns that. */
async function install(name: string, command: readonly string[]): Promise<string> {
  const app = `${folder}/${name}`
  await mkdir(app)
  const dependencies = { 'comet-server': packageJson.version }
  await Bun.write(`${app}/package.json`, JSON.stringify({ private: true, dependencies }))
  await Bun.write(`${app}/.npmrc`, `cache=${folder}/npm-cache\n`)
  const env = {
    BUN_INSTALL_CACHE_DIR: `${folder}/bun-cache-${name}`,
    // It counts before all files.
    npm_config_registry: registry.url,
  }
  const installed = await runProgram(command, { cwd: app, env, timeoutMs: 60_000 })
  expect(installed.exitCode, installed.stderr).toBe(0)
  return app
}

describe.each(CLIENTS)('installed by %s', (name, command) => {
  let comet: string

  beforeAll(async () => {
    const app = await install(name, command)
    comet = `${app}/node_modules/.bin/comet`
    const installed = (await readdir(`${app}/node_modules`)).filter((one) => /^comet/.test(one))
    // A client that knows no C libraries installs those for both.
    expect(installed.filter((one) => one !== `${HERE}-musl`).sort()).toEqual(['comet-server', HERE])
  }, 90_000)

  test('it runs the executable for this machine, with its arguments and exit code', async () => {
    const version = await runProgram([comet, '--version'])
    expect(version.stdout).toStartWith(`comet ${packageJson.version} (`)
    const wrong = await runProgram([comet, 'serve', '--no such option', ''])
    expect(wrong.exitCode).toBe(2)
    expect(wrong.stderr).toContain('--no such option')
  })

  test('a signal ends a server in order', async () => {
    const ports = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', '--db', ':memory:']
    await using server = new CometServer([comet, 'serve', ...ports])
    await server.listening()
    expect(server.stderr).toContain(`"pid":${server.pid}`)
    expect(await server.end('SIGTERM')).toBe(0)
    await server.logged('"event":"stopped"')
  })
})

const npx = Bun.which('npx')

test.skipIf(npx === null)('npx runs it by the name of the package', async () => {
  const env = { npm_config_registry: registry.url, npm_config_cache: `${folder}/npx-cache` }
  const command = [String(npx), '--yes', 'comet-server', '--version']
  const { stdout, stderr } = await runProgram(command, { cwd: folder, env, timeoutMs: 60_000 })
  expect(stdout, stderr).toStartWith(`comet ${packageJson.version} (`)
})

test('without the executable it says which package is missing', async () => {
  const flags = ['install', '--omit=optional']
  const app = await install('without', [process.execPath, ...flags])
  const { exitCode, stderr } = await runProgram([`${app}/node_modules/.bin/comet`, '--version'])
  expect(exitCode).toBe(69)
  expect(stderr).toContain(`the package ${HERE} is not installed`)
})

test('the package for people depends on that of each target, by this very version', async () => {
  const again = await serverPackage()
  expect(await serverPackage()).toEqual(again)
  const names = TARGETS.flatMap((target) => packageNameOf(target) ?? [])
  expect(names).toHaveLength(TARGETS.length - 1)
  using one = await serveRegistry([again])
  const response = await fetch(`${one.url}comet-server`)
  const { versions } = (await response.json()) as { versions: Record<string, object> }
  expect(versions[packageJson.version]).toMatchObject({
    bin: { comet: 'bin/comet' },
    optionalDependencies: Object.fromEntries(names.map((name) => [name, packageJson.version])),
  })
})
