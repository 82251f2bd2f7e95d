// Goal: the Debian package installs, runs, keeps the operator's file and goes without a trace; its
// metadata is true. Method: Debian's own tools, in a root of its own, with the executable of this
// tree.

import { beforeAll, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import packageJson from '../../package.json'
import { readElf } from '../image/elf.ts'
import { COMET } from '../support/comet.ts'
import { folderOfTests } from '../support/folder.ts'
import { debName, debOf, GLIBC_MIN } from './deb.ts'

const folder = folderOfTests()
const deb = `${folder}/comet.deb`
const machine = process.arch === 'arm64' ? 'arm64' : 'x64'
const CAN_INSTALL = process.platform === 'linux' && Bun.which('dpkg') !== null

const options = {
  machine,
  maintainer: 'Tests <tests@comet.invalid>',
  seconds: 1_796_000_000,
  level: 1,
} as const

beforeAll(async () => {
  await Bun.write(deb, await debOf({ ...options, executable: await Bun.file(COMET).bytes() }))
}, 60_000)

test('the same files make the same package, byte for byte', async () => {
  const executable = Buffer.from('#!/bin/sh\n')
  expect(await debOf({ ...options, executable })).toEqual(await debOf({ ...options, executable }))
})

test('the executable asks for no newer C library than the package does', async () => {
  const bytes = await Bun.file(COMET).bytes()
  if (readElf(bytes) === undefined) return
  const asked =
    Buffer.from(bytes)
      .toString('latin1')
      .match(/GLIBC_2\.\d+/g) ?? []
  const minors = asked.map((version) => Number(version.slice('GLIBC_2.'.length)))
  expect(minors.length).toBeGreaterThan(0)
  expect(`2.${Math.max(...minors)}`).toBe(GLIBC_MIN)
})

describe.skipIf(!CAN_INSTALL)('by the tools of Debian (skipped without dpkg)', () => {
  test('it has the fields that a repository needs', async () => {
    const fields = await Bun.$`dpkg-deb --field ${deb}`.text()
    const architecture = machine === 'x64' ? 'amd64' : machine
    expect(fields).toContain('Package: comet\n')
    expect(fields).toContain(`Version: ${packageJson.version}\n`)
    expect(fields).toContain(`Architecture: ${architecture}\n`)
    expect(fields).toContain(`Depends: libc6 (>= ${GLIBC_MIN})\n`)
    expect(fields).toContain('Maintainer: Tests <tests@comet.invalid>\n')
    expect(debName(machine)).toBe(`comet_${packageJson.version}_${architecture}.deb`)
  })

  test('all files belong to root, and others write none', async () => {
    const lines = (await Bun.$`dpkg-deb --contents ${deb}`.text()).trim().split('\n')
    for (const line of lines) expect(line).toMatch(/^[d-]rw[x-]r-[x-]r-[x-] (root\/root|0\/0) /)
    const paths = lines.map((line) => line.split(/\s+/).at(-1))
    expect(paths).toContain('./usr/bin/comet')
    expect(paths).toContain('./usr/lib/systemd/system/comet.service')
  })

  test('its files have the checksums that it lists, and what the unit names is there', async () => {
    const root = `${folder}/unpacked`
    await Bun.$`dpkg-deb --extract ${deb} ${root}`
    await Bun.$`dpkg-deb --control ${deb} ${folder}/control`
    await Bun.$`cd ${root} && md5sum --quiet --strict -c ${folder}/control/md5sums`
    const version = await Bun.$`${root}/usr/bin/comet --version`.text()
    expect(version).toStartWith(`comet ${packageJson.version} (`)
    const unit = await Bun.file(`${root}/usr/lib/systemd/system/comet.service`).text()
    const named = [...unit.matchAll(/(?:file:\/\/|=)(\/(?:usr|etc)\/\S+)/g)].map(([, path]) => path)
    expect(named.length).toBeGreaterThan(1)
    for (const path of named) expect([path, existsSync(`${root}${path}`)]).toEqual([path, true])
    const options = await Bun.file(`${root}/etc/comet.toml`).text()
    // The options that it shows are valid, too.
    await Bun.write(`${folder}/shown.toml`, options.replaceAll(/^# (?=[a-z-]+ = )/gm, ''))
    for (const path of [`${root}/etc/comet.toml`, `${folder}/shown.toml`]) {
      await Bun.$`${root}/usr/bin/comet config check ${path}`.quiet()
    }
    for (const name of ['postinst', 'prerm', 'postrm']) await Bun.$`sh -n ${folder}/control/${name}`
  })

  test('it is installed, upgraded with the file of options as it is, and purged', async () => {
    const root = `${folder}/root`
    await mkdir(`${root}/var/lib/dpkg/updates`, { recursive: true })
    for (const name of ['status', 'available']) await Bun.write(`${root}/var/lib/dpkg/${name}`, '')
    const dpkg = (...args: string[]) => {
      const force = '--force-script-chrootless,depends,not-root,unsafe-io,confold'
      return Bun.$`dpkg --root=${root} ${force} --log=/dev/null ${args}`.quiet()
    }
    await dpkg('--install', deb)
    const status = await Bun.$`dpkg --root=${root} --status comet`.text()
    expect(status).toContain('Status: install ok installed')
    const config = `${root}/etc/comet.toml`
    await Bun.write(config, '[serve]\nlisten = "127.0.0.1:9000"\n')
    await mkdir(`${root}/var/lib/private/comet`, { recursive: true })
    await Bun.write(`${root}/var/lib/private/comet/comet.db`, 'kept')
    await dpkg('--install', deb)
    expect(await Bun.file(config).text()).toContain('9000')
    await dpkg('--remove', 'comet')
    expect(existsSync(`${root}/usr/bin/comet`)).toBe(false)
    expect(await Bun.file(config).text()).toContain('9000')
    expect(existsSync(`${root}/var/lib/private/comet/comet.db`)).toBe(true)
    await dpkg('--purge', 'comet')
    const left = await Bun.$`find ${root} -type f -not -path ${`${root}/var/lib/dpkg/*`}`.text()
    expect(left).toBe('')
  })

  test.skipIf(Bun.which('lintian') === null)('lintian finds no fault in it', async () => {
    // A small program in the place of comet, of which lintian would read all.
    const small = `${folder}/small.deb`
    const program = await Bun.file(String(Bun.which('true'))).bytes()
    await Bun.write(small, await debOf({ ...options, executable: program }))
    // The page is that of the commands, if these have one.
    const flags = [
      '--allow-root',
      '--fail-on',
      'error,warning',
      '--suppress-tags',
      'no-manual-page',
    ]
    const found = await Bun.$`lintian ${flags} ${small}`.nothrow().quiet()
    expect([found.stdout.toString(), found.exitCode]).toEqual(['', 0])
  })
})
