// Goal: the executable for arm64 does its work, not only exists. Method: qemu plays the processor, with
// Debian's C library for it. Left out where there is no emulator, or Bun for arm64 cannot be fetched.

import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { waitFor } from '../support/comet.ts'
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
  'the executable for arm64 serves, publishes and stops in order',
  async () => {
    await using folder = await makeFolder()
    const script = `${import.meta.dir}/../release.ts`
    const only = ['--only', 'linux-arm64', '--folder', folder.path]
    const built = await Bun.$`${process.execPath} ${script} ${only}`.nothrow().quiet()
    if (built.exitCode !== 0) {
      console.error(`Left out: ${built.stderr}`)
      return
    }
    const program = `${folder.path}/comet-linux-arm64`
    const ports = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', '--db', ':memory:']
    const child = Bun.spawn([String(QEMU), program, 'serve', ...ports], {
      env: { ...process.env, QEMU_LD_PREFIX: LIBRARIES },
      stdout: 'ignore',
      stderr: 'pipe',
    })
    await using _ = { [Symbol.asyncDispose]: async () => child.kill('SIGKILL') }
    const words = { text: '' }
    const read = async () => {
      const decoder = new TextDecoder()
      for await (const part of child.stderr) words.text += decoder.decode(part, { stream: true })
    }
    const reading = read()
    const listening = await waitFor(
      'it to listen',
      () => /"public".*/.exec(words.text)?.[0],
      60_000,
    )
    const { public: publicUrl, control } = JSON.parse(`{${listening}`) as Record<string, string>
    await using client = await RawClient.stream(Number(new URL(String(publicUrl)).port), 7)
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify({ subject: 7, body: 'Hello' })
    const answer = await fetch(`${control}/messages`, { method: 'POST', headers, body })
    expect(await answer.json()).toEqual({ delivered: 1 })
    await client.received(chunk('Hello'))
    child.kill('SIGTERM')
    expect(await child.exited).toBe(0)
    await reading
    expect(words.text).toContain('"event":"stopped"')
  },
  120_000,
)
