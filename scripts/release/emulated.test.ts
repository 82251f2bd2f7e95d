// Goal: the executable for arm64 does its work, not only exists. Method: qemu plays the processor,
// with Debian's C library for it. Left out where there is no emulator, or Bun for arm64 cannot be
// fetched.

import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { ReadImage } from '../image/image.fixture.ts'
import { CometServer } from '../support/comet.ts'
import { makeFolder } from '../support/folder.ts'
import { chunk, RawClient } from '../support/raw-client.ts'

const QEMU = Bun.which('qemu-aarch64')
/** Where Debian's package libc6-arm64-cross has the loader and the libraries. */
const LIBRARIES = '/usr/aarch64-linux-gnu'

const isPossible = process.arch === 'x64' && QEMU !== null && existsSync(LIBRARIES)
if (!isPossible) {
  console.error(
    "Left out: arm64 under emulation. It takes Debian's qemu-user and libc6-arm64-cross.",
  )
}

test.skipIf(!isPossible)(
  'the executable for arm64 serves, publishes and stops in order, and starts in its image',
  async () => {
    await using folder = await makeFolder()
    const script = `${import.meta.dir}/../release.ts`
    const only = ['--only', 'linux-arm64', '--folder', folder.path, '--level', '1']
    const built = await Bun.$`${process.execPath} ${script} ${only}`.nothrow().quiet()
    if (built.exitCode !== 0) {
      console.error(`Left out: ${built.stderr}`)
      return
    }
    const program = `${folder.path}/comet-linux-arm64`
    const ports = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', '--db', ':memory:']
    const command = [String(QEMU), program, 'serve', ...ports]
    await using server = new CometServer(command, { env: { QEMU_LD_PREFIX: LIBRARIES } })
    await server.listening(60_000)
    using client = await RawClient.stream(server.publicPort, 7)
    expect(await server.publish({ subject: 7, body: 'Hello' })).toBe(1)
    await client.received(chunk('Hello'))
    expect(await server.end('SIGTERM')).toBe(0)
    await server.logged('"event":"stopped"')
    // To unpack it takes root.
    if (process.getuid?.() === 0) await runInImage(program, folder.path)
  },
  120_000,
)

/** The executable in its image, with the loader and the libraries there and no others. */
async function runInImage(program: string, folder: string): Promise<void> {
  const [archive, root] = [`${folder}/image.tar`, `${folder}/root`]
  const script = `${import.meta.dir}/../image.ts`
  const command = [process.execPath, script, '--executable', program, '--outfile', archive]
  await Bun.$`${command} --level 1`.quiet()
  const image = await ReadImage.read(archive, `${folder}/archive`)
  expect(image.config.architecture).toBe('arm64')
  await image.unpack(root)
  const run = await Bun.$`${String(QEMU)} -L ${root} ${root}/comet --version`.text()
  expect(run).toContain('linux-arm64')
}
